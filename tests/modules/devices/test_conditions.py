"""Conditions become alerts in the order in which they were told, whatever the database does meanwhile."""

from __future__ import annotations

from collections import deque

import anyio
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.tasks import keep_running
from app.modules.alerts.service import Finding, Kind, Tier
from app.modules.devices.conditions import MOST_CHANGES, Change, Conditions, Gone, Present, _add
from tests.databases import statements
from tests.modules.devices.conftest import OpenDesk
from tests.modules.devices.desk import Desk, working
from tests.servers import until

pytestmark = pytest.mark.anyio


def present(name: str = "lead_off:ecg:II", tier: Tier = Tier.SLIGHT, reason: str = "why", **fields: object) -> Present:
    return Present(name, "ecg", Finding(tier, (reason,)), **fields)  # type: ignore[arg-type]


async def test_a_condition_is_raised_and_ended_in_order(desk: Desk) -> None:
    async with working(desk.conditions):
        for change in (present(), Gone("lead_off:ecg:II"), present(), present("other"), Gone("lead_off:ecg:II")):
            desk.conditions.tell("P1", change)
        await desk.settled()
    assert desk.log.told() == [
        ("alert", "lead_off"), ("alert_resolved", "lead_off"), ("alert", "lead_off"), ("alert", "other"),
        ("alert_resolved", "lead_off"),
    ]  # fmt: skip
    assert {(event["kind"], event["source"]) for event in desk.log.events} == {("technical", "devices")}


async def test_what_is_known_costs_nothing(desk: Desk) -> None:
    async with working(desk.conditions):
        desk.conditions.tell("P1", present())
        await desk.settled()
        with statements() as asked:
            for _ in range(20):
                desk.conditions.tell("P1", present())
                desk.conditions.tell("P1", Gone("other"))
                await desk.settled()
        assert asked == []
    assert desk.log.told() == [("alert", "lead_off")]


async def test_what_was_open_before_a_restart_is_ended_after_it(desk: Desk, open_desk: OpenDesk) -> None:
    async with working(desk.conditions):
        desk.conditions.tell("P1", present())
        desk.conditions.tell("P2", present())
        await desk.settled()
    restarted = open_desk()
    async with working(restarted.conditions):
        restarted.conditions.tell("P1", present())
        restarted.conditions.tell("P1", Gone("lead_off:ecg:II"))
        await restarted.settled()
    assert desk.log.told() == [("alert", "lead_off")] * 2 + [("alert_resolved", "lead_off")]


async def test_a_condition_that_another_node_has_ended_or_raised_is_known(desk: Desk, open_desk: OpenDesk) -> None:
    """Fails when a node knows of its own alerts alone (checked so)."""
    other = open_desk()
    async with working(desk.conditions), working(other.conditions):
        for node, change in (
            (desk, present()),
            (other, Gone("lead_off:ecg:II")),
            (desk, present()),
            (other, present("asystole", Tier.CRITICAL, kind=Kind.PHYSIOLOGICAL, source="ecg")),
            (desk, Gone("asystole", Kind.PHYSIOLOGICAL)),
            (other, present("asystole", Tier.CRITICAL, kind=Kind.PHYSIOLOGICAL, source="ecg")),
        ):
            node.conditions.tell("P1", change)
            await node.settled()
    assert desk.log.told() == [
        ("alert", "lead_off"), ("alert_resolved", "lead_off"), ("alert", "lead_off"),
        ("alert", "asystole"), ("alert_updated", "asystole"), ("alert_updated", "asystole"),
    ]  # fmt: skip
    assert [event["signal"] for event in desk.log.events[3:]] == ["on", "latched", "on"]


async def test_what_a_person_has_resolved_is_raised_again_when_it_is_told_again(desk: Desk) -> None:
    await desk.ward.user("admin", Role.ADMIN)
    async with working(desk.conditions):
        desk.conditions.tell("P1", present())
        await desk.settled()
        alert_id = desk.log.events[0]["alertId"]
        await desk.alerts.resolve(await desk.ward.principal("admin"), alert_id, None, note=None)
        desk.conditions.tell("P1", present())
        await desk.settled()
    assert desk.log.told() == [("alert", "lead_off"), ("alert_resolved", "lead_off"), ("alert", "lead_off")]


async def test_an_alert_of_another_system_that_a_person_has_resolved_is_raised_when_it_is_told(desk: Desk) -> None:
    """It had been told here while it was open. Fails when only our own alerts are followed (checked so)."""
    await desk.ward.user("admin", Role.ADMIN)
    await desk.alerts.report("P1", "asystole", "ecg", Finding(Tier.CRITICAL, ("seen on the monitor",)), source="device")
    asystole = present("asystole", Tier.CRITICAL, kind=Kind.PHYSIOLOGICAL, source="ecg")
    async with working(desk.conditions):
        desk.conditions.tell("P1", asystole)
        await desk.settled()
        alert_id = desk.log.events[0]["alertId"]
        await desk.alerts.resolve(await desk.ward.principal("admin"), alert_id, None, note=None)
        desk.conditions.tell("P1", asystole)
        await desk.settled()
    assert [event["event"] for event in desk.log.events] == ["alert", "alert_updated", "alert_resolved", "alert"]


