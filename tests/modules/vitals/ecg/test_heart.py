from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.modules.vitals.ecg.examination import Reason
from app.modules.vitals.ecg.heart import MOST_LEADS, Heart, Quality, State
from app.modules.vitals.samples import Numbers
from tests.modules.vitals.ecg.player import (
    BEGAN,
    Signal,
    beats,
    beats_of,
    counts,
    ecg,
    follow,
    frames,
    of_50_ms,
    play,
    quiet,
)

RATE = 250.0
SECONDS = 24.0
TIMES = beats(75, until=SECONDS)
SIGNAL = ecg(TIMES, SECONDS, RATE)


@pytest.mark.parametrize("rate_hz", [100, 125, 187.3, 250, 360, 500, 1000])
def test_each_beat_is_given_out_once_in_order_and_the_rate_is_right(rate_hz: float) -> None:
    seconds = play([ecg(TIMES, SECONDS, rate_hz)], rate_hz)
    found = beats_of(seconds)
    expected = [at for at in TIMES if found[0] - 0.1 < at <= found[-1] + 0.1]
    assert found == pytest.approx(expected, abs=0.02)
    assert found[0] < 2
    assert found[-1] > SECONDS - 2.2
    assert [second.heart_rate for second in seconds[-15:]] == pytest.approx([75] * 15, abs=0.5)
    assert all(second.quality == Quality("II", State.GOOD) for second in seconds[-15:])


@pytest.mark.parametrize("rate", [61, 75, 113])
def test_a_beat_is_given_out_within_a_second_and_a_third(rate: int) -> None:
    seconds = play([ecg(beats(rate, until=SECONDS), SECONDS, RATE)], RATE)
    late = [second.at - at for second in seconds[5:] for at in second.beats]
    assert min(late) >= 0.3 - 1e-6
    assert max(late) < 1.35


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(3, 250), min_size=1, max_size=40))
def test_the_same_beats_are_found_however_the_samples_are_cut_into_frames(lengths: list[int]) -> None:
    sent = frames([SIGNAL], RATE, itertools.cycle(lengths))
    in_any_frames = follow(Heart(), ("II",), RATE, sent)
    in_frames_of_50_ms = play([SIGNAL], RATE)
    assert beats_of(in_any_frames) == pytest.approx(beats_of(in_frames_of_50_ms), abs=1e-4)
    assert [second.heart_rate for second in in_any_frames] == pytest.approx(
        [second.heart_rate for second in in_frames_of_50_ms], abs=1e-3
    )


@settings(max_examples=25, deadline=None)
@given(pauses=st.lists(st.integers(1, 120), min_size=1, max_size=20))
def test_no_beat_is_lost_or_doubled_when_several_seconds_are_looked_at_as_one(pauses: list[int]) -> None:
    heart, seconds, left = Heart(), [], itertools.cycle(pauses)
    until_look = next(left)
    sent = list(frames([SIGNAL], RATE, of_50_ms(RATE)))
    for number, (started_at, samples) in enumerate(sent, 1):
        heart.take(("II",), RATE, started_at, samples)
        until_look -= 1
        if until_look == 0 or number == len(sent):
            until_look = next(left)
            if (second := heart.look()) is not None:
                seconds.append(second)
    found = beats_of(seconds)
    assert found == pytest.approx([at for at in TIMES if found[0] - 0.1 < at <= found[-1] + 0.1], abs=0.02)
    assert found[0] < 2


def test_a_lost_frame_makes_no_false_interval() -> None:
    """Each lost frame holds a beat; the rate would be 69 with one of ten intervals doubled."""
    signal = ecg(beats(75, until=60), 60, RATE)
    sent = [frame for number, frame in enumerate(frames([signal], RATE, of_50_ms(RATE))) if number % 96 != 10]
    seconds = follow(Heart(), ("II",), RATE, sent)
    assert beats_of(seconds)[-1] - beats_of(seconds)[-2] == pytest.approx(0.8, abs=0.02)
    assert max(np.diff(beats_of(seconds))) == pytest.approx(1.6, abs=0.02)
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert len(rates) > 45
    assert rates == pytest.approx([75] * len(rates), abs=0.5)
    assert not any(second.is_asystole for second in seconds)


def test_a_pause_of_the_device_makes_no_false_interval_and_no_asystole() -> None:
    sent = list(frames([ecg(beats(75, until=60), 60, RATE)], RATE, of_50_ms(RATE)))
    seconds = follow(Heart(), ("II",), RATE, sent[:300] + sent[340:460] + sent[500:620] + sent[660:])
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([75] * len(rates), abs=0.5)
    assert not any(second.is_asystole for second in seconds)
    assert seconds[-1].heart_rate is not None


