"""Long stretches of readings on PostgreSQL: summed up, and deleted when they are old."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.metrics import Metrics
from app.modules.vitals import repository
from app.modules.vitals.retention import BATCH_READINGS, Retention
from app.modules.vitals.schemas import BucketSeries, SeriesFilter
from app.modules.vitals.series import SeriesService
from tests.modules.vitals.stretches import START, heart_rates, store, stored, sums_in, sums_of
from tests.modules.ward import SetClock

pytestmark = pytest.mark.anyio

READINGS = heart_rates(3600, apart=timedelta(seconds=1))


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = Database(database_url)
    await db.migrate()
    yield db
    assert db.checked_out() == 0
    await db.close()


@pytest.mark.parametrize("points", [10, 500, 2000])
async def test_buckets_say_what_a_naive_sum_says(db: Database, points: int) -> None:
    await store(db, READINGS)
    stretch = SeriesFilter("P1", "heart_rate", READINGS[10].measured_at, READINGS[-10].measured_at)
    series = await SeriesService(db).read(stretch, resolution="auto", points=points)
    assert isinstance(series, BucketSeries) == (points < 1000)
    series = await SeriesService(db).read(stretch, resolution="buckets", points=points)
    assert isinstance(series, BucketSeries)
    assert sums_in(series) == sums_of(READINGS[10:-10], series)
    nothing = replace(stretch, until=stretch.since)
    assert (await SeriesService(db).read(nothing, resolution="buckets", points=points)).timestamps == []


async def test_what_is_older_goes_and_what_is_newer_stays(db: Database) -> None:
    clock, metrics = SetClock(READINGS[-1].measured_at + timedelta(days=1)), Metrics()
    for patient_id in ("P1", "P2"):
        await store(db, READINGS, patient_id=patient_id)
    await store(db, [READINGS[-1]], patient_id="p3")
    assert len(READINGS) > 2 * BATCH_READINGS
    assert await Retention(db, clock, metrics, days=1).prune() == 2 * (len(READINGS) - 1)
    assert [patient_id for patient_id, _ in await stored(db)] == ["P1", "P2", "p3"]


async def test_while_one_node_prunes_another_leaves_it_to_it(db: Database) -> None:
    await store(db, READINGS)
    clock = SetClock(START + timedelta(days=100))
    async with db.write() as session:
        await session.execute(sa.select(repository.PRUNING))
        assert await Retention(db, clock, Metrics(), days=1).prune() == 0
    assert await Retention(db, clock, Metrics(), days=1).prune() == len(READINGS)
