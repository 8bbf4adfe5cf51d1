from __future__ import annotations

from datetime import timedelta

import pytest

from app.core.errors import InvalidField
from app.modules.vitals.frames import Reading
from app.modules.vitals.schemas import BucketSeries, Resolution, Series, SeriesFilter
from app.modules.vitals.series import MOST_IN_SERIES, SeriesService
from tests.modules.vitals.stretches import START, heart_rates, store, sums_in, sums_of
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio

HOUR = SeriesFilter("P1", "heart_rate", START, START + timedelta(hours=1))


async def test_few_readings_are_answered_as_they_are_and_more_in_buckets(ward: Ward) -> None:
    readings = heart_rates(3600, apart=timedelta(seconds=1))
    await store(ward.db, readings)
    service = SeriesService(ward.db)
    raw = await service.read(HOUR, resolution="auto", points=len(readings) // 3)
    assert isinstance(raw, Series)
    assert raw.timestamps == [reading.measured_at for reading in readings]
    assert isinstance(await service.read(HOUR, resolution="auto", points=len(readings) // 3 - 1), BucketSeries)
    assert isinstance(await service.read(HOUR, resolution="raw", points=10), Series)
    assert isinstance(await service.read(HOUR, resolution="buckets", points=2000), BucketSeries)


@pytest.mark.parametrize("points", [10, 61, 500, 2000])
async def test_buckets_say_what_a_naive_sum_says(ward: Ward, points: int) -> None:
    readings = heart_rates(3600, apart=timedelta(seconds=1))
    await store(ward.db, readings)
    await store(ward.db, [Reading("heart_rate", 300, "/min", START)], patient_id="P2")
    await store(ward.db, [Reading("spo2", 0, "%", START)])
    series = await SeriesService(ward.db).read(HOUR, resolution="buckets", points=points)
    assert isinstance(series, BucketSeries)
    assert len(series.timestamps) <= points
    assert sums_in(series) == sums_of(readings, series)
    assert sum(series.count) == len(readings)


async def test_only_readings_of_the_stretch_count_in_its_first_and_last_bucket(ward: Ward) -> None:
    readings = [Reading("heart_rate", value, "/min", START + timedelta(seconds=value)) for value in range(40, 100)]
    await store(ward.db, readings)
    stretch = SeriesFilter("P1", "heart_rate", readings[12].measured_at, readings[51].measured_at)
    series = await SeriesService(ward.db).read(stretch, resolution="buckets", points=10)
    assert isinstance(series, BucketSeries)
    assert sums_in(series) == sums_of(readings[12:51], series)
    assert series.timestamps[0] < readings[11].measured_at


async def test_a_gap_is_a_bucket_with_nothing_in_it(ward: Ward) -> None:
    await store(ward.db, heart_rates(40, apart=timedelta(seconds=1)))
    series = await SeriesService(ward.db).read(HOUR, resolution="buckets", points=100)
    assert isinstance(series, BucketSeries)
    assert series.count[0] > 0 < len(series.count) - 2
    assert (series.min[-1], series.mean[-1], series.max[-1], series.count[-1]) == (None, None, None, 0)


@pytest.mark.parametrize("vital_type", ["consciousness", "oxygen_supplement"])
async def test_what_has_no_mean_is_answered_raw_or_refused(ward: Ward, vital_type: str) -> None:
    await store(ward.db, [Reading(vital_type, 1, "", START + timedelta(seconds=second)) for second in range(100)])
    service = SeriesService(ward.db)
    stretch = SeriesFilter("P1", vital_type, START, START + timedelta(hours=1))
    raw = await service.read(stretch, resolution="auto", points=10)
    assert isinstance(raw, Series)
    assert len(raw.values) == 100
    with pytest.raises(InvalidField, match=f"{vital_type} has no mean"):
        await service.read(stretch, resolution="buckets", points=10)


async def test_a_raw_answer_ends_after_ten_thousand_and_says_so(ward: Ward) -> None:
    readings = [
        Reading("heart_rate", 70, "/min", START + timedelta(milliseconds=number)) for number in range(MOST_IN_SERIES)
    ]
    await store(ward.db, readings)
    service = SeriesService(ward.db)
    whole = await service.read(HOUR, resolution="raw", points=10)
    assert isinstance(whole, Series)
    assert (len(whole.values), whole.truncated) == (MOST_IN_SERIES, False)
    await store(ward.db, [Reading("heart_rate", 71, "/min", START + timedelta(minutes=59))])
    cut_off = await service.read(HOUR, resolution="raw", points=10)
    assert isinstance(cut_off, Series)
    assert (len(cut_off.values), cut_off.truncated) == (MOST_IN_SERIES, True)
    assert 71 not in cut_off.values


@pytest.mark.parametrize("length", [timedelta(), timedelta(days=-1)])
async def test_a_stretch_that_ends_before_it_begins_holds_nothing(ward: Ward, length: timedelta) -> None:
    await store(ward.db, heart_rates(40, apart=timedelta(seconds=1)))
    stretch = SeriesFilter("P1", "heart_rate", START, START + length)
    resolutions: tuple[Resolution, ...] = ("auto", "raw", "buckets")
    for resolution in resolutions:
        assert (await SeriesService(ward.db).read(stretch, resolution=resolution, points=10)).timestamps == []
