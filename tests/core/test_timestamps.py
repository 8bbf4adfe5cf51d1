from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.timestamps import from_rfc3339, to_rfc3339, to_utc

RFC_3339_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
#: Two days from either end of the calendar, so that each is a moment in UTC as well.
FIRST, LAST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001
MOMENTS = st.datetimes(FIRST, LAST, timezones=OFFSETS)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 60_000, tzinfo=UTC), "2026-01-02T03:04:05.060000Z"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (datetime(2026, 1, 2, 0, 30, tzinfo=timezone(timedelta(hours=2))), "2026-01-01T22:30:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
    ids=["seconds", "fraction", "midnight", "elsewhere", "year 1"],
)
def test_a_moment_is_written_in_utc_with_a_z(moment: datetime, text: str) -> None:
    assert to_rfc3339(moment) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05+00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-05:30", datetime(2026, 1, 2, 8, 34, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
    ],
    ids=["z", "small t", "space", "offset", "tenths", "nanoseconds"],
)
def test_what_the_rfc_allows_is_read(text: str, moment: datetime) -> None:
    read = from_rfc3339(text)

    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1767323045",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-02-30T03:04:05Z",
        "2026-01-02T25:04:05Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Z\n",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_time_in_the_years_1_to_9999_is_refused(text: str) -> None:
    """Fails when an `OverflowError` gets out (checked by taking its translation out of `to_utc`)."""
    with pytest.raises(ValueError):  # noqa: PT011
        from_rfc3339(text)


def test_a_time_without_an_offset_is_told_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="offset from UTC"):
        from_rfc3339("2026-01-02T03:04:05")


@given(MOMENTS)
def test_every_moment_comes_back_as_it_was(moment: datetime) -> None:
    text = to_rfc3339(moment)

    assert RFC_3339_IN_UTC.fullmatch(text)
    assert from_rfc3339(text) == moment


@given(st.lists(MOMENTS.map(lambda moment: moment.replace(microsecond=0)), min_size=2, max_size=2))
def test_times_of_whole_seconds_sort_as_their_texts_do(moments: list[datetime]) -> None:
    earlier, later = sorted(moments)

    assert to_rfc3339(earlier) <= to_rfc3339(later)


@given(MOMENTS)
def test_in_utc_a_moment_is_the_same_moment(moment: datetime) -> None:
    assert to_utc(moment) == moment
    assert to_utc(moment).utcoffset() == timedelta(0)
