from __future__ import annotations

import random
from array import array
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.signals import Lead, Recorded, Signal, gather, sign_of
from app.modules.vitals.decoding import decode_msgpack
from app.modules.vitals.frames import Waveform

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)


def lead(name: str, samples: int, missing: bytes | None = None) -> Lead:
    return Lead(name, array("h", range(samples)), 0.5, -3, missing)


@pytest.mark.parametrize(
    ("name", "unit", "sign"),
    [
        *(
            (name, "mV", "ecg")
            for name in ("I", "II", "III", "aVR", "AVL", "aVF", "V", "V1", "V6", "MLII", "MCL", "MCL1")
        ),
        ("ECG lead II", "uV", "ecg"),
        ("II", None, "ecg"),
        ("II", "V", None),
        ("II", "mmHg", None),
        ("PLETH", "NU", "pleth"),
        ("PLETHl", "NU", "pleth"),
        ("RESP", "mV", "resp_wave"),
        ("RESP", None, "resp_wave"),
        *((name, "mmHg", None) for name in ("ABP", "ART", "CVP", "PAP", "IV", "VI")),
        ("", "mV", None),
    ],
)
def test_a_lead_is_known_by_its_name_and_unit(name: str, unit: str | None, sign: str | None) -> None:
    assert sign_of(name, unit) == sign


def test_leads_that_belong_together_share_their_frames() -> None:
    signals, unused = gather(
        [
            Recorded(lead("II", 100), "mV", 250.0),
            Recorded(lead("ABP", 100), "mmHg", 250.0),
            Recorded(lead("V", 100), "mV", 250.0),
            Recorded(lead("MCL1", 400), "mV", 1000.0),
            Recorded(lead("PLETH", 100), "NU", 250.0),
        ]
    )
    assert [(it.type, it.rate_hz, it.unit, [one.name for one in it.leads]) for it in signals] == [
        ("ecg", 250, "mV", ["II", "V"]),
        ("ecg", 1000, "mV", ["MCL1"]),
        ("pleth", 250, "NU", ["PLETH"]),
    ]
    assert unused == ["ABP"]


@given(rate_hz=st.floats(1, 2000), frame_ms=st.integers(10, 2000), samples=st.integers(1, 2000))
def test_pieces_hold_every_sample_once_and_are_as_long_as_asked(rate_hz: float, frame_ms: int, samples: int) -> None:
    signal = Signal("ecg", rate_hz, "mV", (lead("II", samples),))
    pieces = list(signal.pieces(frame_ms / 1000))
    assert (pieces[0].first, pieces[-1].end) == (0, samples)
    assert all(one.end == following.first for one, following in pairwise(pieces))
    assert all(0 < piece.samples <= max(1, rate_hz * frame_ms / 1000) + 1 for piece in pieces)
    # Rounding to whole samples does not add up.
    if rate_hz * frame_ms >= 1000:
        ends = [number * frame_ms / 1000 for number in range(1, len(pieces))]
        assert all(abs(piece.offset_seconds - end) <= 1 / rate_hz for piece, end in zip(pieces, ends, strict=False))


@given(seed=st.integers(0, 10**6), density=st.sampled_from([0.01, 0.5, 0.99]))
def test_missing_samples_are_in_no_piece_and_all_others_are(seed: int, density: float) -> None:
    draw = random.Random(seed)
    masks = [bytes(draw.random() < density for _ in range(300)) for _ in range(2)]
    signal = Signal("ecg", 125, "mV", (lead("II", 300, masks[0]), lead("V", 300, masks[1]), lead("I", 300)))
    sent: set[tuple[int, int]] = set()
    for piece in signal.pieces(0.05):
        held = {(index, sample) for index in piece.leads for sample in range(piece.first, piece.end)}
        assert not held & sent
        sent |= held
    missing = {(index, sample) for index, mask in enumerate(masks) for sample in range(300) if mask[sample]}
    assert sent == {(index, sample) for index in range(3) for sample in range(300)} - missing


def test_a_frame_is_what_the_server_reads() -> None:
    signal = Signal("ecg", 250, "mV", (lead("II", 100), Lead("V", array("h", range(-100, 0)), 0.25, 1)), 7)
    piece = list(signal.pieces(0.05))[1]
    frame = decode_msgpack(piece.encode(MOMENT, 41))
    assert isinstance(frame, Waveform)
    assert (frame.type, frame.sample_rate_hz, frame.leads, frame.unit) == ("ecg", 250, ("II", "V"), "mV")
    assert (frame.started_at, frame.seq) == (MOMENT, 41)
    first, end = piece.first, piece.end
    assert frame.samples.values(0) == [number * 0.5 - 3 for number in range(first, end)]
    assert frame.samples.values(1) == [number * 0.25 + 1 for number in range(first - 100, end - 100)]
    assert (piece.starts_at_seconds, piece.offset_seconds) == (7 + first / 250, 7 + end / 250)


def test_a_curve_that_is_no_ecg_has_no_lead() -> None:
    (signal,), _ = gather([Recorded(lead("PLETH", 10), "NU", 125.0)])
    frame = decode_msgpack(next(signal.pieces(1)).encode(MOMENT, 0))
    assert isinstance(frame, Waveform)
    assert (frame.leads, frame.unit) == ((None,), "NU")
