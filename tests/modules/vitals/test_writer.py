from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import sqlalchemy as sa

from app.modules.vitals.repository import NewReading
from app.modules.vitals.writer import BATCH_READINGS, ReadingWriter
from tests.modules.vitals.station import PATIENT, Station
from tests.modules.ward import Ward
from tests.servers import until

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20


def new(station: Station, count: int, *, start: int = 0) -> list[NewReading]:
    now = station.ward.clock.now()
    return [
        NewReading(PATIENT, station.reading(number, seconds=-number), now) for number in range(start, start + count)
    ]


@asynccontextmanager
async def running(writer: ReadingWriter) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        yield
        tasks.cancel_scope.cancel()


async def rename(ward: Ward, before: str, after: str) -> None:
    async with ward.db.write() as session:
        await session.execute(sa.text(f"ALTER TABLE {before} RENAME TO {after}"))


async def test_what_is_flushed_is_in_the_table(station: Station) -> None:
    readings = new(station, 3)
    with anyio.fail_after(PATIENCE_SECONDS):
        await station.writer.put(readings)
        await station.writer.flush()
    assert await station.stored() == [it.reading for it in reversed(readings)]
    assert len(station.writer) == 0


async def test_readings_are_written_without_being_asked_for(station: Station) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        await station.writer.put(new(station, 1))
        await until(lambda: len(station.writer) == 0)
    assert len(await station.stored()) == 1


async def test_more_readings_than_one_batch_are_all_written(station: Station) -> None:
    count = BATCH_READINGS * 2 + 7
    with anyio.fail_after(PATIENCE_SECONDS):
        await station.writer.put(new(station, count))
        await station.writer.flush()
    assert len(await station.stored()) == count


async def test_a_reading_that_is_put_twice_is_written_once(station: Station) -> None:
    (reading,) = new(station, 1)
    with anyio.fail_after(PATIENCE_SECONDS):
        await station.writer.put([reading, reading])
        await station.writer.flush()
    assert await station.stored() == [reading.reading]


async def test_what_comes_during_a_commit_waits_for_company_again(ward: Ward) -> None:
    station = Station(ward)
    writer = ReadingWriter(ward.db, ward.metrics, batch_seconds=3600)
    async with running(writer), anyio.create_task_group() as tasks:
        with anyio.fail_after(PATIENCE_SECONDS):
            async with ward.db.write():
                await writer.put(new(station, 1))
                tasks.start_soon(writer.flush)
                await anyio.wait_all_tasks_blocked()
                await writer.put(new(station, 1, start=1))
            # Whoever writes has their turn in order: a second batch would come before this.
            await until(lambda: len(writer) == 1)
            async with ward.db.write():
                pass
            assert len(writer) == 1
            await writer.flush()
    assert len(await station.stored()) == 2


async def test_a_reading_that_is_in_the_table_stays_as_it_is(station: Station) -> None:
    first = station.reading(72)
    second = station.reading(99)
    with anyio.fail_after(PATIENCE_SECONDS):
        for reading in (first, second):
            await station.writer.put([NewReading(PATIENT, reading, station.ward.clock.now())])
            await station.writer.flush()
    assert await station.stored() == [first]


async def test_a_reading_is_held_until_it_is_committed(ward: Ward) -> None:
    station = Station(ward)
    (reading,) = new(station, 1)
    key = (PATIENT, reading.reading.type, reading.reading.measured_at)
    await station.writer.put([reading])
    assert station.writer.holds(*key)
    async with running(station.writer):
        with anyio.fail_after(PATIENCE_SECONDS):
            await station.writer.flush()
    assert not station.writer.holds(*key)


async def test_a_full_queue_makes_the_sender_wait_until_there_is_room(ward: Ward) -> None:
    station = Station(ward)
    writer = ReadingWriter(ward.db, ward.metrics, capacity=2)
    await writer.put(new(station, 2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.put, new(station, 1, start=2))
        await anyio.wait_all_tasks_blocked()
        assert len(writer) == 2
        async with running(writer):
            await until(lambda: len(writer) == 0)
    assert len(await station.stored()) == 3


async def test_a_sender_that_gives_up_waiting_has_left_nothing(ward: Ward) -> None:
    station = Station(ward)
    writer = ReadingWriter(ward.db, ward.metrics, capacity=2)
    await writer.put(new(station, 2))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.put, new(station, 2, start=2))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    async with running(writer):
        with anyio.fail_after(PATIENCE_SECONDS):
            await writer.flush()
    assert len(await station.stored()) == 2


async def test_nothing_is_lost_while_the_database_refuses(station: Station) -> None:
    await rename(station.ward, "vital_readings", "out_of_reach")
    with anyio.fail_after(PATIENCE_SECONDS):
        await station.writer.put(new(station, 3))
        await until(lambda: station.count("tocsin_worker_failures_total", worker="vitals_writer"))
        await rename(station.ward, "out_of_reach", "vital_readings")
        await station.writer.flush()
    assert len(await station.stored()) == 3


async def test_a_writer_that_is_stopped_writes_what_it_has_first(ward: Ward) -> None:
    station = Station(ward)
    async with running(station.writer):
        await station.writer.put(new(station, 3))
    assert len(await station.stored()) == 3


async def test_a_writer_that_is_stopped_writes_also_what_comes_during_its_last_commit(ward: Ward) -> None:
    station = Station(ward)
    scope = anyio.CancelScope()

    async def run() -> None:
        with scope:
            await station.writer.run()

    async with anyio.create_task_group() as tasks, ward.db.write():
        tasks.start_soon(run)
        await station.writer.put(new(station, 1))
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        await station.writer.put(new(station, 1, start=1))
    assert len(station.writer) == 0
    assert len(await station.stored()) == 2


async def test_a_batch_that_is_being_committed_hurries_nobody(ward: Ward) -> None:
    station = Station(ward)
    writer = ReadingWriter(ward.db, ward.metrics, batch_seconds=3600)
    async with running(writer):
        with anyio.fail_after(PATIENCE_SECONDS):
            async with ward.db.write():
                await writer.put(new(station, BATCH_READINGS))
                await anyio.wait_all_tasks_blocked()
                await writer.put(new(station, 1, start=BATCH_READINGS))
            await until(lambda: len(writer) == 1)
            async with ward.db.write():
                pass
            assert len(writer) == 1
