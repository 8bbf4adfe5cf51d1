"""The worker that acts on due timers: any node may run it, a restart forgets nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio

from app.core.bus import Bus
from app.core.clock import Clock
from app.modules.alerts.service import AlertService
from app.modules.alerts.tail import SUBJECT

#: Timers that another node has armed are found by looking this often; our own wake the worker.
LONGEST_PAUSE_SECONDS = 1.0

SHORTEST_PAUSE_SECONDS = 0.01

#: A worker that has not finished a round for this long is reported as not ready.
STALLED_AFTER = timedelta(seconds=15)


class EscalationWorker:
    """Sleeps until the next escalation is due, acts on it, and looks for the one after."""

    def __init__(self, alerts: AlertService, bus: Bus, clock: Clock) -> None:
        self._alerts = alerts
        self._bus = bus
        self._clock = clock
        self._wake = anyio.Event()
        self._last_round_at: datetime | None = None

    async def run(self) -> None:
        """Act on due escalations for ever."""
        unsubscribe = self._bus.subscribe(SUBJECT, lambda _message: self._wake.set())
        try:
            while True:
                self._wake = anyio.Event()
                next_due = await self._alerts.next_escalation_at()
                is_due = next_due is not None and next_due <= self._clock.now()
                escalated = await self._alerts.escalate_due() if is_due else 0
                self._last_round_at = self._clock.now()
                # Due rows that another node holds are left to it, and looked at again after a pause.
                if escalated:
                    continue
                with anyio.move_on_after(self._pause_seconds(next_due)):
                    await self._wake.wait()
        finally:
            unsubscribe()

    def is_in_order(self) -> bool:
        """Whether the worker has finished a round lately."""
        return self._last_round_at is not None and self._clock.now() - self._last_round_at < STALLED_AFTER

    def _pause_seconds(self, next_due: datetime | None) -> float:
        if next_due is None:
            return LONGEST_PAUSE_SECONDS
        until_due = (next_due - self._clock.now()).total_seconds()
        return min(max(until_due, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
