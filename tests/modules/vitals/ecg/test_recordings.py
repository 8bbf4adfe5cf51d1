"""What was measured at bedsides; docs/heart-rate-from-ecg.md tells what was seen in each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.modules.vitals.ecg.examination import Reason
from app.modules.vitals.ecg.heart import Heart, State
from app.modules.vitals.ecg.rate import HeartRate
from tests.modules.vitals.ecg.player import BEGAN, Signal, annotated_beats, beats_of, play, record

#: The window within which a found beat is an annotated one (ANSI/AAMI EC57).
SAME_BEAT_SECONDS = 0.15

ALL = ["100", "v102s", "a103l", "03700181", "bidmc_01", "bidmc_49"]


def _matched(found: list[float], annotated: list[float]) -> int:
    """How many of the found beats are annotated ones, each once."""
    left, matched = list(annotated), 0
    for beat in found:
        nearest = min(left, key=lambda other: abs(other - beat), default=None)
        if nearest is not None and abs(nearest - beat) <= SAME_BEAT_SECONDS:
            left.remove(nearest)
            matched += 1
    return matched


def test_the_beats_and_the_rate_of_half_an_hour_are_those_of_the_annotators(recordings: Path) -> None:
    leads, rate_hz, names = record(recordings, "100")
    seconds = play(leads, rate_hz, names)
    annotated = annotated_beats(recordings, "100")
    assert len(annotated) == 2273

    found = beats_of(seconds)
    matched = _matched(found, annotated)
    assert matched / len(annotated) >= 0.99
    assert matched / len(found) >= 0.99
    assert len(seconds) >= 1804
    assert not any(second.is_asystole for second in seconds)

    reference, upcoming, near = HeartRate(), list(pairwise(annotated)), []
    for second in seconds:
        while upcoming and upcoming[0][1] <= second.at - BEGAN:
            before, beat = upcoming.pop(0)
            reference.add(beat, beat - before)
        if (expected := reference.at(second.at - BEGAN)) is not None:
            near.append(second.heart_rate is not None and abs(second.heart_rate - expected) <= 2)
    assert len(near) > 1790
    assert np.mean(near) >= 0.99


@pytest.mark.parametrize("name", ALL)
def test_no_recording_shows_an_asystole(recordings: Path, name: str) -> None:
    leads, rate_hz, names = record(recordings, name, seconds=600)
    for number in range(len(leads)):
        assert not any(second.is_asystole for second in play([leads[number]], rate_hz, [names[number]]))
    seconds = play(leads, rate_hz, names)
    assert not any(second.is_asystole for second in seconds)
    assert sum(second.heart_rate is not None for second in seconds) > 0.65 * len(seconds)


@pytest.mark.parametrize("start", np.arange(262, 306, 0.5).tolist())
def test_a_start_within_artefact_tells_no_wrong_rate(recordings: Path, start: float) -> None:
    """The heart beats at 121 to 129 /min; without the proof rates of 45 to 234 are told of these starts (seen)."""
    leads, rate_hz, names = record(recordings, "a103l")
    begins, ends = round(start * rate_hz), round(min(start + 24, 313) * rate_hz)
    seconds = play([lead[begins:ends] for lead in leads], rate_hz, names)
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([125] * len(rates), abs=25)
    assert not any(second.is_asystole for second in seconds)


def _stopped(signal: Signal, rate_hz: float, *, beats: list[float], at: float) -> Signal:
    """The recording with every beat after a moment cut away, from its P to its T wave; the rest is as it was."""
    stopped = signal.copy()
    for beat in beats:
        if beat > at:
            begins, ends = round((beat - 0.25) * rate_hz), min(round((beat + 0.45) * rate_hz), len(signal) - 1)
            stopped[begins:ends] = np.linspace(stopped[begins], stopped[ends], ends - begins)
    return stopped


@pytest.mark.parametrize("name", ["100", "a103l", "03700181", "bidmc_01", "bidmc_49"])
def test_a_recording_with_its_beats_cut_away_shows_an_asystole_in_time(recordings: Path, name: str) -> None:
    leads, rate_hz, names = record(recordings, name, seconds=60)
    beats = beats_of(play(leads[:1], rate_hz, names[:1]))
    last = beats[len(beats) // 2]
    stopped = _stopped(leads[0], rate_hz, beats=beats, at=last + 0.05)
    present = [second.at - BEGAN for second in play([stopped], rate_hz, names[:1]) if second.is_asystole]
    assert last + 4 <= present[0] <= last + 6


def _tail(name: str, length: int, rate_hz: float) -> Signal:
    """What a lead delivers that is no longer on the patient, or whose patient's heart has stopped."""
    at = np.arange(length) / rate_hz
    noise = np.random.default_rng(1).normal(size=length)
    tails: dict[str, Signal] = {
        "low noise": 0.005 * noise,
        "noise and wander": 0.02 * noise + 0.3 * np.sin(2 * np.pi * 0.3 * at),
        "constant": np.zeros(length),
        "rail": np.full(length, 5.0),
        "loud hum": 2 * np.sin(2 * np.pi * 50.02 * at),
        "hum": 0.2 * np.sin(2 * np.pi * 50.02 * at),
    }
    return tails[name]


@pytest.mark.parametrize("name", ["100", "bidmc_49"])
@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        ("low noise", None),
        ("noise and wander", None),
        ("constant", Reason.FLAT),
        ("rail", Reason.SATURATED),
        ("loud hum", Reason.NOISE),
        ("hum", Reason.NOISE),
    ],
)
def test_a_heart_that_stops_is_not_taken_for_a_lead_that_comes_off_nor_the_other_way(
    recordings: Path, name: str, tail: str, reason: Reason | None
) -> None:
    leads, rate_hz, names = record(recordings, name, seconds=60)
    beats = beats_of(play(leads[:1], rate_hz, names[:1]))
    last = beats[len(beats) // 2]
    cut = round((last + 0.5) * rate_hz)
    signal = np.concatenate([leads[0][:cut], _tail(tail, len(leads[0]) - cut, rate_hz)])
    seconds = play([signal], rate_hz, names[:1], heart=Heart())
    present = [second.at - BEGAN for second in seconds if second.is_asystole]
    if reason is None:
        assert last + 4 <= present[0] <= last + 6
    else:
        assert present == []
        assert (seconds[-1].quality.state, seconds[-1].quality.reason) == (State.BAD, reason)
        bad = [
            second.at - BEGAN for second in seconds if second.quality.state is State.BAD and second.at - BEGAN > last
        ]
        assert bad[0] <= last + 6.5
