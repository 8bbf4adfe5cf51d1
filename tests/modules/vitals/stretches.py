"""Readings over long stretches of time in a real database, and what a naive sum makes of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.core.db import Database
from app.modules.vitals import repository
from app.modules.vitals.frames import Reading
from app.modules.vitals.models import VitalReading
from app.modules.vitals.repository import NewReading
from app.modules.vitals.schemas import BucketSeries

#: No whole number of anything, so that every stretch of the tests cuts its first bucket short.
START = datetime(2026, 1, 2, 3, 4, 5, 250_001, tzinfo=UTC)


def heart_rates(count: int, *, apart: timedelta, start: datetime = START) -> list[Reading]:
    """Readings at even distances, of which some are missing."""
    draw = random.Random(count)
    return [
        Reading("heart_rate", draw.randint(400, 1200) / 10, "/min", start + number * apart)
        for number in range(count)
        if number % 50 < 40
    ]


async def store(db: Database, readings: Iterable[Reading], *, patient_id: str = "P1") -> None:
    async with db.write() as session:
        await repository.insert_new(session, [NewReading(patient_id, reading, START) for reading in readings])


async def stored(db: Database) -> list[tuple[str, datetime]]:
    """Whose readings there are, of which moments."""
    async with db.read() as session:
        rows = await session.execute(
            sa.select(VitalReading.patient_id, VitalReading.measured_at).order_by(
                VitalReading.patient_id, VitalReading.measured_at
            )
        )
    return [(row.patient_id, row.measured_at) for row in rows]


def sums_of(readings: Sequence[Reading], series: BucketSeries) -> list[tuple[object, ...]]:
    """What the buckets of a series have to say of these readings: start, min, mean, max and count."""
    sums: list[tuple[object, ...]] = []
    width = timedelta(seconds=series.bucket_seconds)
    for start in series.timestamps:
        values = [reading.value for reading in readings if start <= reading.measured_at < start + width]
        mean = round(sum(values) / len(values), 3) if values else None
        sums.append((start, min(values, default=None), mean, max(values, default=None), len(values)))
    return sums


def sums_in(series: BucketSeries) -> list[tuple[object, ...]]:
    """What a series says, in the same form."""
    return list(zip(series.timestamps, series.min, series.mean, series.max, series.count, strict=True))
