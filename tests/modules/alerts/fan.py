"""A real manager without a server: its log lies in memory, and its connections do what a test tells them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from app.core.access import Scope
from app.core.metrics import Metrics
from app.core.roles import Role, to_mask
from app.core.sinks import SinkOwner, unframed
from app.modules.alerts.encoding import EventStreamEncoding, Wire
from app.modules.alerts.fanout import _BATCH, SLICE_SECONDS
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import LogBounds, LogEntry, LogPage
from app.modules.alerts.subscription import Start, Subscription
from tests.modules.ward import SetClock
from tests.servers import until

NURSE = Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"}))
DOCTOR = Scope(Role.DOCTOR, frozenset({Role.DOCTOR}), frozenset({"P1"}))

#: A write that takes at least so long that one batch of them fills a slice.
SLOW_SECONDS = 1.2 * SLICE_SECONDS / _BATCH


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


@dataclass
class Sink:
    """A connection that takes everything, and tells what it took."""

    taking: Callable[[bytes], None]
    is_paused = False
    framing = staticmethod(unframed)
    owner: SinkOwner | None = None
    is_aborted: bool = False
    last_words: bytes = b""
    taken: list[int] = field(default_factory=list)

    def send(self, chunk: bytes) -> int:
        self.write(chunk)
        return len(chunk)

    def write(self, chunk: bytes) -> None:
        self.taking(chunk)
        self.taken += seqs(chunk)

    def unsent_bytes(self) -> int:
        return 0

    def end(self, last_words: bytes = b"") -> None:
        self.last_words = last_words
        self.write(last_words)

    def abort(self) -> None:
        self.is_aborted = True


def seqs(chunk: bytes) -> list[int]:
    """The numbers of the alert events in a chunk."""
    messages = [message for message in chunk.decode().split("\n\n") if "data: " in message and "event: " not in message]
    lines = [line for message in messages for line in message.split("\n")]
    return [int(line.rpartition("-")[2]) for line in lines if line.startswith("id: ")]


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
        self.turns_written: list[int] = []
        self.seconds_per_write = 0.0
        self.wire = Wire(EventStreamEncoding(retry_ms=1000), unframed)
        self.lives: list[Subscription] = []

    def subscriber(
        self,
        scope: Scope = NURSE,
        *,
        lifetime: timedelta = timedelta(hours=1),
        taking: Callable[[bytes], None] | None = None,
    ) -> Sink:
        def take(chunk: bytes) -> None:
            if taking is not None:
                taking(chunk)
            until_then = time.perf_counter() + self.seconds_per_write
            while time.perf_counter() < until_then:
                pass
            for seq in seqs(chunk):
                self.written.append((sink, seq))
                self.turns_written.append(self.turn)

        sink = Sink(take)
        start = Start(self.manager.head, recovered=True)
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
        return max(self.turns_written.count(turn) for turn in set(self.turns_written))
