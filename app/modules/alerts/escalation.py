"""The worker that acts on due timers: any node may run it, a restart forgets nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio

from app.core.clock import Clock
from app.core.tasks import until_beat
from app.modules.alerts.service import AlertService

#: Timers that another node has armed are found by looking this often; our own wake the worker.
LONGEST_PAUSE_SECONDS = 1.0

SHORTEST_PAUSE_SECONDS = 0.01

#: A worker that has not finished a round for this long is reported as not ready.
STALLED_AFTER = timedelta(seconds=15)

_NEVER = datetime.max.replace(tzinfo=UTC)


class EscalationWorker:
    """Sleeps until the next escalation is due, acts on it, and looks for the one after."""

    def __init__(
        self, alerts: AlertService, clock: Clock, *, longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
    ) -> None:
        self._alerts = alerts
        self._clock = clock
        self._longest_pause_seconds = longest_pause_seconds
        self._wake = anyio.Event()
        self._next_round_at = _NEVER
        self._last_round_at: datetime | None = None
        alerts.on_armed(self._be_up_by)

    async def run(self) -> None:
        """Act on due escalations for ever."""
        while True:
            self._wake = anyio.Event()
            # A timer that is armed while this round looks may not be seen by it, and wakes for another.
            self._next_round_at = _NEVER
            next_due = await self._alerts.next_escalation_at()
            is_due = next_due is not None and next_due <= self._clock.now()
            escalated = await self._alerts.escalate_due() if is_due else 0
            self._last_round_at = self._clock.now()
            # Due rows that another node holds are left to it, and looked at again after a pause.
            if escalated:
                continue
            pause_seconds = self._pause_seconds(next_due)
            self._next_round_at = self._clock.now() + timedelta(seconds=pause_seconds)
            with anyio.move_on_after(pause_seconds):
                await self._wake.wait()

    def is_in_order(self) -> bool:
        """Whether the worker has finished a round lately."""
        return self._last_round_at is not None and self._clock.now() - self._last_round_at < STALLED_AFTER

    def _be_up_by(self, due_at: datetime) -> None:
        """A timer was armed on this node: one that is due after the next look is found by that."""
        if due_at < self._next_round_at:
            self._wake.set()

    def _pause_seconds(self, next_due: datetime | None) -> float:
        longest_seconds = until_beat(self._longest_pause_seconds)
        if next_due is None:
            return longest_seconds
        until_due = (next_due - self._clock.now()).total_seconds()
        return min(max(until_due, SHORTEST_PAUSE_SECONDS), longest_seconds)