def test_a_device_that_changes_its_rate_is_followed() -> None:
    heart = Heart()
    first = play([SIGNAL], RATE, heart=heart)
    sent = frames([ecg(TIMES, SECONDS, 500)], 500, of_50_ms(500), began=BEGAN + SECONDS)
    second = follow(heart, ("II",), 500, sent)
    assert first[-1].heart_rate == pytest.approx(75, abs=0.5)
    assert second[-1].heart_rate == pytest.approx(75, abs=0.5)
    found = beats_of(first + second)
    assert found == sorted(found)
    assert min(np.diff(found)) > 0.5


def test_microvolts_and_a_lead_without_a_name_are_as_good() -> None:
    heart, seconds = Heart(), []
    for started_at, samples in frames([SIGNAL], RATE, of_50_ms(RATE)):
        row = tuple(value * 1000 for value in samples.values())
        heart.take((None,), RATE, started_at, Numbers((row,)), millivolts=0.001)
        if (second := heart.look()) is not None:
            seconds.append(second)
    assert seconds[-1].quality == Quality(None, State.GOOD)
    assert seconds[-1].heart_rate == pytest.approx(75, abs=0.5)


def test_another_lead_is_followed_when_the_first_turns_bad() -> None:
    off = SIGNAL.copy()
    off[round(12 * RATE) :] = 0
    seconds = play([off, SIGNAL], RATE, ["II", "V"])
    assert seconds[10].quality == Quality("II", State.GOOD)
    assert seconds[-1].quality == Quality("V", State.GOOD)
    assert all(second.quality.state is State.GOOD for second in seconds[4:])
    found = beats_of(seconds)
    assert min(np.diff(found)) > 0.7
    assert max(np.diff(found)) < 0.9
    assert [second.heart_rate for second in seconds[9:]] == pytest.approx([75] * len(seconds[9:]), abs=0.5)


def test_a_lead_that_is_sent_apart_is_followed_when_the_first_is_sent_no_more() -> None:
    heart, seconds = Heart(), []
    for number, (started_at, samples) in enumerate(frames([SIGNAL], RATE, of_50_ms(RATE))):
        for name in ("II", "V") if number < 240 else ("V",):
            heart.take((name,), RATE, started_at, samples)
        if (second := heart.look()) is not None:
            seconds.append(second)
    assert seconds[8].quality == Quality("II", State.GOOD)
    assert seconds[-1].quality == Quality("V", State.GOOD)
    assert seconds[-1].heart_rate == pytest.approx(75, abs=0.5)
    assert not any(second.is_asystole for second in seconds)


def test_a_heart_that_beats_on_another_lead_does_not_stand_still() -> None:
    silent = np.concatenate([SIGNAL[: round(12 * RATE)], quiet(12, RATE)])
    seconds = play([silent, SIGNAL], RATE, ["II", "V"])
    assert not any(second.is_asystole for second in seconds)
    assert seconds[-1].quality == Quality("V", State.GOOD)
    assert play([silent], RATE)[-1].is_asystole


def test_a_heart_that_stops_is_found_in_four_to_six_seconds_and_one_that_starts_again_too() -> None:
    times = beats(75, until=20) + beats(75, since=40.3, until=60)
    seconds = play([ecg(times, 60, RATE)], RATE)
    present = [second.at - BEGAN for second in seconds if second.is_asystole]
    last = beats(75, until=20)[-1]
    assert last + 4 <= present[0] <= last + 6
    assert 40.3 < present[-1] < 40.3 + 4
    assert not any(second.heart_rate for second in seconds if second.is_asystole)


def test_one_knock_on_the_bed_ends_no_asystole() -> None:
    seconds = play([ecg([*beats(75, until=20), 32.0], 40, RATE)], RATE)
    assert seconds[-1].is_asystole
    assert any(at == pytest.approx(32, abs=0.05) for at in beats_of(seconds))


def test_a_lead_that_is_taken_off_while_the_heart_stands_still_does_not_end_it() -> None:
    signal = ecg(beats(75, until=12), SECONDS, RATE)
    signal[round(19 * RATE) :] = 0
    last = play([signal], RATE)[-1]
    assert last.is_asystole
    assert last.quality == Quality("II", State.BAD, Reason.FLAT)


