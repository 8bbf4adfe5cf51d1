from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.vitals.ecg.timeline import LONGEST_HOLE_SECONDS, Timeline
from app.modules.vitals.samples import Counts, Numbers
from tests.modules.vitals.ecg.player import BEGAN, Signal, frames, of_50_ms

RATE = 250.0
RAMP = np.arange(5 * 250) / 1000


def _line(sent: list[tuple[float, Counts]], *, rate_hz: float = RATE, leads: int = 1) -> Timeline:
    line = Timeline(rate_hz, leads, sent[0][0])
    for started_at, samples in sent:
        line.add(started_at, samples)
        line.advance()
    return line


def _cut(signal: Signal = RAMP, rate_hz: float = RATE) -> list[tuple[float, Counts]]:
    return list(frames([signal], rate_hz, of_50_ms(rate_hz)))


def test_frames_are_joined_without_a_seam() -> None:
    line = _line(_cut())
    window, is_drawn = line.window()
    assert window[0] == pytest.approx(RAMP, abs=0.0005)
    assert not is_drawn.any()
    assert line.second_at == pytest.approx(BEGAN + 5, abs=1e-6)


@given(order=st.permutations(range(10)))
def test_frames_that_overtake_each_other_are_put_in_order(order: list[int]) -> None:
    sent = _cut()
    shuffled = sent[:10] + [sent[at + number] for at in range(10, 100, 10) for number in order]
    window, is_drawn = _line(shuffled).window()
    assert window[0] == pytest.approx(RAMP, abs=0.0005)
    assert not is_drawn.any()


def test_a_frame_that_comes_twice_counts_once() -> None:
    sent = _cut()
    window, _ = _line([frame for frame in sent for _ in range(2)]).window()
    assert window[0] == pytest.approx(RAMP, abs=0.0005)


def test_a_missing_frame_is_waited_for_and_then_drawn_over_and_marked() -> None:
    sent = _cut()
    missing = sent.pop(40)
    line = _line(sent[:45])
    assert line.ends_at == pytest.approx(missing[0])
    for frame in sent[45:]:
        line.add(*frame)
    line.advance()
    window, is_drawn = line.window()
    assert np.flatnonzero(is_drawn).tolist() == list(range(500, 513))
    assert window[0] == pytest.approx(RAMP, abs=0.006)


def test_after_a_long_hole_the_line_begins_anew() -> None:
    sent = _cut()
    lost = 20 * LONGEST_HOLE_SECONDS + 1
    line = _line(sent[:20])
    number = line.number
    for frame in sent[20 + round(lost) :]:
        line.add(*frame)
    line.advance()
    assert line.number == number + 1
    assert line.window()[0].shape == (1, 500)
    assert line.time_of(0) == pytest.approx(sent[20 + round(lost)][0], abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_time_stamps_that_jitter_make_no_holes(seed: int) -> None:
    off = np.random.default_rng(seed).uniform(-0.017, 0.017, 100)
    off[0] = 0  # all that there is to go by, at first
    sent = [(at + by, samples) for (at, samples), by in zip(_cut(), off.tolist(), strict=True)]
    line = _line(sent)
    window, is_drawn = line.window()
    assert window[0] == pytest.approx(RAMP, abs=0.0005)
    assert not is_drawn.any()
    assert abs(line.second_at - (BEGAN + 5)) < 0.02


def test_a_clock_that_runs_fast_is_followed() -> None:
    drift = 0.001
    sent = [(BEGAN + (at - BEGAN) * (1 + drift), samples) for at, samples in _cut(np.zeros(120 * 250))]
    line = _line(sent)
    assert not line.window()[1].any()
    assert line.second_at == pytest.approx(BEGAN + 120 * (1 + drift), abs=0.005)


def test_a_clock_that_was_put_back_is_believed_after_some_seconds() -> None:
    line = _line(_cut() + [(at - 3600, samples) for at, samples in _cut(np.zeros(8 * 250))])
    assert line.number == 2
    assert BEGAN - 3600 < line.ends_at <= BEGAN - 3592 + 1e-6


def test_late_frames_of_a_hole_that_was_given_up_are_passed_over() -> None:
    sent = _cut()
    late = sent[40]
    line = _line(sent[:40] + sent[41:60] + [late] + sent[60:])
    assert line.window()[0].shape == (1, 1250)


@pytest.mark.parametrize(("rate_hz", "kept"), [(100, 100), (250, 250), (360, 360), (400, 200), (500, 250), (1000, 200)])
def test_fast_signals_are_averaged_down(rate_hz: float, kept: float) -> None:
    slope = np.arange(round(3 * rate_hz) + 1) / rate_hz
    line = _line(_cut(slope, rate_hz), rate_hz=rate_hz)
    assert line.rate_hz == kept
    window, _ = line.window()
    assert line.time_of(0) == pytest.approx(BEGAN, abs=1e-6)
    # The mean of some samples lies in their middle.
    middle = (rate_hz / kept - 1) / 2 / rate_hz
    assert window[0] == pytest.approx(np.arange(round(3 * kept)) / kept + middle, abs=0.0006)


def test_no_more_than_eleven_seconds_are_kept_and_ten_are_shown() -> None:
    line = _line(_cut(np.zeros(60 * 250)))
    assert line.window()[0].shape == (1, 2500)
    line.add(BEGAN + 60, Numbers(((1.0,) * 249,)))
    line.advance()
    assert line.window()[0].max() == 0


def test_the_first_leads_are_kept_whatever_their_scales() -> None:
    line = Timeline(RATE, 2, BEGAN, millivolts=0.001)
    line.add(BEGAN, Counts(b"\x01\x00" * 750, (1.0, 10.0, 1.0), (0.0, -5.0, 0.0)))
    line.add(BEGAN + 1, Counts(b"\x01\x00" * 750, (2.0, 10.0, 1.0), (0.0, -5.0, 0.0)))
    line.advance()
    line.add(BEGAN + 2, Numbers(((7.0,) * 250, (8.0,) * 250, (9.0,) * 250)))
    line.advance()
    window, _ = line.window()
    assert window[:, 0] == pytest.approx([0.001, 0.005])
    assert window[:, 499] == pytest.approx([0.002, 0.005])
    assert window[:, -1] == pytest.approx([0.007, 0.008])


def test_absurd_numbers_stay_finite() -> None:
    line = Timeline(RATE, 1, BEGAN)
    line.add(BEGAN, Numbers((tuple([1e12, -1e12] * 125),)))
    line.add(BEGAN + 1, Counts(b"\xff\x7f\x00\x80" * 125, (3e7,), (1e12,)))
    line.advance()
    assert np.abs(line.window()[0]).max() == 1000
