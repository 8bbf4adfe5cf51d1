from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.strips.chunks import CHUNK_BYTES
from app.modules.strips.recorder import KEPT_SECONDS, MOST_TRACKS, PATIENT_BYTES, QUIET_SECONDS
from app.modules.vitals.frames import Waveform
from tests.modules.strips.curves import RATE, Bench, at, counts, frame, numbers

MINUTE = int(KEPT_SECONDS * RATE)


@st.composite
def splittings(draw: st.DrawFn) -> list[tuple[int, int]]:
    """A curve cut into frames that are longer than 20 ms, as (first sample, length)."""
    lengths = draw(st.lists(st.integers(6, 40), min_size=1, max_size=40))
    firsts = [sum(lengths[:place]) for place in range(len(lengths))]
    return list(zip(firsts, lengths, strict=True))


@given(splittings(), st.randoms(use_true_random=False), st.data())
def test_frames_in_any_order_split_anyhow_and_doubled_give_the_same_cut(
    splitting: list[tuple[int, int]], chance: random.Random, data: st.DataObject
) -> None:
    """A gap stays a gap."""
    total = sum(splitting[-1])
    lost = {it for it in splitting[:-1] if data.draw(st.booleans())}
    sent = [it for it in splitting if it not in lost]
    overlapping = data.draw(st.lists(st.sampled_from(sent), max_size=5))
    order = [*sent, *overlapping]
    chance.shuffle(order)
    bench = Bench()
    bench.clock.moment = at(total)
    bench.take(*(frame(first, length, leads=("I", "II")) for first, length in order))

    expected: list[tuple[int, int]] = []
    for first, length in sent:
        if expected and sum(expected[-1]) == first:
            expected[-1] = expected[-1][0], expected[-1][1] + length
        else:
            expected.append((first, length))
    one, two = bench.cut()
    for lead, trace in enumerate((one, two)):
        assert (trace.lead, trace.unit) == (("I", "II")[lead], "mV")
        found = [(segment.started_at, tuple(segment.integers())) for segment in trace.segments]
        assert found == [(at(first), counts(first, length, lead)) for first, length in expected]


@given(splittings(), st.integers(-5, 1700), st.integers(-5, 1700), st.integers(6, 20))
def test_a_cut_has_exactly_the_samples_of_its_time(
    splitting: list[tuple[int, int]], since: int, until: int, longer: int
) -> None:
    """Also where frames overlap each other, as those of two senders do.

    Fails when nothing is trimmed, and when it is cut before it is joined (both checked so).
    """
    total = sum(splitting[-1])
    bench = Bench()
    bench.clock.moment = at(total)
    bench.take(*(frame(first, min(length + longer, total - first)) for first, length in splitting))
    wanted = counts(max(since, 0), min(until, total) - max(since, 0)) if until > since else ()
    traces = bench.cut(since, until)
    found = [segment for trace in traces for segment in trace.segments]
    assert [tuple(segment.integers()) for segment in found] == ([wanted] if wanted else [])
    if found:
        assert found[0].started_at == found[0].device_started_at == at(max(since, 0))


def test_frames_stamped_by_a_shaky_hand_follow_each_other() -> None:
    bench = Bench()
    chance = random.Random(1)
    for first in range(0, 2500, 50):
        bench.clock.moment = at(first + 50) + timedelta(seconds=0.02)
        bench.take(frame(first, 50, ahead_seconds=chance.uniform(-0.008, 0.008)))
    ((_, samples),) = bench.pieces()
    assert tuple(samples) == counts(0, 2500)


def test_a_lost_frame_of_twenty_five_milliseconds_is_seen() -> None:
    bench = Bench()
    bench.stream(0, 100, length=10)
    bench.stream(107, 207, length=10)
    assert [(place, len(samples)) for place, samples in bench.pieces()] == [(0, 100), (107, 100)]


def test_a_lost_frame_is_seen_where_frames_are_short() -> None:
    """Fails when frames may be off by the same time whatever their length (checked so)."""
    bench = Bench()
    bench.stream(0, 50, length=5, rate=500.0)
    bench.stream(55, 100, length=5, rate=500.0)
    assert [(place, len(samples)) for place, samples in bench.pieces()] == [(0, 50), (55, 45)]


def test_a_change_of_rate_or_scale_or_unit_begins_anew() -> None:
    bench = Bench()
    bench.stream(0, 100)
    bench.stream(200, 400, rate=500.0)
    bench.stream(200, 300, scale=0.001)
    (trace,) = bench.cut()
    assert [(s.sample_rate_hz, s.scale, s.length) for s in trace.segments] == [
        (250, 0.005, 100), (500, 0.005, 200), (250, 0.001, 100),
    ]  # fmt: skip
    bench.stream(300, 400, unit="uV")
    assert [trace.unit for trace in bench.cut()] == ["mV", "uV"]