@pytest.mark.parametrize("seed", range(3))
def test_noise_gives_no_beats_and_hardly_moves_the_rate(seed: int) -> None:
    signal = ecg(beats(75, until=60), 60, RATE)
    begins, ends = round(20 * RATE), round(30 * RATE)
    signal[begins:ends] += np.random.default_rng(seed).normal(0, 1, ends - begins)
    seconds = play([signal], RATE)
    noisy = [second for second in seconds if 23 <= second.at - BEGAN <= 31]
    assert {second.quality.state for second in noisy} == {State.BAD}
    assert not any(23 < at < 30 for at in beats_of(seconds))
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([75] * len(rates), abs=25)
    assert rates[-15:] == pytest.approx([75] * 15, abs=0.5)


def test_p_waves_go_on_when_the_chambers_stand_still() -> None:
    """These are larger than the smallest beats of others; they are small beside what this lead has shown."""
    signal = ecg(beats(75, until=20), 45, RATE)
    at = np.arange(len(signal)) / RATE
    for p_wave in np.arange(20.5, 45, 0.7):
        signal += 0.28 * np.exp(-(((at - p_wave) / 0.03) ** 2) / 2)
    present = [second.at - BEGAN for second in play([signal], RATE) if second.is_asystole]
    assert present[0] <= beats(75, until=20)[-1] + 6
    assert present[-1] == pytest.approx(45, abs=0.1)


def test_smaller_beats_are_learned_after_half_a_minute() -> None:
    signal = np.concatenate([ecg(beats(75, until=20), 20, RATE), 0.25 * ecg(beats(75, until=60), 60, RATE)])
    seconds = play([signal], RATE)
    present = [second.at - BEGAN for second in seconds if second.is_asystole]
    assert present[0] < 26
    assert 48 < present[-1] < 60
    assert seconds[-1].heart_rate == pytest.approx(75, abs=0.5)


