"""The join of snapshot, replay and live, with events coming in at every moment at which a reader waits.

The reader is the real one; the log is a list that answers in pages of two, and that grows, and is
fanned out, while it is being read. The connection takes a chunk only when there is room for one.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.access import Scope
from app.core.clock import SystemClock
from app.core.metrics import Metrics
from app.core.roles import Role, to_mask
from app.core.sinks import unframed
from app.modules.alerts.encoding import ClosingReason, EventStreamEncoding, NotRecovered, Wire
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import Cursor, LogBounds, LogEntry, LogPage
from tests.servers import until
from tests.sinks import PacedSink

EPOCH = "e"
PAGE = 2
NURSE = Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"}))
TOMORROW = datetime.now(UTC) + timedelta(days=1)

#: Turns of the event loop in which a reader of this small log has long caught up.
TURNS = 300

#: One thing that happens: to which alert, whether it ends it, whether the reader may see it; or a fan-out,
#: or room for another chunk.
HAPPENINGS = st.one_of(
    st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans()),
    st.sampled_from(["fan out", "fan out", "room", "room", "nothing"]),
)
Happening = tuple[str, bool, bool] | str


def narrow_sink(room: int) -> PacedSink:
    """As if each chunk were large: a reader is to wait at every one."""
    return PacedSink(room=room, takes_halves=True, weight=1_000_000)


@dataclass
class GrowingLog:
    """A log in memory. Whenever it is read, the next things on the list happen first, and then again after."""

    to_come: list[Happening]
    entries: list[LogEntry] = field(default_factory=list)
    manager: AlertConnectionManager | None = None
    sink: PacedSink | None = None

    def happen(self) -> None:
        if not self.to_come:
            return
        happening = self.to_come.pop(0)
        if happening == "fan out":
            self.fan_out()
        elif happening == "room":
            assert self.sink is not None
            self.sink.make_room(1)
        elif not isinstance(happening, str):
            name, is_end, is_visible = happening
            self.append(name if is_visible else "hidden-" + name, is_end=is_end, is_visible=is_visible)

    def append(self, alert_id: str, *, is_end: bool = False, is_visible: bool = True) -> None:
        event = "alert_resolved" if is_end else "alert"
        self.entries.append(
            LogEntry(
                epoch=EPOCH,
                seq=len(self.entries) + 1,
                alert_id=alert_id,
                patient_id="P1",
                event=event,
                audience=to_mask({Role.NURSE if is_visible else Role.DOCTOR}),
                payload=msgspec.json.encode({"event": event, "alertId": alert_id}),
                occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
            )
        )

    def fan_out(self) -> None:
        assert self.manager is not None
        new = self.entries[self.manager.head :]
        self.manager.publish(new, len(self.entries))

    async def bounds(self) -> LogBounds:
        return LogBounds(EPOCH, 0, len(self.entries))

    async def newest(self, *, through: int, limit_bytes: int) -> list[LogEntry]:
        return self.entries[:through]

    async def time_of(self, seq: int) -> datetime | None:
        return None

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        self.happen()
        head = len(self.entries)
        found = [e for e in self.entries[after:] if scope is None or scope.covers(e.patient_id, e.audience)][:PAGE]
        await asyncio.sleep(0)
        self.happen()
        is_full = len(found) == PAGE
        return LogPage(found, found[-1].seq if is_full else head, is_last=not is_full)

    async def open_alerts(
        self, scope: Scope, *, through: int, after: int, patient_ids: frozenset[str] | None = None
    ) -> LogPage:
        self.happen()
        latest = {entry.alert_id: entry for entry in self.entries}
        found = sorted(
            (
                entry
                for entry in latest.values()
                if entry.event != "alert_resolved"
                and after < entry.seq <= through
                and scope.covers(entry.patient_id, entry.audience)
            ),
            key=lambda entry: entry.seq,
        )[:PAGE]
        await asyncio.sleep(0)
        self.happen()
        is_full = len(found) == PAGE
        return LogPage(found, found[-1].seq if is_full else through, is_last=not is_full)

    def visible(self, *, after: int) -> list[LogEntry]:
        return [entry for entry in self.entries[after:] if NURSE.covers(entry.patient_id, entry.audience)]

    def open_and_visible(self) -> dict[str, int]:
        latest = {entry.alert_id: entry for entry in self.visible(after=0)}
        return {name: entry.seq for name, entry in latest.items() if entry.event != "alert_resolved"}


@settings(max_examples=300, deadline=None)
@given(
    before=st.lists(HAPPENINGS, max_size=8),
    during=st.lists(HAPPENINGS, max_size=25),
    cursor=st.integers(0, 8) | st.none(),
    queue_limit=st.integers(1, 4),
    recent_bytes=st.sampled_from([0, 3_000, 1_000_000]),
    room=st.integers(0, 30),
    pauses=st.integers(0, 3),
)
def test_whatever_comes_while_a_reader_joins_it_ends_with_the_state_of_the_log(
    before: list[Happening],
    during: list[Happening],
    cursor: int | None,
    queue_limit: int,
    recent_bytes: int,
    room: int,
    pauses: int,
) -> None:
    asyncio.run(_join(before, during, cursor, queue_limit, recent_bytes, narrow_sink(room), pauses))


async def _join(
    before: list[Happening],
    during: list[Happening],
    cursor: int | None,
    queue_limit: int,
    recent_bytes: int,
    sink: PacedSink,
    pauses: int,
) -> None:
    log = GrowingLog([happening for happening in before if not isinstance(happening, str)])
    while log.to_come:
        log.happen()
    manager = AlertConnectionManager(
        log,
        SystemClock(),
        Metrics(),
        keepalive_seconds=60,
        slow_consumer_seconds=60,
        queue_limit=queue_limit,
        recent_bytes=recent_bytes,
    )
    log.manager, log.sink = manager, sink
    await manager.start()
    brought = None if cursor is None else str(Cursor(EPOCH, cursor))
    start = await manager.where_to_start(brought)
    log.to_come = list(during)
    wire = Wire(EventStreamEncoding(retry_ms=1000), unframed)
    reading = asyncio.create_task(manager.run())
    subscription = manager.open(NURSE, start, sink=sink, wire=wire, user_id="nurse", expires_at=TOMORROW)
    while log.to_come:
        log.happen()
        for _ in range(pauses):
            await asyncio.sleep(0)
    log.fan_out()
    for _ in range(TURNS):
        sink.make_room(1)
        await asyncio.sleep(0)
    subscription.close(ClosingReason.DRAINING)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert manager.indexed_count() == 0

    snapshot, got = _received(b"".join(sink.chunks).decode())
    assert got == [entry.seq for entry in log.visible(after=start.position)]
    if start.recovered:
        assert snapshot == []
        return
    assert start.reason is (None if cursor is None else NotRecovered.AHEAD_OF_LOG)
    latest = dict(snapshot) | {log.entries[seq - 1].alert_id: log.entries[seq - 1].event for seq in got}
    assert {name for name, event in latest.items() if event == "alert"} == set(log.open_and_visible())


def _received(text: str) -> tuple[list[tuple[str, str]], list[int]]:
    """The alerts of the snapshot with their latest event, and the numbers of the events after it."""
    messages = [dict(re.findall(r"^(\w+): (.*)$", message, re.M)) for message in text.split("\n\n")]
    alerts = [message for message in messages if "data" in message and "event" not in message]
    snapshot = [msgspec.json.decode(message["data"]) for message in alerts if "id" not in message]
    return (
        [(document["alertId"], document["event"]) for document in snapshot],
        [int(message["id"].rpartition("-")[2]) for message in alerts if "id" in message],
    )


@dataclass
class FailingLog(GrowingLog):
    """A log that cannot be read a few times."""

    failures: int = 3

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the database is gone")
        return await super().page(scope, after=after)


async def test_a_page_that_cannot_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a failed page is not put back (the reader then waits for ever; checked so)."""
    monkeypatch.setattr("app.modules.alerts.manager.RETRY_SECONDS", 0.01)
    log = FailingLog([("a", False, True), ("b", False, True), ("c", False, True)])
    while log.to_come:
        log.happen()
    manager = AlertConnectionManager(
        log, SystemClock(), Metrics(), keepalive_seconds=60, slow_consumer_seconds=60, queue_limit=10, recent_bytes=0
    )
    await manager.start()
    sink, wire = narrow_sink(100), Wire(EventStreamEncoding(retry_ms=1000), unframed)
    reading = asyncio.create_task(manager.run())
    start = await manager.where_to_start(str(Cursor(EPOCH, 0)))
    subscription = manager.open(NURSE, start, sink=sink, wire=wire, user_id="nurse", expires_at=TOMORROW)
    await until(lambda: any(b"stream.ready" in chunk for chunk in sink.chunks))
    subscription.close(ClosingReason.DRAINING)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert _received(b"".join(sink.chunks).decode()) == ([], [1, 2, 3])
    assert log.failures == 0
