"""The demo's waveforms: a heart that the server's own analysis follows, and curves that fit the numerics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from statistics import fmean

import pytest

from app.commands.demo.simulator import PATIENTS, Patient, Second, simulate
from app.commands.demo.waveforms import (
    ECG_HZ,
    ECG_SCALE,
    LOOKS,
    PLETH_HZ,
    RESP_HZ,
    Look,
    Waveforms,
    Waves,
    beat_waves,
    breath_at,
    pulse_waves,
)
from app.modules.vitals.ecg.heart import Heart, State
from app.modules.vitals.ecg.heart import Second as Found
from app.modules.vitals.samples import Counts, to_little_endian
from tests.modules.vitals.ecg.player import BEGAN

TWENTY_MINUTES = 1200

WELL = next(patient for patient in PATIENTS if patient.id == "bed-1")
EVENTFUL = next(patient for patient in PATIENTS if patient.id == "bed-3")
FAST = next(patient for patient in PATIENTS if patient.id == "bed-5")
LOOSE = next(patient for patient in PATIENTS if patient.electrode)


def made(patient: Patient, count: int, seed: int = 1) -> Iterator[tuple[Second, Waves, list[float]]]:
    """Each second of a patient, its waves and its beats."""
    waveforms = Waveforms(patient.id, seed)
    for second in islice(simulate(patient, seed), count):
        waves = waveforms.next(second)
        yield second, waves, waveforms.beats


def examined(patient: Patient, count: int, seed: int = 1) -> Iterator[tuple[Second, list[float], Found | None]]:
    """Each second of a patient, the beats that were made, and what the server's analysis finds."""
    heart = Heart()
    for number, (second, waves, beats) in enumerate(made(patient, count, seed)):
        if second.is_lead_off:
            yield second, [], None
            continue
        heart.take(("II",), ECG_HZ, BEGAN + number, Counts(to_little_endian(waves.ecg), (ECG_SCALE,), (0.0,)))
        yield second, beats, heart.look()


def leaves_out_no_beat(made_at: list[float], found_at: list[float]) -> bool:
    """Whether each of the beats made is one that was found, and the other way round."""
    return len(made_at) == len(found_at) and all(
        abs(mine - theirs) < 0.04 for mine, theirs in zip(made_at, found_at, strict=True)
    )


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_the_servers_analysis_finds_each_beat_and_nothing_to_alarm_in_twenty_minutes(patient: Patient) -> None:
    beats: list[float] = []
    found: list[float] = []
    shown: list[float] = []
    good_since = 0
    for number, (second, made_now, seen) in enumerate(examined(patient, TWENTY_MINUTES)):
        beats += made_now
        # Rates are means of twelve beats, and so of the last ten seconds or so.
        shown = [*shown[-15:], second.heart_rate]
        if second.is_lead_off:
            good_since = number + 1
        elif seen is not None:
            found += [at - BEGAN for at in seen.beats]
            assert seen.is_asystole is not True
            if number >= good_since + 4:
                assert seen.quality.state == State.GOOD
                assert seen.heart_rate is None or min(shown) - 3 < seen.heart_rate < max(shown) + 3
            if number >= good_since + 8:
                assert seen.heart_rate is not None
    if patient.electrode is None:
        assert leaves_out_no_beat([at for at in beats if found[0] - 0.1 < at < found[-1] + 0.1], found)
        assert found[0] < 2
        assert found[-1] > TWENTY_MINUTES - 2


@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_it_is_a_good_signal_of_a_beating_heart_whatever_chance_makes(patient: Patient, seed: int) -> None:
    for number, (_, _, seen) in enumerate(examined(patient, 70, seed)):
        if number >= 4:
            assert seen is not None
            assert (seen.quality.state, seen.is_asystole) == (State.GOOD, False if number > 4 else seen.is_asystole)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_the_heart_beats_as_often_as_the_monitor_shows(patient: Patient) -> None:
    seconds = list(made(patient, 600))
    for first in range(0, 600, 60):
        minute = seconds[first : first + 60]
        beats = sum(len(beats) for _, _, beats in minute)
        assert beats == pytest.approx(fmean(second.heart_rate for second, _, _ in minute), abs=2.5)


