"""The join of snapshot, replay and live, with events coming in at every moment at which a reader waits.

The reader is the real one; the log is a list that answers in pages of two, and that grows, and is
fanned out, while it is being read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.access import Scope
from app.core.clock import SystemClock
from app.core.metrics import Metrics
from app.core.roles import Role, to_mask
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import Cursor, LogBounds, LogEntry, LogPage
from app.modules.alerts.subscription import ClosingReason, Entries, NotRecovered, Snapshot

EPOCH = "e"
PAGE = 2
NURSE = Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"}))
TOMORROW = datetime.now(UTC) + timedelta(days=1)

#: Turns of the event loop in which a reader of this small log has long caught up.
TURNS = 300

#: One thing that happens: to which alert, whether it ends it, whether the reader may see it; or a fan-out.
HAPPENINGS = st.one_of(
    st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans()), st.just("fan out"), st.just("nothing")
)
Happening = tuple[str, bool, bool] | str


@dataclass
class GrowingLog:
    """A log in memory. Whenever it is read, the next things on the list happen first, and then again after."""

    to_come: list[Happening]
    entries: list[LogEntry] = field(default_factory=list)
    manager: AlertConnectionManager | None = None

    def happen(self) -> None:
        if not self.to_come:
            return
        happening = self.to_come.pop(0)
        if happening == "fan out":
            self.fan_out()
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


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(HAPPENINGS, max_size=8),
    during=st.lists(HAPPENINGS, max_size=25),
    cursor=st.integers(0, 8) | st.none(),
    queue_limit=st.integers(1, 4),
    pauses=st.integers(0, 3),
)
def test_whatever_comes_while_a_reader_joins_it_ends_with_the_state_of_the_log(
    before: list[Happening], during: list[Happening], cursor: int | None, queue_limit: int, pauses: int
) -> None:
    """Fails when the reader goes live at the end of what it read instead of what was fanned out, when the
    snapshot is not bounded by the position, and when a full queue keeps its entries (checked with each).
    """
    asyncio.run(_join(before, during, cursor, queue_limit, pauses))


async def _join(
    before: list[Happening], during: list[Happening], cursor: int | None, queue_limit: int, pauses: int
) -> None:
    log = GrowingLog(list(before))
    while log.to_come:
        if log.to_come[0] == "fan out":
            log.to_come.pop(0)
        else:
            log.happen()
    manager = AlertConnectionManager(log, SystemClock(), Metrics(), keepalive_seconds=60, queue_limit=queue_limit)
    log.manager = manager
    await manager.start()
    brought = None if cursor is None else str(Cursor(EPOCH, cursor))
    start = await manager.where_to_start(brought)
    log.to_come = list(during)
    got: list[LogEntry] = []
    snapshot: list[LogEntry] = []
    with manager.subscribe(NURSE, start, transport="test", expires_at=TOMORROW) as subscription:

        async def read() -> None:
            async for message in subscription.messages():
                if isinstance(message, Snapshot):
                    snapshot.extend(message.entries)
                elif isinstance(message, Entries):
                    got.extend(message.entries)

        reading = asyncio.create_task(read())
        while log.to_come:
            log.happen()
            for _ in range(pauses):
                await asyncio.sleep(0)
        log.fan_out()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        subscription.close(ClosingReason.DRAINING)
        await reading
    assert [entry.seq for entry in got] == sorted({entry.seq for entry in got})
    assert got == log.visible(after=start.position)
    if start.recovered:
        assert snapshot == []
        return
    assert start.reason is (None if cursor is None else NotRecovered.AHEAD_OF_LOG)
    assert not {entry.seq for entry in snapshot} & {entry.seq for entry in got}
    shown = {entry.alert_id: entry for entry in (*snapshot, *got)}
    assert {n: e.seq for n, e in shown.items() if e.event != "alert_resolved"} == log.open_and_visible()
