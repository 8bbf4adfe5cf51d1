"""Beats are found where the library finds them: the same samples, for a fraction of the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sleepecg.heartbeats import detect_heartbeats

from app.modules.vitals.ecg.detector import find_peaks
from tests.modules.vitals.ecg.player import record


@pytest.mark.parametrize("name", ["100", "a103l", "v102s", "03700181"])
def test_in_every_window_of_a_recording_the_same_beats_are_found(recordings: Path, name: str) -> None:
    """Fails when the signal is not mirrored at its ends, or filtered one way only (checked with each)."""
    leads, rate, _ = record(recordings, name, seconds=300)
    rate_hz = round(rate)
    width, compared = 10 * rate_hz, 0
    for start in range(0, len(leads[0]) - width, rate_hz):
        window = np.ascontiguousarray(leads[0][start : start + width])
        if np.ptp(window[: -2 * rate_hz]) > 0:
            np.testing.assert_array_equal(find_peaks(window, rate_hz), detect_heartbeats(window, rate_hz))
            compared += 1
    assert compared > 100


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([100, 125, 180, 250, 399]), st.integers(0, 300), st.floats(1e-3, 1e3))
def test_whatever_the_signal_the_same_beats_are_found(seed: int, rate_hz: int, flat: int, size: float) -> None:
    """Also behind a constant beginning: fails when that is not passed over (checked so)."""
    draw = np.random.default_rng(seed)
    signal = np.concatenate((np.zeros(flat), size * np.cumsum(draw.normal(0, 1, 6 * rate_hz))))

    np.testing.assert_array_equal(find_peaks(signal, rate_hz), detect_heartbeats(signal, rate_hz))