def test_beats_follow_the_breath_and_never_come_at_once() -> None:
    for patient in PATIENTS:
        beats = [at for _, _, beats in made(patient, 300) for at in beats]
        intervals = [later - earlier for earlier, later in pairwise(beats)]
        assert min(intervals) > 0.4
        assert max(intervals) < 1.6
        assert len({round(interval, 3) for interval in intervals}) > 20


def test_premature_beats_are_few_and_followed_by_a_pause() -> None:
    patient = next(patient for patient in PATIENTS if LOOKS[patient.id].premature_every_seconds)
    beats = [at for _, _, beats in made(patient, 600) for at in beats]
    intervals = [later - earlier for earlier, later in pairwise(beats)]
    usual = fmean(intervals)
    early = [place for place in range(1, len(intervals)) if intervals[place] < 0.75 * usual]
    assert 10 <= len(early) <= 30
    for place in early:
        assert intervals[place] + intervals[place + 1] == pytest.approx(2 * intervals[place - 1], rel=0.15)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_breaths_come_as_often_as_the_monitor_shows(patient: Patient) -> None:
    seconds = [(second, waves.resp) for second, waves, _ in made(patient, 120)]
    breath = [count for _, resp in seconds for count in smooth(list(resp))]
    rising = sum(before < 0 <= after for before, after in pairwise(breath))
    assert rising / 2 == pytest.approx(fmean(second.respiratory_rate for second, _ in seconds), abs=1.5)


def test_the_pulse_gets_smaller_as_oxygen_falls() -> None:
    heights = [max(waves.pleth) - min(waves.pleth) for _, waves, _ in made(EVENTFUL, 60)]
    assert fmean(heights[40:]) < 0.7 * fmean(heights[2:8])


def test_each_pulse_comes_after_its_beat_with_a_notch() -> None:
    pulse, echo = pulse_waves(1.0, 0.4, 0.85)
    assert 0.3 < pulse.centre < 0.4
    assert pulse.centre + 2 * pulse.after < echo.centre + echo.after < 0.85
    seconds = list(made(WELL, 30))
    pleth = [count for _, waves, _ in seconds for count in waves.pleth]
    for at in [at for _, _, beats in seconds for at in beats][2:-2]:
        foot, peak = (round((at + after) * PLETH_HZ) for after in (0.15, pulse.centre))
        assert pleth[peak] > pleth[foot] + 800


@pytest.mark.parametrize("interval", [0.45, 0.6, 0.8, 1.0, 1.2])
def test_the_t_wave_comes_earlier_with_a_faster_heart_and_ends_before_the_next_beat(interval: float) -> None:
    waves = beat_waves(Look(), interval)
    t, slower = waves[-1], beat_waves(Look(), 1.2)[-1]
    assert t.centre <= slower.centre
    assert waves[2].after < t.centre - 2 * t.before
    assert t.centre + 2 * t.after < interval - 0.05


def test_a_breath_is_one_curve_without_a_jump() -> None:
    breath = [breath_at(step / 1000) for step in range(1000)]
    assert [min(breath), max(breath)] == pytest.approx([-0.5, 0.5], abs=1e-3)
    assert max(abs(after - before) for before, after in pairwise([*breath, breath[0]])) < 0.01


def test_no_two_patients_look_alike_and_the_same_seed_gives_the_same_curves() -> None:
    assert len({LOOKS[patient.id] for patient in PATIENTS}) == len(PATIENTS)
    first, again, other = ([waves for _, waves, _ in made(WELL, 5, seed)] for seed in (1, 1, 2))
    assert first == again != other


def test_seconds_are_whole_and_join_without_a_step() -> None:
    seconds = [waves for _, waves, _ in made(FAST, 200)]
    assert {tuple(map(len, waves)) for waves in seconds} == {(ECG_HZ, PLETH_HZ, RESP_HZ)}
    for before, after in pairwise(seconds):
        assert abs(after.pleth[0] - before.pleth[-1]) < 250
        assert abs(after.resp[0] - before.resp[-1]) < 100


def smooth(counts: list[int], width: int = 25) -> list[float]:
    return [fmean(counts[first : first + width]) for first in range(0, len(counts), width)]