def test_no_interval_lasts_from_one_lead_to_another() -> None:
    """The line of V begins five seconds later, and the leads come off in turns."""
    heart, seconds = Heart(), []
    signal = ecg(beats(75, until=60), 60, RATE)
    for number, (started_at, samples) in enumerate(frames([signal], RATE, of_50_ms(RATE))):
        off = counts([np.zeros(samples.length)])
        is_v_off = (number // 80) % 2 == 0
        heart.take(("II",), RATE, started_at, samples if is_v_off or number < 240 else off)
        if number >= 100:
            heart.take(("V",), RATE, started_at, off if is_v_off and number >= 240 else samples)
        if (second := heart.look()) is not None:
            seconds.append(second)
    assert len({second.quality.lead for second in seconds}) == 2
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([75] * len(rates), abs=0.5)


def test_nothing_is_said_of_a_heart_that_was_never_seen() -> None:
    seconds = play([quiet(SECONDS, RATE)], RATE)
    assert {second.is_asystole for second in seconds} == {None}
    assert seconds[0].quality.state is State.UNKNOWN
    assert seconds[-1].quality == Quality("II", State.BAD, Reason.NO_BEATS)


def test_a_clock_that_is_put_back_stops_nothing() -> None:
    heart = Heart()
    play([SIGNAL], RATE, heart=heart)
    again = follow(heart, ("II",), RATE, frames([SIGNAL], RATE, of_50_ms(RATE), began=BEGAN - 86_400))
    assert again[-1].at == pytest.approx(BEGAN - 86_400 + SECONDS, abs=1)
    assert again[-1].heart_rate == pytest.approx(75, abs=0.5)


def test_no_more_than_four_leads_are_kept_and_those_that_are_gone_make_room() -> None:
    heart = Heart()
    for number in range(20):
        heart.take((f"L{number}",), RATE, BEGAN, counts([SIGNAL[:12]]))
    assert len(heart.leads) == MOST_LEADS
    heart.look()
    heart.take(("new",), RATE, BEGAN + 60, counts([SIGNAL[:12]]))
    assert heart.leads == ["new"]


def test_a_signal_too_slow_to_show_a_beat_is_left_alone() -> None:
    assert play([SIGNAL[::5]], 50.0) == []


def _with_pulled_electrode(signal: Signal, times: list[float]) -> Signal:
    """Each pull is several times as large as a beat, and like the others."""
    at = np.arange(len(signal)) / RATE
    return signal + sum(5 * np.exp(-(((at - pull) / 0.03) ** 2) / 2) for pull in times)


PULLS = [0.7, 1.1, 2.6, 2.9, 4.1, 4.4, 6.0, 6.4]


def test_what_begins_with_a_pulled_electrode_makes_no_rate_until_a_heart_is_seen() -> None:
    """Without the proof, 105 to 125 /min are told of a heart of 75, and then nothing (checked so)."""
    seconds = play([_with_pulled_electrode(SIGNAL, PULLS)], RATE)
    assert [second.quality for second in seconds[3:6]] == [Quality("II", State.BAD, Reason.NOISE)] * 3
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([75] * len(rates), abs=1)
    assert len(rates) >= 12
    assert all(at > 6.4 for at in beats_of(seconds))


def test_after_a_long_hole_the_heart_is_to_be_seen_anew() -> None:
    signal = np.concatenate([SIGNAL, _with_pulled_electrode(SIGNAL, PULLS)])
    sent = list(frames([signal], RATE, of_50_ms(RATE)))
    hole = round(SECONDS * 20)
    seconds = follow(Heart(), ("II",), RATE, sent[: hole - 30] + sent[hole:])
    rates = [second.heart_rate for second in seconds if second.heart_rate is not None]
    assert rates == pytest.approx([75] * len(rates), abs=1)
    assert not any(second.is_asystole for second in seconds)


@pytest.mark.parametrize("seed", range(5))
def test_a_heart_that_fibrillates_from_the_start_has_a_rate_within_a_quarter_of_a_minute(seed: int) -> None:
    intervals = np.random.default_rng(seed).normal(0.7, 0.17, 60).clip(0.35)
    seconds = play([ecg(np.cumsum(intervals), 40, RATE)], RATE)
    assert all(second.heart_rate for second in seconds[15:])
    assert all(second.quality.state is State.GOOD for second in seconds[15:])


def test_a_heart_whose_beats_are_as_unequal_as_artefact_is_believed_after_some_time() -> None:
    """Each fifth beat is four times as large; without `BELIEVED_SECONDS` there is never a rate (checked so)."""
    signal = ecg(beats(75, until=60), 60, RATE)
    for beat in beats(75, until=60)[2::5]:
        begins = round((beat - 0.12) * RATE)
        signal[begins : begins + 60] *= 4
    seconds = play([signal], RATE)
    first = next(second.at - BEGAN for second in seconds if second.heart_rate is not None)
    assert 20 < first < 30
    assert [second.heart_rate for second in seconds[30:]] == pytest.approx([75] * len(seconds[30:]), abs=1)


def test_a_heart_that_stops_in_the_first_seconds_is_found() -> None:
    signal = ecg(beats(75, until=2.5), 20, RATE)
    present = [second.at - BEGAN for second in play([signal], RATE) if second.is_asystole]
    assert present[0] <= beats(75, until=2.5)[-1] + 6


def test_a_lead_that_is_looked_at_first_when_another_falls_silent_needs_no_proof() -> None:
    """An irregular heart on it is no asystole; it is one where each lead has to prove itself (checked so)."""
    times = np.cumsum([0.4, 1.3, 0.5, 0.9, 1.1] * 8).tolist()
    both = ecg(times, 30, RATE)
    silent = np.concatenate([both[: round(14 * RATE)], quiet(16, RATE)])
    assert not any(second.is_asystole for second in play([silent, both], RATE, ["II", "V"]))
    # It has not proven itself when it stops (checked so).
    assert play([silent], RATE)[-1].is_asystole


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([("II",), ("II", "V"), (None,)]),
            st.sampled_from([100.0, 250.0, 999.9]),
            st.floats(-20, 20),
            st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60),
            st.integers(1, 40),
        ),
        max_size=30,
    )
)
def test_whatever_comes_nothing_is_raised(
    sent: list[tuple[tuple[str | None, ...], float, float, list[float], int]],
) -> None:
    heart = Heart()
    for leads, rate_hz, at, values, times in sent:
        heart.take(leads, rate_hz, BEGAN + at, Numbers((tuple(values * times),) * len(leads)))
        heart.look()


@pytest.mark.parametrize("ahead_seconds", [5, 30, 59])
def test_one_frame_of_another_device_whose_clock_is_ahead_hides_no_asystole(ahead_seconds: float) -> None:
    """With the devices' clocks to say which lead is gone, none is found at 30 and 59 s (seen); at 5 s it is."""
    signal = np.concatenate([SIGNAL, quiet(8, RATE)])
    heart, seconds = Heart(), []
    for number, (started_at, samples) in enumerate(frames([signal], RATE, of_50_ms(RATE))):
        if number == 300:
            other = counts([quiet(0.1, RATE)])
            heart.take((None,), RATE, started_at + ahead_seconds, other, heard_at=started_at)
        heart.take(("II",), RATE, started_at, samples, heard_at=started_at)
        if (second := heart.look()) is not None:
            seconds.append(second)
    first = next(second for second in seconds if second.is_asystole)
    assert first.at - BEGAN - SECONDS < 5
