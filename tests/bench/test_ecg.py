"""The frames of the benchmark are those that Tocsin reads and writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from app.modules.vitals.decoding import decode_msgpack
from app.modules.vitals.encoding import encode_json, encode_msgpack
from app.modules.vitals.frames import Waveform
from app.modules.vitals.samples import Counts
from bench.ecg import (
    FRAME_SECONDS,
    MILLIVOLTS_PER_COUNT,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_FRAME,
    ECGFrames,
    made_up_counts,
    to_timestamp,
)

TIMESTAMP = "2026-01-02T03:04:05.678901Z"


SIGNAL = made_up_counts()


def waveform(number: int, *, begin: int = 0) -> Waveform:
    frame = decode_msgpack(ECGFrames(SIGNAL).binary(number, TIMESTAMP, begin=begin))
    assert isinstance(frame, Waveform)
    return frame


def counts(number: int, *, begin: int = 0) -> list[int]:
    samples = waveform(number, begin=begin).samples
    assert isinstance(samples, Counts)
    return list(samples.integers())


def test_a_frame_is_taken_as_it_was_meant() -> None:
    frame = waveform(3)
    assert (frame.type, frame.leads, frame.unit, frame.seq) == ("ecg", ("II",), "mV", 3)
    assert frame.sample_rate_hz == SAMPLE_RATE_HZ
    assert frame.samples.length == SAMPLES_PER_FRAME == FRAME_SECONDS * SAMPLE_RATE_HZ
    assert frame.samples.values() == [count * MILLIVOLTS_PER_COUNT for count in counts(3)]


def test_frames_go_through_the_signal_and_begin_anew() -> None:
    of_signal = len(SIGNAL) // SAMPLES_PER_FRAME
    assert [count for number in range(of_signal) for count in counts(number)] == list(SIGNAL)
    assert counts(of_signal) == counts(0)
    assert counts(0, begin=7) == counts(7) != counts(0)


@pytest.mark.parametrize(("form", "encode"), [("json", encode_json), ("binary", encode_msgpack)])
def test_the_peers_viewers_get_the_bytes_that_ours_get(form: str, encode: Callable[[str, Waveform], bytes]) -> None:
    assert ECGFrames(SIGNAL).as_viewers_see_it("P1", 5, TIMESTAMP, form=form) == encode("P1", waveform(5))


def test_timestamps_are_as_tocsin_writes_them_also_on_a_whole_second() -> None:
    now = float(int(time.time()))
    for moment in (now, now + 0.000001, now + 0.5):
        timestamp = to_timestamp(moment)
        frame = decode_msgpack(ECGFrames(SIGNAL).binary(1, timestamp))
        assert isinstance(frame, Waveform)
        assert f'"timestamp":"{timestamp}"'.encode() in encode_json("P1", frame)


def test_frames_follow_each_other_without_a_gap() -> None:
    start = time.time()
    frames = [
        decode_msgpack(ECGFrames(SIGNAL).binary(number, to_timestamp(start + number * FRAME_SECONDS)))
        for number in range(100)
    ]
    times = [frame.started_at.timestamp() for frame in frames if isinstance(frame, Waveform)]
    assert all(abs(after - before - FRAME_SECONDS) < 0.000_01 for before, after in pairwise(times))