def test_leads_that_come_alone_and_together_are_one_trace_each() -> None:
    bench = Bench()
    bench.stream(0, 100, leads=("I", "II"))
    bench.stream(100, 200, leads=("I",))
    bench.stream(200, 300, leads=("II", "I"))
    traces = {trace.lead: trace.segments for trace in bench.cut()}
    assert [segment.length for segment in traces["I"]] == [300]
    assert [segment.length for segment in traces["II"]] == [100, 100]


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_seconds", [-55.0, -2.5, 0.0, 3.0, 50.0])
def test_a_cut_is_in_our_time_whatever_the_devices_clock_shows(ahead_seconds: float) -> None:
    bench = Bench()
    bench.stream(0, 5000, ahead_seconds=ahead_seconds)
    (trace,) = bench.cut(1000, 1500)
    (segment,) = trace.segments
    assert tuple(segment.integers()) == counts(1000, 500)
    assert abs((segment.started_at - at(1000)).total_seconds()) < 1e-5
    assert segment.device_started_at == at(1000) + timedelta(seconds=ahead_seconds)


def test_one_frame_that_came_late_moves_nothing() -> None:
    bench = Bench()
    bench.stream(0, 975)
    bench.stream(975, 1000, way_seconds=0.9)
    ((place, samples),) = bench.pieces()
    assert (place, tuple(samples)) == (0, counts(0, 1000))


def test_leads_of_one_device_stay_aligned_though_their_frames_took_different_ways() -> None:
    """Fails when each set of leads has a delay of its own (checked so)."""
    bench = Bench()
    for first in range(0, 1000, 25):
        for lead, way in (("I", 0.011), ("II", 0.130)):
            bench.clock.moment = at(first + 25) + timedelta(seconds=way)
            bench.take(frame(first, 25, leads=(lead,)))
    one, two = bench.cut(200, 300)
    assert one.segments[0].started_at == two.segments[0].started_at
    assert one.segments[0].counts == two.segments[0].counts


def test_a_clock_that_is_set_back_loses_a_few_seconds_and_not_a_minute() -> None:
    """Fails when what is held is never let go for it (checked so): nothing comes in for half a minute."""
    bench = Bench()
    bench.stream(0, 10_000)
    bench.stream(10_000, 15_000, ahead_seconds=-30)
    ((place, samples),) = bench.pieces(12_500, 14_000)
    assert (round(place), tuple(samples)) == (12_500, counts(12_500, 1500))


def test_two_devices_that_send_the_same_lead_do_not_drive_each_other_out() -> None:
    """Their clocks are apart. Fails when the one that is behind is taken for a clock set back (checked so)."""
    bench = Bench()
    for first in range(0, 2500, 25):
        bench.clock.moment = at(first + 25)
        bench.take(frame(first, 25), frame(first, 25, ahead_seconds=-3))
    ((place, samples),) = bench.pieces(1000, 2500)
    assert (place, tuple(samples)) == (1000, counts(1000, 1500))


def test_a_device_that_sends_its_last_seconds_again_loses_none() -> None:
    bench = Bench()
    bench.stream(0, 2500)
    bench.clock.advance(timedelta(seconds=10))
    bench.take(*(frame(first, 25) for first in range(1000, 2500, 25)))
    bench.take(*(frame(first, 25) for first in range(2500, 5000, 25)))
    ((_, samples),) = bench.pieces()
    assert tuple(samples) == counts(0, 5000)


@pytest.mark.parametrize("ahead_seconds", [-61, -3600, 61])
def test_an_old_recording_is_not_taken_for_the_present(ahead_seconds: float) -> None:
    bench = Bench()
    bench.stream(0, 100, ahead_seconds=ahead_seconds)
    assert (bench.cut(), len(bench.recorder)) == ((), 0)


# --- what came as JSON ----------------------------------------------------------------------------


def test_short_decimals_come_back_as_they_were() -> None:
    bench = Bench()
    sent = [0.12, -0.004, 1.1234, 3.2767, 0.0, 0.145]
    bench.clock.moment = at(12)
    bench.take(numbers(0, *sent), numbers(6, *reversed(sent)))
    ((trace),) = bench.cut()
    (segment,) = trace.segments
    assert segment.values() == [*sent, *reversed(sent)]


def test_a_curve_far_from_zero_keeps_its_shape() -> None:
    bench = Bench()
    bench.clock.moment = at(3)
    bench.take(numbers(0, 100_000.25, 100_012.5, 100_003, lead=None, type="pleth", unit=""))
    ((trace),) = bench.cut()
    assert trace.segments[0].values() == [100_000.25, 100_012.5, 100_003]


