from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sleepecg.heartbeats import detect_heartbeats

from app.modules.vitals.ecg.detection import find_beats
from tests.modules.vitals.ecg.player import beats, ecg


@settings(max_examples=150, deadline=None)
@given(
    rate_hz=st.integers(100, 400),
    seconds=st.floats(4, 10),
    per_minute=st.integers(20, 240),
    noise=st.sampled_from([0.001, 0.02, 0.1, 1.0]),
    offset=st.floats(-300, 300),
)
def test_the_beats_are_those_that_the_detector_itself_finds(
    rate_hz: int, seconds: float, per_minute: int, noise: float, offset: float
) -> None:
    signal = ecg(beats(per_minute, until=seconds), seconds, rate_hz, noise=noise) + offset
    assert find_beats(signal, rate_hz).tolist() == detect_heartbeats(signal, rate_hz).tolist()


@pytest.mark.parametrize("constant", [2, 700, 1999])
def test_a_constant_beginning_is_passed_over_in_the_same_way(constant: int) -> None:
    signal = ecg(beats(75, until=10), 10, 250)
    signal[:constant] = signal[0]
    begins = int(np.argmax(signal != signal[0]))
    found = find_beats(signal[begins:], 250) + begins
    assert found.tolist() == detect_heartbeats(signal, 250).tolist()
