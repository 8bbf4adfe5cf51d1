from __future__ import annotations

import math
import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.vitals.decimation import MOST_CURVES, Decimator
from app.modules.vitals.frames import Waveform
from app.modules.vitals.samples import Counts, Numbers, Samples

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def counts(row: list[int], scale: float = 0.001, offset: float = 0.0) -> Counts:
    return Counts(struct.pack(f"<{len(row)}h", *row), (scale,), (offset,))


def wave(samples: Samples, seconds: float = 0, rate: float = 500, leads: tuple[str | None, ...] = ("II",)) -> Waveform:
    return Waveform("ecg", rate, leads, samples, "mV", MOMENT + timedelta(seconds=seconds))


def seconds_of(waveform: Waveform) -> float:
    return (waveform.started_at - MOMENT).total_seconds()


def test_a_curve_that_is_slow_enough_stays_as_it_is() -> None:
    waveform = wave(counts([1, 2, 3]))
    assert Decimator(500).take(waveform) is waveform


@pytest.mark.parametrize(("most_hz", "size"), [(100, 5), (499, 2), (250, 2), (99, 6), (1, 500)])
def test_blocks_are_as_small_as_the_rate_allows(most_hz: float, size: int) -> None:
    taken = Decimator(most_hz).take(wave(counts(list(range(1000)))))
    assert taken is not None
    assert (taken.samples.length, taken.sample_rate_hz) == (1000 // size, 500 / size)
    assert taken.sample_rate_hz <= most_hz


@given(st.integers(0, 4), st.integers(1, 60), st.integers(-30_000, 30_000).filter(lambda height: abs(height) > 200))
def test_a_peak_of_one_sample_stays_wherever_it_is(place: int, begin: int, height: int) -> None:
    row = [round(100 * math.sin(at / 40)) for at in range(400)]
    row[begin * 5 + place] = height
    taken = Decimator(100).take(wave(counts(row)))
    assert taken is not None
    assert list(taken.samples.counts().integers())[begin] == height


_CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=30)


@given(st.integers(0, 2**32), _CUTS, st.sampled_from([2, 3, 7, 50]), st.booleans())
def test_however_a_curve_is_cut_into_frames_the_samples_and_their_times_are_the_same(
    salt: int, cuts: list[int], size: int, is_counted: bool
) -> None:
    row = [(salt * (at + 1) * 7919) % 60_000 - 30_000 for at in range(sum(cuts))]
    whole = Decimator(500 / size).take(wave(counts(row)))
    expected = [] if whole is None else whole.samples.values()
    decimator, begin = Decimator(500 / size), 0
    kept: list[float] = []
    for cut in cuts:
        part = row[begin : begin + cut]
        samples = counts(part) if is_counted else Numbers((tuple(count * 0.001 + 0.0 for count in part),))
        taken = decimator.take(wave(samples, begin / 500))
        if taken is not None:
            assert seconds_of(taken) == pytest.approx(len(kept) * size / 500, abs=2e-6)
            assert type(taken.samples) is type(samples)
            kept += taken.samples.values()
        begin += cut
    assert kept == expected


def test_leads_are_thinned_each_by_itself() -> None:
    samples = Numbers(((0.0, 9.0, 0.0, 0.0), (0.0, 0.0, 0.0, -9.0)))
    taken = Decimator(250).take(wave(samples, leads=("I", "II")))
    assert taken is not None
    assert taken.samples == Numbers(((9.0, 0.0), (0.0, -9.0)))


@pytest.mark.parametrize(
    "other",
    [
        wave(counts([7]), 0.2),
        wave(counts([7]), -1.0),
        wave(counts([7, 7, 7]), 0.002, rate=1000),
        wave(Numbers(((7.0,),)), 0.002),
    ],
)
def test_what_does_not_go_on_with_a_curve_begins_anew(other: Waveform) -> None:
    decimator = Decimator(250)
    assert decimator.take(wave(counts([5]))) is None
    assert decimator.take(other) is None
    rate, length = other.sample_rate_hz, other.samples.length
    again = decimator.take(wave(other.samples, seconds_of(other) + length / rate, rate=rate))
    assert again is not None
    assert again.started_at == other.started_at


def test_a_clock_that_jitters_breaks_no_block() -> None:
    decimator = Decimator(100)
    kept = [decimator.take(wave(counts([at]), at / 500 + 0.004 * (at % 3))) for at in range(50)]
    assert sum(taken is not None for taken in kept) == 10


def test_a_frame_whose_counts_are_worth_something_else_goes_on_with_the_curve() -> None:
    decimator = Decimator(250)
    assert decimator.take(wave(counts([100], scale=0.01, offset=0.5))) is None
    taken = decimator.take(wave(counts([0], scale=0.001), 1 / 500))
    assert taken is not None
    assert taken.samples.rounded() == [0]
    assert decimator.take(wave(counts([500], scale=0.001), 2 / 500)) is None
    last = decimator.take(wave(counts([0], scale=0.01, offset=0.5), 3 / 500))
    assert last is not None
    assert last.samples.rounded() == [0.5]


def test_names_without_number_are_not_all_remembered() -> None:
    decimator = Decimator(100)
    for number in range(2 * MOST_CURVES):
        decimator.take(wave(counts([1]), leads=(str(number),)))
    assert len(decimator._curves) == MOST_CURVES