async def test_everything_about_sensors_ends_and_nothing_else(desk: Desk) -> None:
    async with working(desk.conditions):
        for change in (
            present("one"),
            present("two"),
            present("device_clock_off:another"),
            present("asystole", Tier.CRITICAL, kind=Kind.PHYSIOLOGICAL, source="ecg"),
            Gone(None),
            present("two", reason="another"),
        ):
            desk.conditions.tell("P1", change)
            await desk.settled()
    assert [event["condition"] for event in desk.log.events if event["event"] == "alert_resolved"] == ["one", "two"]
    assert desk.log.told()[-1] == ("alert", "two")


async def test_a_condition_that_another_one_explains_is_not_raised(desk: Desk, open_desk: OpenDesk) -> None:
    explained = present("ecg_signal_bad", unless=frozenset({"lead_off:ecg:II"}))
    async with working(desk.conditions):
        desk.conditions.tell("P1", present())
        await desk.settled()
    restarted = open_desk()
    async with working(restarted.conditions):
        restarted.conditions.tell("P1", explained)
        restarted.conditions.tell("P2", explained)
        await restarted.settled()
    assert [(event["patientId"], event["condition"]) for event in desk.log.events] == [
        ("P1", "lead_off:ecg:II"),
        ("P2", "ecg_signal_bad"),
    ]


async def test_conditions_outlast_a_database_that_is_away(desk: Desk) -> None:
    """What was told meanwhile is done afterwards, in order; the worker is started again as in the server."""
    away, back = "ALTER TABLE alerts RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO alerts"
    metrics = Metrics()
    await desk.ward.db.run_write(lambda it: it.execute(sa.text(away)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_running, "conditions", desk.conditions.run, metrics)
        desk.conditions.tell("P1", present("asystole", Tier.CRITICAL, kind=Kind.PHYSIOLOGICAL, source="ecg"))
        desk.conditions.tell("P1", Gone("asystole", Kind.PHYSIOLOGICAL))
        desk.conditions.tell("P2", present())
        await until(lambda: metrics.registry.get_sample_value(
            "tocsin_worker_failures_total", {"worker": "conditions"}
        ))  # fmt: skip
        await desk.ward.db.run_write(lambda it: it.execute(sa.text(back)))
        await desk.settled()
        tasks.cancel_scope.cancel()
    by_patient = [[e["signal"] for e in desk.log.events if e["patientId"] == patient] for patient in ("P1", "P2")]
    assert by_patient == [["on", "latched"], ["on"]]


async def test_a_change_that_the_database_refuses_holds_up_no_other(desk: Desk) -> None:
    async with working(desk.conditions):
        desk.conditions.tell("nobody", present())
        desk.conditions.tell("nobody", present("other"))
        desk.conditions.tell("P1", present())
        await desk.settled()
    assert desk.log.told() == [("alert", "lead_off")]


async def test_only_so_many_patients_are_remembered(desk: Desk) -> None:
    conditions = Conditions(desk.alerts, Metrics(), most_patients=1)
    async with working(conditions):
        for _ in range(2):
            for patient_id in ("P1", "P2"):
                conditions.tell(patient_id, present())
                await until(lambda: not any(patient.waiting for patient in conditions._patients.values()))
    assert len(conditions._patients) == 1
    assert len(desk.log.events) == 2


changes = st.lists(
    st.one_of(
        st.builds(present, st.sampled_from("ab"), reason=st.sampled_from(["x", "y"])),
        st.builds(lambda name: present(name, kind=Kind.PHYSIOLOGICAL), st.just("heart")),
        st.builds(Gone, st.sampled_from("ab")),
        st.builds(Gone, st.just("heart"), st.just(Kind.PHYSIOLOGICAL)),
        st.sampled_from([present("device_clock_off:x"), Gone("device_clock_off:x")]),
        st.just(Gone(None)),
    ),
    max_size=60,
)


def outcome(done: list[Change], *, of: str) -> tuple[list[type], object]:
    """How a condition went, step by step, and how it is at the end, when these are done in order."""
    steps: list[type] = []
    reason: object = None
    for change in done:
        if change.condition not in (of, None) or (change.condition is None and of not in ("a", "b")):
            continue
        if not steps or steps[-1] is not type(change):
            steps.append(type(change))
        reason = change.finding.reasons if isinstance(change, Present) else None
    return steps, reason


@settings(max_examples=1000)
@given(changes)
def test_what_waits_is_bounded_and_ends_as_all_of_it_would(told: list[Change]) -> None:
    waiting: deque[Change] = deque()
    for change in told:
        _add(waiting, change)
        assert len(waiting) <= 4 * MOST_CHANGES + 2
    for condition in ("a", "b", "heart", "device_clock_off:x"):
        full, short = outcome(told, of=condition), outcome(list(waiting), of=condition)
        assert full[1] == short[1]
    # A heart that stood still has stood still, also when it beats again before anybody could be told.
    full_steps, short_steps = outcome(told, of="heart")[0], outcome(list(waiting), of="heart")[0]
    assert short_steps[:1] == full_steps[:1]
    assert (Present in full_steps) is (Present in short_steps)
