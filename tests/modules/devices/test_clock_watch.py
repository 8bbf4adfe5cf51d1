"""A clock is alarmed when it is off, and not when frames are late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.devices.clock_watch import OFF_SECONDS, RIGHT_SECONDS, STEADY_SECONDS, ClockState, ClockWatch

#: How long a frame is on its way when nothing holds it up.
delays = st.floats(0, 4)

#: How far a clock is behind ours, or ahead of it.
ahead_or_behind = st.sampled_from([-1.0, 1.0])


def watched(*frames: tuple[float, float]) -> ClockWatch:
    """A watch that has seen frames at these seconds, so many seconds behind."""
    watch = ClockWatch()
    for at, behind in frames:
        watch.observe(behind, at)
    return watch


def test_nothing_is_known_of_a_clock_before_its_first_frame() -> None:
    assert ClockWatch().state is ClockState.UNKNOWN


@given(st.floats(-RIGHT_SECONDS, RIGHT_SECONDS))
def test_one_frame_of_about_our_time_says_that_the_clock_is_right(behind: float) -> None:
    watch = ClockWatch()
    assert watch.observe(behind, 0) is True
    assert watch.observe(behind, 1) is False
    assert (watch.state, watch.off_by_seconds) == (ClockState.RIGHT, 0)


@given(ahead_or_behind, st.floats(OFF_SECONDS + 5, 1e9), st.lists(delays, min_size=33, max_size=33))
def test_a_clock_that_is_off_is_told_after_half_a_minute_and_not_before(
    side: float, off_by: float, on_the_way: list[float]
) -> None:
    watch = ClockWatch()
    told_at = [second for second, delay in enumerate(on_the_way) if watch.observe(side * off_by + delay, second)]
    assert told_at[0] == STEADY_SECONDS
    assert watch.state is ClockState.OFF
    assert abs(watch.off_by_seconds - side * off_by) <= 4


@given(st.floats(-50, 50), st.lists(st.tuples(delays, st.floats(0, 3600)), max_size=60))
def test_a_right_clock_is_never_told_as_long_as_one_frame_in_half_a_minute_comes_in_time(
    off_by: float, frames: list[tuple[float, float]]
) -> None:
    """Some frames are kept back for up to an hour; every tenth comes with the delay of the way alone."""
    watch = ClockWatch()
    for second, (delay, kept_back) in enumerate(frames):
        watch.observe(off_by + delay + (kept_back if second % 10 else 0), second)
        assert watch.state is not ClockState.OFF


@given(st.floats(70, 1800), st.floats(1.4, 1000), st.integers(1, 5))
def test_a_device_that_sends_what_it_had_kept_faster_than_it_was_measured_has_no_wrong_clock(
    lost_seconds: float, speed: float, every: int
) -> None:
    """Fails when frames that come ever less late count as a wrong clock (checked so)."""
    watch, second, behind = ClockWatch(), 0, lost_seconds
    while behind > 0:
        watch.observe(behind, second)
        assert watch.state is not ClockState.OFF
        second += every
        behind -= (speed - 1) * every


@pytest.mark.parametrize("every", [1, 10, 60, 300])
def test_a_device_that_sends_seldom_is_judged_by_three_frames(every: int) -> None:
    watch = ClockWatch()
    states = [watch.observe(-75, second) or watch.state for second in range(0, every * 40, every)]
    frames_needed = max(3, 30 // every + 1)
    assert states.index(True) + 1 == frames_needed


def test_the_alarm_ends_with_the_first_frame_of_about_our_time() -> None:
    watch = watched(*((second, 75.0) for second in range(40)))
    assert (watch.state, watch.off_by_seconds) == (ClockState.OFF, 75)
    assert watch.observe(58, 41) is False
    assert watch.observe(3, 42) is True
    assert watch.state is ClockState.RIGHT


def test_a_wrong_clock_that_is_set_to_another_wrong_time_is_told_again() -> None:
    watch = watched(*((second, 75.0) for second in range(60)))
    told = [second for second in range(60, 200) if watch.observe(75 + second % 7, second)]
    told += [second for second in range(200, 300) if watch.observe(3600, second)]
    assert (len(told), watch.off_by_seconds) == (1, 3600)
    assert told[0] <= 200 + 2 * STEADY_SECONDS


def test_a_frame_with_an_odd_time_among_others_is_nothing() -> None:
    watch = watched(*((second, 4000.0 if second == 20 else 0.2) for second in range(60)))
    assert watch.state is ClockState.RIGHT


def test_frames_that_are_now_ahead_and_now_behind_are_no_clock_that_is_off() -> None:
    watch = watched(*((second, 90.0 * (-1) ** (second // 20)) for second in range(200)))
    assert watch.state is ClockState.UNKNOWN


def test_a_right_clock_costs_no_memory_and_a_wrong_one_little() -> None:
    right, wrong = watched(*((second, 0.5) for second in range(500))), ClockWatch()
    assert len(right._suspicious) == 0
    for second in range(500):
        wrong.observe(90.0 * (-1) ** (second // 29), second)
        assert len(wrong._suspicious) <= STEADY_SECONDS + 1
