from __future__ import annotations

import pytest

from app.modules.vitals.ecg.rate import HeartRate


def _rate(*intervals: float, later: float = 0.0) -> float | None:
    rate, now = HeartRate(), 0.0
    for seconds in intervals:
        now += seconds
        rate.add(now, seconds)
    return rate.at(now + later)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ((), None),
        ((0.8, 0.8, 0.8), None),
        ((0.8,) * 4, 75),
        ((0.5,) * 12, 120),
        # The longest and the shortest are left out, one of each.
        ((0.8,) * 10 + (0.3, 1.3), 75),
        ((0.8,) * 9 + (0.3, 0.3, 1.3), 60 * 10 / (9 * 0.8 + 0.3)),
        # Of thirteen, the oldest is forgotten.
        ((0.4,) + (0.8,) * 12, 75),
        # Slow: the last three above 1.2 s, so the last four count.
        ((0.6,) * 8 + (1.5,) * 4, 40),
        ((0.6,) * 8 + (0.9, 1.5, 1.5, 1.5), 60 * 4 / 5.4),
        # Not above it.
        ((0.6,) * 9 + (1.2, 1.5, 1.5), 60 * 10 / (0.6 * 8 + 1.2 + 1.5)),
    ],
)
def test_the_rate_is_that_of_a_bedside_monitor(intervals: tuple[float, ...], expected: float | None) -> None:
    assert _rate(*intervals) == (None if expected is None else pytest.approx(expected))


def test_intervals_grow_old_and_no_rate_is_made_of_too_few() -> None:
    assert _rate(*(1.0,) * 8, later=16.0) == 60
    assert _rate(*(1.0,) * 8, later=17.5) is None


def test_a_very_slow_heart_still_has_a_rate() -> None:
    assert _rate(*(4.0,) * 6) == 15