@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20), min_size=1, max_size=5
    )
)
def test_no_number_however_odd_raises(rows: list[list[float]]) -> None:
    bench = Bench()
    bench.clock.moment = at(100)
    for place, row in enumerate(rows):
        bench.take(numbers(place * 20, *row, lead=None, type="pleth", unit=""))
    for trace in bench.cut():
        for segment in trace.segments:
            assert all(abs(value) < 1e18 for value in segment.values())


# --- bounds ---------------------------------------------------------------------------------------


def test_a_minute_is_kept_and_what_is_older_goes() -> None:
    """Kept by the device's time: 60 s, and at most a chunk of 5 s more."""
    bench = Bench()
    bench.stream(0, 3 * MINUTE)
    ((place, samples),) = bench.pieces()
    assert MINUTE <= len(samples) <= MINUTE + 5 * RATE + 25
    assert tuple(samples) == counts(round(place), len(samples))


def test_a_minute_of_one_lead_takes_little_more_than_its_bytes() -> None:
    """500 Hz in frames of 50 ms: 60 kB are samples, and up to 65 s are held."""
    bench = Bench()
    bench.stream(0, 100_000, rate=500.0)
    assert 60_000 < bench.recorder.size < 90_000


def test_a_chunk_takes_no_more_than_it_is_counted_with() -> None:
    bench = Bench()
    bench.stream(0, 25)
    ((chunk,),) = bench.recorder._patients["P1"].tracks.values()
    parts = [getattr(chunk, name) for name in chunk.__slots__]
    taken = sys.getsizeof(chunk) + sum(map(sys.getsizeof, parts)) + sum(map(sys.getsizeof, chunk.shape))
    assert taken <= CHUNK_BYTES + 25 * 2 + 4


@pytest.mark.parametrize(
    ("times", "frames"),
    [
        (100, lambda n: frame(n * 2000, 2000, rate=2000.0, leads=tuple(f"V{lead}" for lead in range(16)))),
        (6000, lambda n: frame(n * 2, 1, leads=(None,))),  # a gap behind each sample
        (6000, lambda n: frame(n, 1, scale=0.005 + n / 1e6)),
        (6000, lambda n: frame(n, 1, leads=(f"lead {n}",))),
        (6000, lambda n: frame(-n * 2, 1)),
    ],
    ids=["wide", "gaps", "scales", "leads", "backwards"],
)
def test_whatever_a_device_sends_one_patient_is_bounded(times: int, frames: Callable[[int], Waveform]) -> None:
    bench = Bench()
    most = 0
    for number in range(times):
        waveform = frames(number)
        bench.clock.moment = max(bench.clock.moment, waveform.started_at)
        bench.take(waveform)
        most = max(most, bench.recorder.size)
    assert most <= PATIENT_BYTES
    (patient,) = bench.recorder._patients.values()
    assert len(patient.tracks) <= MOST_TRACKS
    assert patient.size == sum(chunk.size for track in patient.tracks.values() for chunk in track)


def test_patients_share_what_there_is_and_keep_the_newest() -> None:
    bench = Bench(limit_bytes=1 << 20)
    for first in range(0, 2 * MINUTE, 250):
        for number in range(40):
            bench.clock.moment = at(first + 250)
            bench.take(frame(first, 250), patient=f"P{number}")
    assert len(bench.recorder) == 40
    # Each may exceed their share until their next chunk begins.
    assert bench.recorder.size < 1.3 * (1 << 20)
    for number in range(40):
        ((place, samples),) = bench.pieces(patient=f"P{number}")
        assert place + len(samples) == pytest.approx(2 * MINUTE)
        assert len(samples) > 15 * RATE


def test_who_was_quiet_for_long_is_forgotten() -> None:
    bench = Bench()
    bench.stream(0, 25, patient="P1")
    bench.stream(0, 25, patient="P2")
    bench.clock.advance(timedelta(seconds=QUIET_SECONDS - 1))
    bench.take(frame(int((QUIET_SECONDS - 1) * RATE), 25), patient="P1")
    bench.clock.advance(timedelta(seconds=1))
    bench.recorder.forget_quiet()
    assert (len(bench.recorder), bench.cut(patient="P2")) == (1, ())
    assert bench.cut(patient="P1") != ()


def test_a_lead_that_stopped_is_forgotten_while_others_go_on() -> None:
    bench = Bench()
    bench.stream(0, 250, leads=("I",))
    bench.stream(0, 2 * MINUTE, leads=("II",))
    assert [trace.lead for trace in bench.cut()] == ["II"]
