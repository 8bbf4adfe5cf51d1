"""Answers what was measured over a stretch of time: every reading of a short one, buckets of a long one."""

from __future__ import annotations

import asyncio
from typing import Final

from app.core.db import Database
from app.core.errors import InvalidField
from app.modules.vitals import repository
from app.modules.vitals.buckets import grid
from app.modules.vitals.schemas import BucketSeries, Resolution, Series, SeriesFilter
from app.modules.vitals.signs import CONSCIOUSNESS, OXYGEN

#: Raw answers end after so many readings.
MOST_IN_SERIES: Final = 10_000

#: A bucket is its least, its mean and its greatest reading: of fewer readings, buckets are the longer answer.
VALUES_IN_A_BUCKET: Final = 3

#: A letter, or yes and no: half of them means nothing.
WITHOUT_A_MEAN: Final = frozenset({CONSCIOUSNESS, OXYGEN})

#: Stretches summed up at the same time; a year may take seconds, and others want connections too.
AT_ONCE: Final = 2


class SeriesService:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, wanted: SeriesFilter, *, resolution: Resolution, points: int) -> Series | BucketSeries:
        """The readings of a stretch, or where there are too many for so many points, what they sum up to.

        Raises:
            InvalidField: buckets are asked for, of something that has no mean.
        """
        has_mean = wanted.type not in WITHOUT_A_MEAN
        if resolution == "buckets" and not has_mean:
            raise InvalidField("resolution", f"{wanted.type} has no mean: ask for raw")
        if resolution == "auto":
            is_long = has_mean and await self._is_long(wanted, points)
            resolution = "buckets" if is_long else "raw"
        return await (self._summed_up(wanted, points) if resolution == "buckets" else self._raw(wanted))

    async def _is_long(self, wanted: SeriesFilter, points: int) -> bool:
        async with self._db.read() as session:
            return await repository.has_more_than(session, wanted.as_history(), VALUES_IN_A_BUCKET * points)

    async def _raw(self, wanted: SeriesFilter) -> Series:
        async with self._db.read() as session:
            readings = await repository.oldest_first(session, wanted.as_history(), limit=MOST_IN_SERIES + 1)
        return Series.of(wanted, readings[:MOST_IN_SERIES], has_more=len(readings) > MOST_IN_SERIES)

    async def _summed_up(self, wanted: SeriesFilter, points: int) -> BucketSeries:
        cut = grid(wanted.since, wanted.until, points=points)
        async with self._turns, self._db.read() as session:
            summed = await repository.summed_up(session, wanted.patient_id, wanted.type, cut)
        return BucketSeries.of(wanted, cut, summed)
