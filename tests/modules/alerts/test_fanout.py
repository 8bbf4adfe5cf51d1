"""The fan-out on its own: the real manager, and connections that take their time, or raise, or are too late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

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

pytestmark = pytest.mark.anyio

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

    def publish(self, *priorities: str, to: Role = Role.NURSE) -> None:
        first = self.manager.head + 1
        entries = [
            LogEntry(
                epoch="e",
                seq=seq,
                alert_id=f"a{seq}",
                patient_id="P1",
                event="alert",
                audience=to_mask({to}),
                payload=msgspec.json.encode({"event": "alert", "priority": priority}),
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


async def test_an_event_for_many_is_written_in_slices_between_which_the_loop_does_everything_else() -> None:
    """Fails when the age of a slice is not looked at (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(300)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    await fan.until_written(300)

    assert all(sink.taken == [1] for sink in sinks)
    assert fan.most_writes_in_a_turn() <= _BATCH


async def test_many_events_for_few_are_written_in_slices_too() -> None:
    """Fails when a slice goes on with the next event although its time is over (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(3)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish(*["low"] * 100)
    await fan.until_written(300)

    assert all(sink.taken == list(range(1, 101)) for sink in sinks)
    assert fan.most_writes_in_a_turn() <= 2 * _BATCH


async def test_an_urgent_event_that_takes_many_earlier_ones_along_is_written_in_slices_too() -> None:
    """Fails when a batch is as long with earlier events as without (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(20)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish(*["low"] * 40, "high")
    await fan.until_written(20 * 41)

    assert all(sink.taken == list(range(1, 42)) for sink in sinks)
    assert fan.most_writes_in_a_turn() <= 2 * 41


async def test_high_priority_overtakes_and_everybody_still_gets_everything_in_order() -> None:
    """Fails when the jobs are done in the order of their numbers, and when what was overtaken is not taken
    along, and when the position of who has it already is not compared (checked so).
    """
    fan = Fan()
    nurses = [fan.subscriber() for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low", "medium")
    begun = len(fan.written)
    assert 0 < begun < 200
    fan.publish("high")
    fan.publish("low")
    await fan.until_written(4 * 200)

    assert all(sink.taken == [1, 2, 3, 4] for sink in nurses)
    order = [seq for _, seq in fan.written]
    last_high = len(order) - 1 - order[::-1].index(3)
    assert 4 not in order[:last_high], "it waits until the urgent one is through"
    first = fan.written[0][0]
    has_high, lacks_low = fan.written.index((first, 3)), len(order) - 1 - order[::-1].index(1)
    assert has_high < lacks_low, "one has the urgent event before another has the earlier one"


async def test_high_priority_for_others_does_not_wait_until_low_priority_is_through() -> None:
    """Fails when the jobs are done in the order of their numbers (checked so)."""
    fan = Fan()
    for _ in range(200):
        fan.subscriber()
    doctors = [fan.subscriber(DOCTOR) for _ in range(5)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    begun = len(fan.written)
    fan.publish("high", to=Role.DOCTOR)
    await fan.until_written(205)

    assert [seq for _, seq in fan.written[begun : begun + 5]] == [2] * 5
    assert all(sink.taken == [2] for sink in doctors)


@pytest.mark.parametrize("error", [ConnectionResetError(), RuntimeError("a mistake of ours")], ids=repr)
async def test_one_whose_connection_raises_touches_no_other_and_is_cut_off_rather_than_left_with_a_gap(
    error: Exception,
) -> None:
    """Fails when an error in the innermost loop is not caught there, and when one that is no `OSError` is
    only logged: its subscriber then goes on after the event that it was not given (checked so).
    """
    fan = Fan()
    errors = [error]

    def break_down(chunk: bytes) -> None:
        if seqs(chunk) and errors:
            raise errors.pop()

    before = [fan.subscriber() for _ in range(10)]
    broken = fan.subscriber(taking=break_down)
    after = [fan.subscriber() for _ in range(10)]

    fan.publish("low")
    fan.publish("low")
    await fan.until_written(40)

    assert all(sink.taken == [1, 2] for sink in before + after)
    assert (broken.taken, broken.is_aborted) == ([], True)
    assert fan.manager.open_count() == 20


async def test_an_expired_token_gets_no_event_even_before_anybody_has_looked_at_the_time() -> None:
    """The timer wheel does not turn here. Fails when the fan-out does not compare the expiry (checked so)."""
    fan = Fan()
    brief, lasting = fan.subscriber(lifetime=timedelta(seconds=1)), fan.subscriber()

    fan.publish("low")
    fan.clock.advance(timedelta(seconds=1))
    fan.publish("high")

    assert (brief.taken, lasting.taken) == ([1], [1, 2])
    assert fan.lives[0].closing == "token_expired"
    assert fan.manager.open_count() == 1


async def test_the_position_of_a_quiet_client_stays_behind_what_is_still_being_written() -> None:
    """A client that keeps the cursor of such a keepalive would lose the event. Fails when `served_through`
    answers with the head (checked so).
    """
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low", "low")
    unserved = [life for life in fan.lives if life.position == 0]
    assert unserved
    for life in unserved:
        life.keep_alive()
        assert life.position == 0
    await fan.until_written(400)

    assert all(sink.taken == [1, 2] for sink in sinks)
    fan.lives[0].keep_alive()
    assert fan.lives[0].position == 2
