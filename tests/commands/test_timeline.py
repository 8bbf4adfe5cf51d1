from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.timeline import LATEST_SECONDS, Timeline

TODAY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

speeds = st.one_of(st.floats(0.1, 1000), st.just(math.inf))
offsets = st.lists(st.floats(0, 3600), min_size=2, max_size=20).map(sorted)


def timeline(first: float, last: float, speed: float) -> Timeline:
    return Timeline(first, last, speed=speed, started=1000, today=TODAY)


@pytest.mark.parametrize(
    ("speed", "first_taken_at", "last_due"), [(1, TODAY, 1100), (10, TODAY - 90 * SECOND, 1010), (0.5, TODAY, 1200)]
)
def test_a_recording_ends_when_its_replay_does_or_begins_when_it_does(
    speed: float, first_taken_at: datetime, last_due: float
) -> None:
    it = timeline(20, 120, speed)
    assert it.taken_at(20) == first_taken_at
    assert it.taken_at(120) == first_taken_at + 100 * SECOND
    assert (it.due(20, 1000), it.due(120, last_due)) == (1000, last_due)


def test_as_fast_as_possible_everything_is_due_at_once_and_lies_in_the_past() -> None:
    it = timeline(0, 1800, math.inf)
    assert it.due(1800, 1000) == 1000
    assert (it.taken_at(0), it.taken_at(1800)) == (TODAY - 1800 * SECOND, TODAY)


@given(offsets=offsets, speed=speeds, waits=st.lists(st.floats(0, 20), min_size=20, max_size=20))
def test_nothing_is_ahead_of_the_clock_and_times_rise_whatever_comes_late(
    offsets: list[float], speed: float, waits: list[float]
) -> None:
    it = timeline(offsets[0], offsets[-1], speed)
    now, taken_before = 1000.0, datetime.min.replace(tzinfo=UTC)
    for offset, wait in zip(offsets, waits, strict=False):
        now = max(now, it.due(offset, now)) + wait
        taken_at = it.taken_at(offset)
        assert taken_at >= taken_before
        assert taken_at <= TODAY + timedelta(seconds=now - 1000) + timedelta(microseconds=2)
        taken_before = taken_at


def test_who_is_a_little_late_catches_up_and_keeps_the_time_of_the_samples() -> None:
    it = timeline(0, 100, 1)
    assert it.due(10, 1010 + LATEST_SECONDS) == 1010
    assert it.taken_at(10) == TODAY + 10 * SECOND


def test_who_is_very_late_goes_on_from_there_with_a_gap_at_real_time() -> None:
    it = timeline(0, 100, 1)
    assert it.due(10, 1040) == 1040
    assert it.due(11, 1040) == 1041
    assert it.taken_at(11) == TODAY + 41 * SECOND


def test_who_is_very_late_goes_on_from_there_without_a_gap_when_faster() -> None:
    it = timeline(0, 100, 10)
    assert it.due(10, 1031) == 1031
    assert it.due(20, 1031) == 1032
    assert it.taken_at(20) == TODAY - 70 * SECOND
