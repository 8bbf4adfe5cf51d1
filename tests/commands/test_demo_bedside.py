"""What the demo's monitors send is what the protocol takes, in order and without a gap."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from app.commands.demo.bedside import FRAMES_HZ, Bedside
from app.commands.demo.simulator import PATIENTS
from app.modules.vitals.decoding import decode_json, decode_waveform
from app.modules.vitals.frames import LeadStatus, Reading, Waveform

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

WELL = next(patient for patient in PATIENTS if patient.id == "bed-1")
LOOSE = next(patient for patient in PATIENTS if patient.electrode)


def sent(bedside: Bedside, seconds: int) -> list[tuple[float, Waveform | Reading | LeadStatus]]:
    """What is sent in so many seconds, and when, as the server reads it."""
    frames: list[tuple[float, Waveform | Reading | LeadStatus]] = []
    bedside.connected()
    for second in range(seconds):
        for due, message in bedside.next_second(START + timedelta(seconds=second)):
            frame = decode_json(message) if isinstance(message, str) else decode_waveform(message)
            assert isinstance(frame, Waveform | Reading | LeadStatus)
            frames.append((second + due, frame))
    return frames


def curves(frames: list[tuple[float, Waveform | Reading | LeadStatus]], kind: str) -> list[tuple[float, Waveform]]:
    return [(due, frame) for due, frame in frames if isinstance(frame, Waveform) and frame.type == kind]


@pytest.mark.parametrize(
    ("kind", "rate_hz", "lead"), [("ecg", 250, "II"), ("pleth", 125, None), ("resp_wave", 125, None)]
)
def test_each_frame_begins_where_the_one_before_ended_and_is_sent_when_it_is_complete(
    kind: str, rate_hz: int, lead: str | None
) -> None:
    frames = curves(sent(Bedside(WELL), 20), kind)
    assert len(frames) == 20 * FRAMES_HZ
    assert sum(frame.samples.length for _, frame in frames) == 20 * rate_hz
    assert {(frame.sample_rate_hz, frame.leads) for _, frame in frames} == {(rate_hz, (lead,))}
    for due, frame in frames:
        ends_at = frame.started_at + timedelta(seconds=frame.samples.length / rate_hz)
        assert timedelta() <= START + timedelta(seconds=due) - ends_at <= timedelta(seconds=0.5 / rate_hz + 0.008)
    for (_, before), (_, after) in pairwise(frames):
        assert after.started_at - before.started_at == timedelta(seconds=before.samples.length / rate_hz)


def test_waveforms_have_the_fields_of_the_fast_path_alone() -> None:
    for _, message in Bedside(WELL).next_second(START):
        if isinstance(message, bytes):
            fields = msgspec.msgpack.decode(message)
            extra = {"lead", "unit"} if fields["type"] == "ecg" else set()
            assert fields.keys() == {"type", "sampleRate", "samples", "scale", "timestamp", "seq"} | extra


def test_all_that_is_sent_is_numbered_in_one_row_also_over_a_lost_connection() -> None:
    bedside = Bedside(WELL)
    numbers = [frame.seq for _, frame in [*sent(bedside, 3), *sent(bedside, 3)]]
    assert numbers == list(range(len(numbers)))


def test_a_lead_that_comes_off_is_said_and_nothing_is_sent_of_it() -> None:
    assert LOOSE.electrode is not None
    off_at, on_at = LOOSE.electrode.off_at, LOOSE.electrode.on_at
    frames = sent(Bedside(LOOSE), round(on_at) + 5)
    said = [(due, frame.lead, frame.is_off) for due, frame in frames if isinstance(frame, LeadStatus)]
    assert said == [(0.0, "II", False), (off_at, "II", True), (on_at, "II", False)]
    meanwhile = {frame.type for due, frame in frames if off_at < due <= on_at and isinstance(frame, Waveform)}
    assert meanwhile == {"pleth"}


def test_whoever_listens_anew_is_told_again_that_a_lead_is_off() -> None:
    assert LOOSE.electrode is not None
    bedside = Bedside(LOOSE)
    sent(bedside, round(LOOSE.electrode.off_at) + 3)
    bedside.connected()
    _, first = next(bedside.next_second(START))
    assert isinstance(first, str)
    assert json.loads(first)["event"] == "lead_off"
