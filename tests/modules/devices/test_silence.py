"""A device that should be sending and is not: noticed by any node, once, and not before its time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.roles import Role
from app.modules.devices import repository
from app.modules.devices.repository import Device, Suspect
from app.modules.users.schemas import UserChanges
from tests.databases import statements
from tests.modules.devices.conftest import OpenDesk
from tests.modules.devices.desk import LIMIT_SECONDS, Desk, working
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio

RAISED, ENDED = ("alert", "device_silent"), ("alert_resolved", "device_silent")


async def test_a_silent_device_is_alarmed_when_the_limit_is_over_and_not_before(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS)
    assert desk.log.told() == []
    await desk.look_for(1)
    (alert,) = desk.log.events
    assert alert | {
        "patientId": "P1", "condition": f"device_silent:{monitor}", "vitalType": "device", "kind": "technical",
        "tier": "moderate", "source": "devices", "reasons": ["device silent since 2026-01-02T03:04:35Z"],
        "context": {"deviceId": monitor, "lastSeenAt": "2026-01-02T03:04:35Z"},
    } == alert  # fmt: skip
    assert alert["nextEscalationAt"] is not None
    await desk.look_for(100)
    assert desk.log.told() == [RAISED]


async def test_a_device_that_sends_now_and_then_is_not_silent(desk: Desk, monitor: str) -> None:
    for _ in range(10):
        await desk.hear(monitor)
        await desk.look_for(LIMIT_SECONDS - 1)
    assert desk.log.told() == []


async def test_two_nodes_that_notice_at_once_raise_one_alert(desk: Desk, open_desk: OpenDesk, monitor: str) -> None:
    other = open_desk()
    await desk.hear(monitor)
    await other.silence.look()
    for _ in range(35):
        await asyncio.gather(desk.look_for(1), other.silence.look())
    assert desk.log.told() == [RAISED]


async def test_a_node_that_comes_second_does_not_raise_again_what_a_person_has_ended_meanwhile(
    desk: Desk, open_desk: OpenDesk, monitor: str
) -> None:
    """Fails when the row is marked in another transaction, after the alert (checked so)."""
    await desk.ward.user("admin", Role.ADMIN)
    await desk.hear(monitor)
    noticed_by_both = Suspect(Device("P1", monitor), desk.ward.clock.now(), is_silent=True)
    await desk.silence._raise(noticed_by_both)
    alert_id = desk.log.events[0]["alertId"]
    await desk.alerts.resolve(await desk.ward.principal("admin"), alert_id, None, note=None)
    await open_desk().silence._raise(noticed_by_both)
    assert desk.log.told() == [RAISED, ENDED]


async def test_a_device_that_comes_back_ends_its_alert(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 1)
    await desk.hear(monitor)
    await desk.look_for(1)
    assert desk.log.told() == [RAISED, ENDED]
    assert desk.log.events[-1]["conditionPresent"] is False
    await desk.look_for(LIMIT_SECONDS)
    assert desk.log.told() == [RAISED, ENDED, RAISED]


async def test_a_device_that_has_signed_off_may_be_silent(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    await desk.leave(monitor, signed_off=True)
    await desk.look_for(100)
    assert desk.log.told() == []
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 1)
    assert desk.log.told() == [RAISED]


async def test_signing_off_ends_the_alert_of_one_that_had_come_back_to_do_so(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    await desk.leave(monitor, signed_off=False)
    await desk.look_for(LIMIT_SECONDS + 1)
    await desk.leave(monitor, signed_off=True)
    await desk.look_for(100)
    assert desk.log.told() == [RAISED, ENDED]


async def test_what_a_person_has_resolved_is_raised_again_when_it_was_heard_and_fell_silent_anew(
    desk: Desk, open_desk: OpenDesk, monitor: str
) -> None:
    await desk.ward.user("admin", Role.ADMIN)
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 1)
    alert_id = desk.log.events[-1]["alertId"]
    await desk.alerts.resolve(await desk.ward.principal("admin"), alert_id, None, note="taken away")
    await desk.look_for(100)
    restarted = open_desk()
    await restarted.silence.look()
    await restarted.look_for(100)
    assert desk.log.told() == [RAISED, ENDED]
    await restarted.hear(monitor)
    await restarted.look_for(LIMIT_SECONDS + 1)
    assert desk.log.told() == [RAISED, ENDED, RAISED]


async def test_two_devices_of_a_patient_have_an_alert_each_so_that_none_hides_the_other(
    desk: Desk, monitor: str
) -> None:
    phone = (await desk.ward.user("phone", Role.DEVICE)).id
    await desk.ward.care_team.add("P1", phone)
    await desk.hear(phone)
    await desk.look_for(10)
    await desk.hear(monitor)
    await desk.look_for(21)
    assert [event["context"]["deviceId"] for event in desk.log.events] == [phone]
    await desk.look_for(10)
    assert [event["context"]["deviceId"] for event in desk.log.events] == [phone, monitor]
    await desk.hear(monitor)
    await desk.look_for(1)
    assert desk.log.events[-1]["event"] == "alert_resolved"
    assert desk.log.events[-1]["context"]["deviceId"] == monitor


async def test_a_device_that_signs_off_does_not_end_the_alert_of_another_that_is_silent(
    desk: Desk, monitor: str
) -> None:
    """Fails when signing off ends all that is technical (checked so)."""
    phone = (await desk.ward.user("phone", Role.DEVICE)).id
    await desk.ward.care_team.add("P1", phone)
    await desk.hear(monitor)
    await desk.leave(monitor, signed_off=False)
    await desk.look_for(LIMIT_SECONDS + 1)
    async with working(desk.conditions):
        await desk.hear(phone)
        await desk.leave(phone, signed_off=True)
        await desk.settled()
    await desk.look_for(2)
    assert desk.log.told() == [RAISED]


async def test_a_server_that_was_away_gives_its_devices_the_limit_to_come_back(
    desk: Desk, open_desk: OpenDesk, monitor: str
) -> None:
    """Fails when silence counts from the last frame whoever was there to hear (checked so)."""
    await desk.hear(monitor)
    desk.ward.clock.advance(timedelta(minutes=10))
    restarted = open_desk()
    await restarted.silence.look()
    await restarted.look_for(LIMIT_SECONDS - 1)
    assert desk.log.told() == []
    await restarted.look_for(2)
    assert desk.log.told() == [RAISED]


async def test_a_node_that_was_there_alarms_in_time_when_another_one_dies(
    desk: Desk, open_desk: OpenDesk, monitor: str
) -> None:
    dying = open_desk()
    for _ in range(10):
        await dying.hear(monitor)
        await desk.look_for(1)
    await desk.look_for(LIMIT_SECONDS)
    assert desk.log.told() == [RAISED]


async def test_a_node_that_was_held_up_begins_to_count_anew(desk: Desk, monitor: str) -> None:
    """It could not write what it would have heard. Checked by taking no notice of gaps: it alarms at once."""
    await desk.hear(monitor)
    desk.ward.clock.advance(timedelta(minutes=5))
    await desk.silence.look()
    await desk.look_for(LIMIT_SECONDS - 1)
    assert desk.log.told() == []
    await desk.look_for(1)
    assert desk.log.told() == [RAISED]


async def test_a_clock_that_is_set_back_alarms_nobody_and_hides_nobody(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    desk.ward.clock.advance(timedelta(hours=-1))
    await desk.look_for(5)
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS - 1)
    assert desk.log.told() == []
    await desk.look_for(2)
    assert desk.log.told() == [RAISED]
    desk.ward.clock.advance(timedelta(hours=-1))
    await desk.hear(monitor)
    await desk.look_for(1)
    assert desk.log.told() == [RAISED, ENDED]


async def test_what_this_node_has_heard_and_could_not_write_yet_is_no_silence(desk: Desk, monitor: str) -> None:
    """Fails when the row alone is asked (checked so)."""
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS - 1)
    desk.devices.seen(monitor, "P1", now=desk.ward.clock.now(), measured_at=desk.ward.clock.now())
    await desk.look_for(LIMIT_SECONDS)
    assert desk.log.told() == []
    await desk.look_for(1)
    assert desk.log.told() == [RAISED]


async def test_nobody_is_alarmed_when_the_limit_is_nothing(open_desk: OpenDesk, monitor: str) -> None:
    desk = open_desk(0)
    await desk.hear(monitor)
    await desk.look_for(1000)
    assert desk.log.told() == []


@pytest.mark.parametrize("is_silent", [False, True])
@pytest.mark.parametrize("how", ["off the team", "disabled"])
async def test_a_device_that_may_no_longer_send_is_not_expected_to(
    desk: Desk, monitor: str, *, how: str, is_silent: bool
) -> None:
    """Nor is its alert kept, where it has one already; other devices stay expected."""
    other = (await desk.ward.user("other", Role.DEVICE)).id
    await desk.ward.care_team.add("P2", other)
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 1 if is_silent else 5)
    await desk.hear(other, "P2")
    if how == "disabled":
        await desk.ward.users.update(monitor, UserChanges(disabled=True))
    else:
        await desk.ward.care_team.remove("P1", monitor)
    await desk.ward.access.catch_up()
    await desk.look_for(3)
    assert desk.log.told() == ([RAISED, ENDED] if is_silent else [])
    rows = await desk.rows()
    assert (rows[monitor].is_expected, rows[other].is_expected) == (False, True)


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_right_that_was_taken_away_while_no_server_was_there_is_noticed(
    desk: Desk, open_desk: OpenDesk, monitor: str, *, is_silent: bool
) -> None:
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 1 if is_silent else 5)
    await desk.ward.care_team.remove("P1", monitor)
    await desk.ward.access.catch_up()
    restarted = open_desk()
    await restarted.silence.begin()
    await restarted.look_for(100)
    assert desk.log.told() == ([RAISED, ENDED] if is_silent else [])


async def test_a_patients_own_phone_is_a_device_too(desk: Desk) -> None:
    rosa = (await desk.ward.user("rosa")).id
    await desk.ward.patients.create("own", None, rosa)
    await desk.hear(rosa, "own")
    await desk.look_for(LIMIT_SECONDS + 1)
    assert desk.log.told() == [RAISED]


async def test_an_alert_that_cannot_be_raised_leaves_its_device_unmarked(desk: Desk, monitor: str) -> None:
    """Both or neither: otherwise the silence would count as told. Fails with two transactions (checked so)."""
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS)
    drop = "ALTER TABLE alert_events RENAME TO elsewhere"
    back = "ALTER TABLE elsewhere RENAME TO alert_events"
    await desk.ward.db.run_write(lambda it: it.execute(sa.text(drop)))
    with pytest.raises(sa.exc.OperationalError):
        await desk.look_for(1)
    assert (await desk.rows())[monitor].silent_since is None
    await desk.ward.db.run_write(lambda it: it.execute(sa.text(back)))
    await desk.look_for(1)
    assert desk.log.told() == [RAISED]


async def test_a_row_that_cannot_be_acted_on_leaves_no_other_device_unwatched(desk: Desk, monitor: str) -> None:
    """Nothing of ours writes one of an account that there is not. Fails when its error ends the look (checked so)."""
    await desk.hear("nobody")
    await desk.look_for(1)
    await desk.hear(monitor)
    await desk.look_for(LIMIT_SECONDS + 5)
    assert desk.log.told() == [RAISED]


async def test_the_ward_is_counted_for_the_metrics(desk: Desk, monitor: str) -> None:
    await desk.hear(monitor)
    await desk.hear(monitor, "P2")
    await desk.look_for(LIMIT_SECONDS - 1)
    await desk.hear(monitor, "P2")
    await desk.look_for(2)
    await desk.silence._count()
    values = [desk.metrics.registry.get_sample_value(f"tocsin_devices_{what}") for what in ("expected", "silent")]
    assert values == [2, 1]


async def test_looking_asks_two_indexes_that_hold_little(ward: Ward) -> None:
    """Checked by leaving either condition of an index out of its query: the table is read."""

    def plan(connection: sa.Connection) -> list[str]:
        with statements() as sent:
            repository.suspects(connection, ward.clock.now())
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sent[0]}", ("2026-01-02 03:04:05.000000",))
        return [row.detail for row in rows if "device_presence" in row.detail]

    awaited, silent = await ward.db.run_read(plan)
    assert "ix_device_presence_awaited (last_seen_at<?)" in awaited
    assert "ix_device_presence_silent" in silent
