from __future__ import annotations

import numpy as np
import pytest

from app.modules.vitals.ecg.examination import Examination
from app.modules.vitals.ecg.proof import proves_a_heart

RATE = 250.0

REGULAR = (0.8,) * 4
FULL = (0.8,) * 11


def _proves(intervals: tuple[float, ...], steps: tuple[float, ...] = (), *, seconds: float) -> bool:
    beats = np.round((seconds - 0.4 - sum(intervals) + np.cumsum([0.0, *intervals])) * RATE).astype(np.intp)
    sizes = np.array(steps or (0.5,) * len(beats))
    return proves_a_heart(Examination(beats, sizes, None, 0.0), round(seconds * RATE), RATE)


@pytest.mark.parametrize(
    ("intervals", "steps", "is_proven"),
    [
        (REGULAR, (), True),
        (REGULAR, (0.31, 0.9, 0.4, 0.8, 0.5), True),
        # The beats are not those of one heart: what pulls at an electrode is many times as large.
        (REGULAR, (0.5, 0.5, 1.9, 0.5, 0.5), False),
        (REGULAR, (0.5, 0.15, 0.5, 0.5, 0.5), False),
        ((0.8, 0.8), (), True),
        # Two may be two of anything.
        ((0.8,), (), False),
        # Beats missed, or too many, or a heart that is irregular: that is seen when the window is full.
        ((0.8, 0.8, 1.25), (), False),
        ((0.8, 0.4, 0.8), (), False),
    ],
)
def test_a_regular_heart_is_proven_with_three_beats(
    intervals: tuple[float, ...], steps: tuple[float, ...], is_proven: bool
) -> None:
    assert _proves(intervals, steps, seconds=4) is is_proven


@pytest.mark.parametrize(
    ("intervals", "steps", "is_proven"),
    [
        ((0.6, 1.4, 0.7, 0.9, 1.2, 0.5, 1.1, 0.8, 0.7), (), True),
        # An early beat and its pause, over and over.
        ((0.5, 1.1) * 5, (0.5, 0.9) * 5 + (0.5,), True),
        ((0.4, 1.3, 0.7, 0.9, 1.2, 0.5, 1.1, 0.8, 0.7), (), False),
        ((0.6, 1.4, 0.7, 0.9, 1.2, 0.5, 1.1, 0.8, 0.7), (1.9,) + (0.5,) * 9, False),
        # What is older than five seconds does not count where the heart is regular since.
        ((0.3, 1.6) + (0.8,) * 7, (1.9, 1.7) + (0.5,) * 8, True),
    ],
)
def test_an_irregular_heart_is_proven_when_the_window_is_full(
    intervals: tuple[float, ...], steps: tuple[float, ...], is_proven: bool
) -> None:
    assert _proves(intervals, steps, seconds=10) is is_proven


def test_of_a_slow_heart_four_beats_are_compared_however_long_they_take() -> None:
    assert _proves((2.0, 2.0, 2.0, 2.0), seconds=10)
    assert not _proves((2.0, 2.0, 2.0, 2.0), (0.5, 2.0, 0.5, 0.5, 0.5), seconds=10)
