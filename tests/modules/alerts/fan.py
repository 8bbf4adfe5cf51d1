"""A real manager without a server: its log lies in memory, and its connections do what a test tells them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.core.access import Scope
from app.core.metrics import Metrics
from app.core.roles import Role, to_mask
from app.core.sinks import unframed
from app.modules.alerts.cohort import BATCH
from app.modules.alerts.encoding import EventStreamEncoding, Wire
from app.modules.alerts.fanout import SLICE_SECONDS
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import LogBounds, LogEntry, LogPage
from app.modules.alerts.subscription import Start, Subscription
from tests.modules.ward import SetClock
from tests.servers import until
from tests.sinks import PacedSink

NURSE = Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"}))
DOCTOR = Scope(Role.DOCTOR, frozenset({Role.DOCTOR}), frozenset({"P1"}))

#: A write that takes at least so long that one batch of them fills a slice.
SLOW_SECONDS = 1.2 * SLICE_SECONDS / BATCH


class EmptyLog:
    """A log to which nothing is ever added behind the manager's back."""

    async def bounds(self) -> LogBounds:
        return LogBounds("e", 0, 0)

    async def newest(self, *, through: int, limit_bytes: int) -> list[LogEntry]:
        return []

    async def time_of(self, seq: int) -> datetime | None:
        return None

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        raise AssertionError("everything is in memory")

    async def open_alerts(self, scope: Scope, **_: Any) -> LogPage:
        raise AssertionError("no snapshot is wanted")


def seqs(chunk: bytes) -> list[int]:
    """The numbers of the alert events in a chunk."""
    messages = [message for message in chunk.decode().split("\n\n") if "data: " in message and "event: " not in message]
    lines = [line for message in messages for line in message.split("\n")]
    return [int(line.rpartition("-")[2]) for line in lines if line.startswith("id: ")]


class Sink(PacedSink):
    """A connection of a subscriber, and the numbers of the events that it has taken."""

    @property
    def taken(self) -> list[int]:
        return seqs(b"".join(self.chunks))


class Fan:
    """A manager whose log lies in memory, and its subscribers."""

    def __init__(self) -> None:
        self.clock = SetClock(datetime.now(UTC))
        self.manager = AlertConnectionManager(
            EmptyLog(),
            self.clock,
            Metrics(),
            keepalive_seconds=60,
            slow_consumer_seconds=60,
            queue_limit=100,
            recent_bytes=10_000_000,
        )
        self.written: list[tuple[Sink, int]] = []
        self.turn = 0
        self.turns_of_writes: list[int] = []
        self.seconds_per_write = 0.0
        self.wire = Wire(EventStreamEncoding(retry_ms=1000), unframed)
        self.lives: list[Subscription] = []

    def subscriber(
        self,
        scope: Scope = NURSE,
        *,
        lifetime: timedelta = timedelta(hours=1),
        taking: Callable[[bytes], None] | None = None,
        position: int | None = None,
        **connection: Any,
    ) -> Sink:
        def take(chunk: bytes) -> None:
            if taking is not None:
                taking(chunk)
            until_then = time.perf_counter() + self.seconds_per_write
            while time.perf_counter() < until_then:
                pass
            if events := seqs(chunk):
                self.turns_of_writes.append(self.turn)
                self.written += [(sink, seq) for seq in events]

        sink = Sink(taking=take, **connection)
        start = Start(self.manager.head if position is None else position, recovered=True)
        expires_at = self.clock.now() + lifetime
        self.lives.append(
            self.manager.open(scope, start, sink=sink, wire=self.wire, user_id="u", expires_at=expires_at)
        )
        return sink

    def publish(self, *priorities: str, to: Role = Role.NURSE, patient_id: str = "P1") -> None:
        first = self.manager.head + 1
        entries = [
            LogEntry(
                epoch="e",
                seq=seq,
                alert_id=f"a{seq}",
                patient_id=patient_id,
                event="alert",
                audience=to_mask({to}),
                payload=msgspec.json.encode({"event": "alert", "priority": priority}),
                occurred_at=self.clock.now(),
            )
            for seq, priority in enumerate(priorities, first)
        ]
        self.manager.publish(entries, first + len(entries) - 1)

    async def until_written(self, count: int) -> None:
        """Wait, counting the turns of the loop meanwhile."""
        loop = asyncio.get_running_loop()

        def count_turn() -> None:
            self.turn += 1
            if len(self.written) < count:
                loop.call_soon(count_turn)

        count_turn()
        await until(lambda: len(self.written) >= count)

    def most_writes_in_a_turn(self) -> int:
        return max(Counter(self.turns_of_writes).values())
