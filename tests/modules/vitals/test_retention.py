from __future__ import annotations

from datetime import timedelta
from functools import partial

import anyio
import pytest
import sqlalchemy as sa
import structlog.testing

from app.modules.vitals.frames import Reading
from app.modules.vitals.retention import BATCH_READINGS, Retention
from app.modules.vitals.signs import NUMERICS
from tests.databases import statements
from tests.modules.vitals.stretches import store, stored
from tests.modules.ward import Ward
from tests.servers import serving, until

pytestmark = pytest.mark.anyio

DAYS = 30


def retention(ward: Ward, days: int = DAYS) -> Retention:
    return Retention(ward.db, ward.clock, ward.metrics, days=days)


def readings(ward: Ward, count: int, *, age: timedelta) -> list[Reading]:
    """Readings a second apart, of which the last was measured so long ago."""
    end = ward.clock.now() - age
    return [Reading("heart_rate", 70, "/min", end - timedelta(seconds=number)) for number in range(count)]


async def test_what_is_older_goes_and_what_is_newer_stays(ward: Ward) -> None:
    limit = timedelta(days=DAYS)
    young = readings(ward, 1, age=limit)
    old = readings(ward, 5, age=limit + timedelta(microseconds=1))
    await store(ward.db, [*young, *old], patient_id="P1")
    await store(ward.db, readings(ward, 3, age=timedelta()), patient_id="P2")
    await store(ward.db, old, patient_id="P3")
    assert await retention(ward).prune() == 10
    assert [patient_id for patient_id, _ in await stored(ward.db)] == ["P1", "P2", "P2", "P2"]
    assert ward.metrics.registry.get_sample_value("tocsin_readings_pruned_total") == 10
    assert await retention(ward).prune() == 0


async def test_a_transaction_deletes_a_bounded_number(ward: Ward) -> None:
    await store(ward.db, readings(ward, 2 * BATCH_READINGS + 5, age=timedelta(days=DAYS, seconds=1)))
    before = len(await stored(ward.db))
    deleted = []
    with statements() as sent:
        await retention(ward).prune()
        deleted = [statement for statement in sent if statement.startswith("DELETE")]
    # The fourth finds nothing, and says so that it was the last.
    assert (before, len(deleted)) == (2 * BATCH_READINGS + 5, 4)
    assert await stored(ward.db) == []


async def test_readings_of_one_moment_never_stop_the_pruning(ward: Ward) -> None:
    moment = ward.clock.now() - timedelta(days=DAYS + 1)
    at_once = [
        Reading(vital_type, 20, "", moment + timedelta(seconds=n)) for n in range(150) for vital_type in NUMERICS
    ]
    await store(ward.db, at_once)
    assert await retention(ward).prune() == len(at_once)


async def test_whoever_writes_has_a_turn_between_two_batches(ward: Ward) -> None:
    await store(ward.db, readings(ward, 10 * BATCH_READINGS, age=timedelta(days=DAYS, seconds=1)))
    left_when_written = -1

    async def write() -> None:
        nonlocal left_when_written
        await store(ward.db, readings(ward, 1, age=timedelta()), patient_id="P2")
        left_when_written = len(await stored(ward.db))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(retention(ward).prune)
        tasks.start_soon(write)
    assert left_when_written > 5 * BATCH_READINGS
    assert [patient_id for patient_id, _ in await stored(ward.db)] == ["P2"]


async def test_a_run_that_deleted_something_is_logged_in_one_line_without_patients(ward: Ward) -> None:
    await store(ward.db, readings(ward, 3, age=timedelta(days=DAYS, seconds=1)), patient_id="P1")
    await store(ward.db, readings(ward, 3, age=timedelta(days=DAYS, seconds=1)), patient_id="P2")
    with structlog.testing.capture_logs() as logs:
        await retention(ward).prune()
        await retention(ward).prune()
    assert [(entry["event"], entry["count"]) for entry in logs] == [("vitals.readings_pruned", 6)]
    assert "P1" not in str(logs)


async def test_alerts_and_their_log_stay_when_the_readings_that_raised_them_go(ward: Ward) -> None:
    async with serving(ward.settings.data_dir, retention_days=DAYS) as server:
        await server.user("admin", "admin")
        await server.patient("P1")
        await server.raise_alert("old")
        tables = ("alert_events", "alerts", "alert_log")
        before = [await rows(ward, table) for table in tables]
        ward.clock.moment += timedelta(days=10_000)
        await store(ward.db, readings(ward, 3, age=timedelta(days=DAYS + 1)))
        with statements() as sent:
            assert await retention(ward).prune() == 3
        assert [await rows(ward, table) for table in tables] == before
    assert len(before[0]) == 1
    assert {statement.split()[2] for statement in sent if statement.startswith("DELETE")} == {"vital_readings"}


async def rows(ward: Ward, table: str) -> list[tuple[object, ...]]:
    async with ward.db.read() as session:
        return [tuple(row) for row in await session.execute(sa.text(f"SELECT * FROM {table}"))]


async def test_with_no_days_readings_are_kept_for_ever(ward: Ward) -> None:
    await store(ward.db, readings(ward, 1, age=timedelta(days=100_000)))
    assert await retention(ward, days=0).prune() == 0
    assert len(await stored(ward.db)) == 1


async def test_the_worker_prunes_again_and_again(ward: Ward) -> None:
    worker = Retention(ward.db, ward.clock, ward.metrics, days=DAYS, period_seconds=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        for number in (1, 2):
            await store(ward.db, readings(ward, 1, age=timedelta(days=DAYS + number)))
            await until(partial(has_pruned, ward, number))
        tasks.cancel_scope.cancel()


def has_pruned(ward: Ward, count: int) -> bool:
    return ward.metrics.registry.get_sample_value("tocsin_readings_pruned_total") == count
