from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.modules.vitals.buckets import WIDTHS_SECONDS, Grid, grid

END = datetime.max.replace(tzinfo=UTC)
START = datetime(2026, 1, 2, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))
lengths = st.timedeltas(timedelta(microseconds=1), timedelta(days=400))


@pytest.mark.parametrize(
    ("length", "points", "width_seconds"),
    [
        (timedelta(seconds=1), 10, 1),
        (timedelta(seconds=11), 10, 2),
        (timedelta(minutes=10), 500, 2),
        (timedelta(hours=1), 500, 10),
        (timedelta(hours=24), 500, 300),
        (timedelta(days=7), 500, 1800),
        (timedelta(days=30), 500, 7200),
        (timedelta(days=30), 2000, 1800),
        (timedelta(days=400), 500, 86_400),
        (timedelta(days=400), 10, 50 * 86_400),
    ],
)
def test_a_stretch_is_cut_into_the_finest_nice_buckets_that_are_few_enough(
    length: timedelta, points: int, width_seconds: int
) -> None:
    assert grid(START, START + length, points=points).width_seconds == width_seconds


def test_buckets_begin_at_whole_multiples_in_utc_whatever_is_asked_for() -> None:
    cut = Grid(START + timedelta(minutes=7, seconds=30), START + timedelta(minutes=20), 300)
    assert cut.starts() == [START + timedelta(minutes=minutes) for minutes in (5, 10, 15)]


def test_a_stretch_without_length_has_no_buckets() -> None:
    assert grid(START, START, points=10).starts() == []
    assert grid(START, START - timedelta(days=1), points=10).starts() == []


def test_the_first_bucket_of_all_times_begins_with_them() -> None:
    beginning = datetime.min.replace(tzinfo=UTC)
    cut = grid(beginning, beginning + timedelta(days=400), points=10)
    assert cut.starts()[0] == beginning
    assert len(set(cut.starts())) == len(cut)


@given(since=moments, length=lengths, points=st.integers(10, 2000))
def test_the_buckets_of_any_stretch_are_few_and_cover_it_without_gap_or_overlap(
    since: datetime, length: timedelta, points: int
) -> None:
    assume(length < END - since)
    until = since + length
    cut = grid(since, until, points=points)
    spans = list(cut.spans())
    assert 0 < len(spans) == len(cut.starts()) <= points
    assert spans[0][1] == since
    assert spans[-1][2] == until
    assert all(start < end for _, start, end in spans)
    assert all(one[2] == following[1] for one, following in pairwise(spans))


@given(since=moments, length=lengths, width_seconds=st.sampled_from(WIDTHS_SECONDS[6:]), part=st.floats(0, 1))
def test_every_moment_lies_in_the_bucket_that_its_number_says(
    since: datetime, length: timedelta, width_seconds: int, part: float
) -> None:
    assume(length < END - since - timedelta(days=101))
    moment = since + length * part
    number = Grid(moment, moment, width_seconds).first
    cut = Grid(since, since + length + timedelta(seconds=1), width_seconds)
    assert cut.start_of(number) <= moment < cut.start_of(number) + timedelta(seconds=width_seconds)
    assert number in cut.numbers()
