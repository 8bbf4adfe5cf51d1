"""The service by itself: what is stored when, and what becomes of it when the database is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.core.roles import Role
from app.core.security import Principal
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.schemas import AlertPayload, LogEntry
from app.modules.alerts.service import AlertService
from app.modules.strips import repository
from app.modules.strips.errors import NoStrip
from app.modules.strips.paper import Heading
from app.modules.strips.repository import Part
from app.modules.strips.service import BATCH, LONGEST_RETRY, SETTLING, StripService
from app.modules.strips.strip import AFTER, Strip
from tests.modules.strips.curves import BASE, RATE, Bench, at, counts
from tests.modules.ward import Ward, opened_ward
from tests.servers import until

pytestmark = pytest.mark.anyio

#: The sample of the curve that is taken when the alert is raised.
ALERT = 5000


@dataclass
class Desk:
    """Two nodes, each with a recorder and a strip service of its own, beside one database; nothing runs by itself."""

    ward: Ward
    admin: Principal

    def __post_init__(self) -> None:
        self.log: list[LogEntry] = []
        self.alerts = AlertService(
            self.ward.db,
            self.log.extend,
            self.ward.clock,
            self.ward.metrics,
            ActiveRules(None, {}, self.ward.clock, self.ward.metrics),
            self.ward.care_team,
        )
        self.bench, self.elsewhere = Bench(clock=self.ward.clock), Bench(clock=self.ward.clock)
        self.here, self.there = self._node(self.bench), self._node(self.elsewhere)

    def _node(self, bench: Bench) -> StripService:
        return StripService(self.ward.db, bench.recorder, self.alerts, self.ward.clock, self.ward.metrics)

    async def raise_alert(self, condition: str = "test", **fields: Any) -> str:
        payload = {"patientId": "P1", "vitalType": "heart_rate", "tier": "critical", "reasons": ["why"], **fields}
        alert, _ = await self.alerts.raise_alert(
            self.admin, AlertPayload.model_validate({**payload, "condition": condition})
        )
        for node in (self.here, self.there):
            node.follow(self.log)
        self.log.clear()
        return alert.alert_id

    async def strip(self, alert_id: str) -> Strip:
        strip, _ = await self.here.get(self.admin, alert_id)
        return strip

    async def heading(self, alert_id: str) -> Heading:
        _, heading = await self.here.get(self.admin, alert_id)
        return heading

    def counted(self, result: str) -> float:
        return self.ward.metrics.registry.get_sample_value("tocsin_strips_total", {"result": result}) or 0

    async def sql(self, statement: str) -> None:
        async with self.ward.db.write() as session:
            await session.execute(sa.text(statement))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened_ward(tmp_path) as ward:
        ward.clock.moment = BASE
        await ward.user("admin", Role.ADMIN)
        await ward.patients.create("P1", None)
        yield Desk(ward, await ward.principal("admin"))


def spans(strip: Strip) -> list[tuple[str | None, list[tuple[float, int]]]]:
    """Of each trace the place of the first sample of each segment, and how many there are."""
    return [
        (trace.lead, [((s.started_at - BASE).total_seconds() * RATE, s.length) for s in trace.segments])
        for trace in strip.traces
    ]


async def test_a_strip_is_begun_at_once_and_completed_when_the_seconds_after_it_have_come(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    alert_id = await desk.raise_alert()
    assert await desk.here.store_due()
    begun = await desk.strip(alert_id)
    assert (begun.is_complete, begun.end, spans(begun)) == (False, at(ALERT), [("II", [(2500, 2500)])])
    desk.bench.stream(ALERT, ALERT + 1000)
    assert await desk.here.store_due()
    assert await desk.strip(alert_id) == begun
    desk.bench.stream(ALERT + 1000, ALERT + 2000)
    assert await desk.here.store_due()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, strip.end, spans(strip)) == (True, at(ALERT + 1250), [("II", [(2500, 3750)])])
    assert tuple(strip.traces[0].segments[0].integers()) == counts(2500, 3750)
    assert (desk.counted("begun"), desk.counted("completed")) == (1, 1)
    assert len(desk.here) == 0


async def test_a_strip_that_is_stored_late_waits_for_the_frames_under_way_all_the_same(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    alert_id = await desk.raise_alert()
    desk.bench.stream(ALERT, ALERT + 1200)
    desk.ward.clock.moment = at(ALERT + 1300)
    assert await desk.here.store_due()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, strip.end) == (False, at(ALERT + 1200))


async def test_a_strip_is_of_the_moment_at_which_the_alert_began_if_that_is_near(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    near = await desk.raise_alert("near", timestamp=at(ALERT - 2500).isoformat())
    long_ago = await desk.raise_alert("long-ago", timestamp=at(ALERT - 25_000).isoformat())
    ahead = await desk.raise_alert("ahead", timestamp=at(ALERT + 2500).isoformat())
    assert await desk.here.store_due()
    assert [(await desk.strip(it)).alert_at for it in (near, long_ago, ahead)] == [
        at(ALERT - 2500), at(ALERT), at(ALERT),
    ]  # fmt: skip
    assert spans(await desk.strip(near)) == [("II", [(0, 3750)])]
    assert (await desk.strip(near)).is_complete


async def test_waveforms_that_begin_after_the_alert_are_its_strip(desk: Desk) -> None:
    desk.ward.clock.moment = at(ALERT)
    alert_id = await desk.raise_alert()
    assert await desk.here.store_due()
    with pytest.raises(NoStrip):
        await desk.strip(alert_id)
    desk.bench.stream(ALERT + 500, ALERT + 2000)
    assert await desk.here.store_due()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, spans(strip)) == (True, [("II", [(ALERT + 500, 750)])])


async def test_what_two_nodes_have_recorded_is_one_strip(desk: Desk) -> None:
    """The ECG changed from one node to the other three seconds before the alert."""
    desk.bench.stream(0, ALERT - 750)
    desk.elsewhere.stream(ALERT - 750, ALERT)
    alert_id = await desk.raise_alert()
    assert await desk.here.store_due()
    assert await desk.there.store_due()
    desk.elsewhere.stream(ALERT, ALERT + 2000)
    assert await desk.there.store_due()
    assert not (await desk.strip(alert_id)).is_complete
    assert await desk.here.store_due()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, spans(strip)) == (True, [("II", [(2500, 3750)])])


async def test_the_sheet_is_headed_by_priority_and_kind(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    ids = [
        await desk.raise_alert("a", tier="critical", reasons=["HR 190 > 180", "twice"]),
        await desk.raise_alert("b", tier="moderate"),
        await desk.raise_alert("c", tier="slight"),
        await desk.raise_alert("d", tier="critical", kind="technical"),
    ]
    assert await desk.here.store_due()
    headings = [await desk.heading(alert_id) for alert_id in ids]
    assert [heading.symbol for heading in headings] == ["***", "**", "*", "!!!"]
    assert (headings[0].condition, headings[0].reasons) == ("a", ("HR 190 > 180", "twice"))


async def test_a_database_that_is_away_for_a_while_costs_no_strip(desk: Desk) -> None:
    """Fails when a batch that could not be written is dropped (checked so)."""
    desk.bench.stream(0, ALERT)
    await desk.sql("ALTER TABLE alert_strips RENAME TO elsewhere")
    alert_id = await desk.raise_alert()
    with capture_logs() as logged:
        assert not await desk.here.store_due()
        assert desk.counted("failed") == 1
        desk.bench.stream(ALERT, ALERT + 2500)
        assert not await desk.here.store_due()
    assert [line["event"] for line in logged] == ["strips.write_failed"] * 2
    await desk.sql("ALTER TABLE elsewhere RENAME TO alert_strips")
    assert await desk.here.store_due()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, spans(strip)) == (True, [("II", [(2500, 3750)])])


async def test_a_strip_that_cannot_be_written_is_given_up_before_it_would_be_of_another_time(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    await desk.sql("ALTER TABLE alert_strips RENAME TO elsewhere")
    await desk.raise_alert()
    desk.ward.clock.advance(LONGEST_RETRY)
    with capture_logs() as logged:
        assert not await desk.here.store_due()
        assert (desk.counted("lost"), len(desk.here)) == (0, 1)
        desk.ward.clock.advance(timedelta(seconds=1))
        assert not await desk.here.store_due()
    assert logged[-1]["event"] == "strips.lost"
    assert (desk.counted("lost"), len(desk.here)) == (1, 0)


async def test_one_strip_that_can_never_be_written_holds_up_no_other(desk: Desk) -> None:
    """Its alert is gone. Fails when a batch is tried again as it was (checked so)."""
    desk.bench.stream(0, ALERT)
    ids = [await desk.raise_alert(f"c{number}") for number in range(5)]
    await desk.sql(f"DELETE FROM alert_events WHERE alert_id = '{ids[2]}'")
    await desk.sql(f"DELETE FROM alerts WHERE id = '{ids[2]}'")
    with capture_logs():
        for _ in range(6):
            await desk.here.store_due()
    for alert_id in (*ids[:2], *ids[3:]):
        assert spans(await desk.strip(alert_id)) == [("II", [(2500, 2500)])]


async def test_many_alerts_at_once_are_stored_in_few_transactions(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    ids = [await desk.raise_alert(f"c{number}") for number in range(BATCH + 1)]
    begun = 0

    def count(*_: object) -> None:
        nonlocal begun
        begun += 1

    sa.event.listen(sa.Engine, "commit", count)
    try:
        assert await desk.here.store_due()
    finally:
        sa.event.remove(sa.Engine, "commit", count)
    assert begun == 2
    assert [(await desk.strip(alert_id)).alert_id for alert_id in ids] == ids


async def test_the_worker_stores_what_is_due_as_soon_as_it_is_told(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.here.run)
        await anyio.lowlevel.checkpoint()
        await desk.raise_alert("one")
        await until(lambda: desk.counted("begun") == 1)
        await desk.raise_alert("two")
        await until(lambda: desk.counted("begun") == 2)
        desk.ward.clock.advance(AFTER + SETTLING)
        await desk.raise_alert("three")
        await until(lambda: (desk.counted("begun"), desk.counted("completed")) == (3, 2))
        tasks.cancel_scope.cancel()


async def test_a_server_that_stops_stores_what_has_come_of_the_seconds_after_an_alert(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.here.run)
        await anyio.lowlevel.checkpoint()
        alert_id = await desk.raise_alert()
        await until(lambda: desk.counted("begun") == 1)
        desk.bench.stream(ALERT, ALERT + 750)
        tasks.cancel_scope.cancel()
    strip = await desk.strip(alert_id)
    assert (strip.is_complete, strip.end, spans(strip)) == (False, at(ALERT + 750), [("II", [(2500, 3250)])])


async def test_a_strip_that_was_being_stored_when_the_server_stops_is_stored(desk: Desk) -> None:
    """Fails when what is under way is forgotten (checked so)."""
    desk.bench.stream(0, ALERT)
    alert_id = await desk.raise_alert()
    async with anyio.create_task_group() as tasks, desk.ward.db.write():
        tasks.start_soon(desk.here.run)
        await until(lambda: desk.here._under_way)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert spans(await desk.strip(alert_id)) == [("II", [(2500, 2500)])]


async def test_a_strip_goes_with_its_alert(desk: Desk) -> None:
    desk.bench.stream(0, ALERT)
    alert_id = await desk.raise_alert()
    assert await desk.here.store_due()
    await desk.sql("DELETE FROM alert_events")
    await desk.sql("DELETE FROM alerts")
    assert await desk.ward.db.run_read(lambda it: repository.parts_of(it, alert_id)) == []


async def test_what_is_read_back_is_what_was_written(desk: Desk) -> None:
    desk.bench.stream(0, ALERT, leads=("I", "II"), ahead_seconds=-3.000001)
    alert_id = await desk.raise_alert()
    traces = desk.bench.cut(2500, ALERT)
    part = Part(alert_id, "node", at(ALERT), at(ALERT) + timedelta(microseconds=1), traces)
    await desk.ward.db.run_write(lambda it: repository.put(it, [part]))
    assert await desk.ward.db.run_read(lambda it: repository.parts_of(it, alert_id)) == [part]
