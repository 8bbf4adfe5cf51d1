from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from app.modules.vitals.ecg.examination import ASYSTOLE_SECONDS, Examination, Reason, examine
from tests.modules.vitals.ecg.player import Signal, beats, ecg, quiet

RATE = 250.0
SECONDS = 10


def _examine(signal: Signal, *, usual_step: float | None = 0.5, rate_hz: float = RATE) -> Examination:
    return examine(signal.astype(np.float32), np.zeros(len(signal), np.bool_), rate_hz, usual_step=usual_step)


def _noise(lowest_hz: float, highest_hz: float, millivolts: float, seed: int) -> Signal:
    band = butter(2, (lowest_hz, highest_hz), "bandpass", fs=RATE, output="sos")
    noise: Signal = sosfilt(band, np.random.default_rng(seed).normal(size=round(2 * SECONDS * RATE)))[-2500:]
    noise *= millivolts / noise.std()
    return noise


def _sinus(hz: float, millivolts: float) -> Signal:
    wave: Signal = millivolts * np.sin(2 * np.pi * hz * np.arange(2500) / RATE)
    return wave


@pytest.mark.parametrize("rate_hz", [100, 125, 250, 360])
@pytest.mark.parametrize("rate", [30, 45, 75, 120, 180, 220])
def test_a_clean_signal_is_good_and_each_beat_is_found(rate: int, rate_hz: float) -> None:
    times = beats(rate, until=SECONDS)
    found = _examine(ecg(times, SECONDS, rate_hz), rate_hz=rate_hz)
    assert found.reason is None
    within = [at for at in times if 0.4 < at < SECONDS - 0.3]
    assert [at for at in found.beats / rate_hz if 0.4 < at < SECONDS - 0.3] == pytest.approx(within, abs=0.02)


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_a_noisy_signal_on_which_a_person_sees_the_beats_is_good(noise: float) -> None:
    assert _examine(ecg(beats(75, until=SECONDS), SECONDS, RATE, noise=noise)).reason is None


def test_beats_are_counted_through_mains_hum() -> None:
    found = _examine(ecg(beats(75, until=SECONDS), SECONDS, RATE) + _sinus(50, 1))
    assert found.reason is None
    assert len(found.beats) in {11, 12}


@pytest.mark.parametrize(("lowest_hz", "highest_hz"), [(0.5, 3), (1, 10), (5, 15), (20, 100)])
@pytest.mark.parametrize("seed", range(5))
def test_noise_makes_no_heart(lowest_hz: float, highest_hz: float, seed: int) -> None:
    assert _examine(_noise(lowest_hz, highest_hz, 0.5, seed)).reason is Reason.NOISE


@pytest.mark.parametrize("hz", [2, 3, 4, 5, 6, 8, 12])
def test_a_tremor_is_as_regular_as_a_heart_and_is_none(hz: float) -> None:
    assert _examine(_sinus(hz, 0.5)).reason is Reason.NOISE


@pytest.mark.parametrize("seed", range(3))
def test_a_heart_that_drowns_in_noise_is_not_counted(seed: int) -> None:
    assert _examine(ecg(beats(75, until=SECONDS), SECONDS, RATE) + _noise(1, 10, 0.5, seed)).reason is Reason.NOISE


@pytest.mark.parametrize(
    ("level", "reason"), [(0.0, Reason.FLAT), (0.3, Reason.FLAT), (5.0, Reason.SATURATED), (-5.0, Reason.SATURATED)]
)
def test_a_signal_that_stands_still_is_none(level: float, reason: Reason) -> None:
    signal = ecg(beats(75, until=SECONDS), SECONDS, RATE)
    assert _examine(np.full(2500, level)).reason is reason
    signal[-625:] = level
    assert _examine(signal).reason is reason


@pytest.mark.parametrize("noise", [0.002, 0.01, 0.05])
def test_a_nearly_flat_signal_that_still_breathes_is_a_heart_that_stands_still(noise: float) -> None:
    found = _examine(quiet(SECONDS, RATE, noise=noise))
    assert found.is_silent
    assert found.silent_seconds == SECONDS


def test_a_lead_that_never_showed_a_beat_shows_no_asystole() -> None:
    found = _examine(quiet(SECONDS, RATE), usual_step=None)
    assert (found.reason, found.is_silent) == (Reason.NO_BEATS, False)


@pytest.mark.parametrize("millivolts", [0.2, 2.0])
def test_hum_without_beats_is_no_asystole(millivolts: float) -> None:
    found = _examine(quiet(SECONDS, RATE) + _sinus(50, millivolts))
    assert (found.reason, found.is_silent) == (Reason.NOISE, False)


def test_p_waves_alone_are_a_heart_that_stands_still() -> None:
    signal = quiet(SECONDS, RATE)
    at = np.arange(2500) / RATE
    for p_wave in np.arange(0.5, SECONDS, 0.8):
        signal += 0.15 * np.exp(-(((at - p_wave) / 0.025) ** 2) / 2)
    assert _examine(signal).is_silent


def _triangles(millivolts: float, width_seconds: float) -> Signal:
    at = np.arange(2500) / RATE
    train = sum(np.clip(1 - np.abs(at - beat) / (width_seconds / 2), 0, None) for beat in beats(60, until=SECONDS))
    triangles: Signal = quiet(SECONDS, RATE, noise=0.005) + millivolts * train
    return triangles


@pytest.mark.parametrize("width_seconds", [0.07, 0.1, 0.12])
def test_the_smallest_and_the_largest_that_is_no_beat_are_those_of_the_standard(width_seconds: float) -> None:
    assert len(_examine(_triangles(0.15, width_seconds), usual_step=0.0).beats) == 0
    assert len(_examine(_triangles(0.5, width_seconds), usual_step=0.0).beats) >= 9


def test_silence_begins_with_the_last_beat() -> None:
    signal = ecg(beats(75, until=4.4), SECONDS, RATE)
    found = _examine(signal)
    assert found.silent_seconds == pytest.approx(SECONDS - beats(75, until=4.4)[-1], abs=0.02)
    assert found.silent_seconds > ASYSTOLE_SECONDS
    assert found.is_silent


def test_what_was_not_received_is_no_silence() -> None:
    signal = ecg(beats(75, until=5), SECONDS, RATE).astype(np.float32)
    is_drawn = np.zeros(2500, np.bool_)
    is_drawn[-500:] = True
    found = examine(signal, is_drawn, RATE, usual_step=0.5)
    assert found.silent_seconds < 4
    assert not found.is_silent


@pytest.mark.parametrize("samples", [1, 400, 1000, 1990, 2100, 2499, 2500])
def test_a_signal_that_begins_constant_is_examined(samples: int) -> None:
    signal = ecg(beats(75, until=SECONDS), SECONDS, RATE)
    signal[:samples] = signal[samples - 1]
    found = _examine(signal)
    assert (found.beats >= samples - 25).all()
