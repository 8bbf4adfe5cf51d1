"""When devices were heard last is written for all of them at once, and soon where it matters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
import sqlalchemy as sa

from app.modules.devices.register import PresenceRegister
from app.modules.devices.repository import Device
from tests.databases import statements
from tests.modules.devices.desk import Desk
from tests.modules.ward import Ward
from tests.servers import until

pytestmark = pytest.mark.anyio

MONITOR = Device("P1", "monitor")

#: A period that no test lives to see: what is written sooner was in a hurry.
FOR_EVER = 3600.0


@asynccontextmanager
async def running(ward: Ward, *, limit_seconds: float = FOR_EVER) -> AsyncIterator[PresenceRegister]:
    register = PresenceRegister(ward.db, limit_seconds=limit_seconds)
    register._period_seconds = min(register._period_seconds, limit_seconds)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(register.run)
        yield register
        tasks.cancel_scope.cancel()


async def table(ward: Ward) -> dict[tuple[str, str], tuple[str, bool]]:
    query = "SELECT patient_id, user_id, last_seen_at, is_expected FROM device_presence"
    rows = await ward.db.run_read(lambda it: it.execute(sa.text(query)).all())
    return {(row[0], row[1]): (str(row[2])[11:19], bool(row[3])) for row in rows}


async def test_many_devices_cost_one_statement(ward: Ward) -> None:
    register = PresenceRegister(ward.db, limit_seconds=30)
    for number in range(100):
        for _ in range(3):
            register.seen(Device(f"P{number}", "monitor"), ward.clock.now())
            ward.clock.advance(timedelta(seconds=1))
    with statements() as sent:
        await register.write()
        await register.write()
    assert len(sent) == 1
    assert len(await table(ward)) == len(register) == 100


async def test_what_is_heard_while_it_is_written_is_written_the_next_time(ward: Ward) -> None:
    register = PresenceRegister(ward.db, limit_seconds=30)
    register.seen(MONITOR, ward.clock.now())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(register.write)
        await anyio.wait_all_tasks_blocked()
        ward.clock.advance(timedelta(seconds=1))
        register.seen(MONITOR, ward.clock.now())
    await register.write()
    assert await table(ward) == {MONITOR: ("03:04:06", True)}


async def test_what_the_database_did_not_take_still_waits(ward: Ward) -> None:
    register = PresenceRegister(ward.db, limit_seconds=30)
    register.seen(MONITOR, ward.clock.now())
    await ward.db.run_write(lambda it: it.execute(sa.text("ALTER TABLE device_presence RENAME TO elsewhere")))
    with pytest.raises(sa.exc.OperationalError):
        await register.write()
    await ward.db.run_write(lambda it: it.execute(sa.text("ALTER TABLE elsewhere RENAME TO device_presence")))
    await register.write()
    assert await table(ward) == {MONITOR: ("03:04:05", True)}


async def test_a_device_is_in_the_table_soon_after_its_first_frame_and_after_it_signed_off(ward: Ward) -> None:
    async def is_expected(expected: bool) -> None:
        with anyio.fail_after(10):
            while (await table(ward)).get(MONITOR, (None, None))[1] is not expected:
                await anyio.sleep(0.01)

    async with running(ward) as register:
        register.seen(MONITOR, ward.clock.now())
        await is_expected(True)
        register.left(MONITOR, ward.clock.now(), signed_off=True)
        await is_expected(False)


async def test_a_device_that_is_known_waits_for_the_others(ward: Ward) -> None:
    async with running(ward) as register:
        register.seen(MONITOR, ward.clock.now())
        await until(lambda: not register._waiting)
        register.seen(MONITOR, ward.clock.now() + timedelta(seconds=1))
        assert not register._hurry.is_set()
        register.seen(MONITOR, ward.clock.now() + timedelta(seconds=20))
        assert register._hurry.is_set()


async def test_what_waits_is_written_when_the_server_stops(ward: Ward) -> None:
    """Fails when cancelling ends it at once (checked so)."""
    async with running(ward) as register:
        register.seen(MONITOR, ward.clock.now())
        await until(lambda: not register._waiting)
        register.seen(MONITOR, ward.clock.now() + timedelta(seconds=1))
    assert await table(ward) == {MONITOR: ("03:04:06", True)}


@pytest.mark.parametrize(("limit_seconds", "period_seconds"), [(30, 5), (6, 2), (0.3, 0.1), (0, 5)])
def test_times_are_written_at_the_latest_after_a_third_of_the_limit(
    limit_seconds: float, period_seconds: float
) -> None:
    register = PresenceRegister(None, limit_seconds=limit_seconds)  # type: ignore[arg-type]
    assert register._period_seconds == pytest.approx(period_seconds)


async def test_a_node_that_is_late_does_not_bring_back_a_device_that_has_signed_off_elsewhere(
    ward: Ward, desk: Desk, monitor: str
) -> None:
    """Fails when the row of one that has signed off is written in any case (checked so)."""
    late = PresenceRegister(ward.db, limit_seconds=30)
    late.seen(Device("P1", monitor), ward.clock.now())
    ward.clock.advance(timedelta(seconds=1))
    await desk.hear(monitor)
    await desk.leave(monitor, signed_off=True)
    await late.write()
    assert (await desk.rows())[monitor].is_expected is False


async def test_nothing_is_remembered_of_devices_that_have_left(ward: Ward) -> None:
    register = PresenceRegister(ward.db, limit_seconds=30)
    for _ in range(2):
        register.seen(MONITOR, ward.clock.now())
        register.seen(Device("P1", "phone"), ward.clock.now())
    register.left(MONITOR, ward.clock.now(), signed_off=False)
    assert register.has_device_of("P1")
    assert register.last_heard(MONITOR) is None
    register.left(Device("P1", "phone"), ward.clock.now(), signed_off=True)
    register.left(Device("P1", "phone"), ward.clock.now(), signed_off=True)
    assert not register.has_device_of("P1")
    assert (len(register), len(register._of_patient)) == (0, 0)
