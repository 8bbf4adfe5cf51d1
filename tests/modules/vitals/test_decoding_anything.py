"""Whatever comes in is used or refused, by either way alike, and costs no more than its size."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.modules.vitals.decoding import LONGEST_FRAME, decode_json, decode_msgpack
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import Frame, Waveform
from app.modules.vitals.signs import NUMERICS, WAVEFORMS
from tests.modules.vitals.test_decoding import ECG, HEART_RATE, LEAD_OFF, PACKED, TWO_LEADS

# Of few characters, because the table of all that there are takes seconds to make.
_TEXTS = st.text("abIV0.:-/ \x00\u00e9\u20ac\U0001f600", max_size=20)
_NAMES = st.sampled_from([*NUMERICS, *WAVEFORMS, "flush", "lead_on", "mV", "II"])
_PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | _TEXTS | _NAMES
_ANY = st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=10)
_FIELD_NAMES = st.sampled_from(
    ["type", "value", "unit", "timestamp", "samples", "sampleRate", "lead", "leads", "scale", "offset", "seq"]
) | st.sampled_from(["event", "id", "other"])
_FRAMES = st.sampled_from([{}, HEART_RATE, ECG, TWO_LEADS, LEAD_OFF, {"event": "flush"}])


def outcome(decode: Any, message: str | bytes) -> Frame | tuple[str, str | None, str]:
    """The frame, or the error as the device is told it."""
    try:
        decoded: Frame = decode(message)
    except FrameError as error:
        return error.code, error.field, error.detail
    return decoded


@given(_FRAMES, st.dictionaries(_FIELD_NAMES, _ANY))
@example(ECG, {"leads": {}})
@example(ECG, {"scale": {}})
@example(ECG, {"offset": [1.0], "scale": -2})
def test_the_same_fields_by_either_way_are_the_same_frame_or_the_same_error(
    fields: dict[str, Any], changes: dict[str, Any]
) -> None:
    sent = {**fields, **changes}
    assert outcome(decode_json, json.dumps(sent)) == outcome(decode_msgpack, msgspec.msgpack.encode(sent))


_NUMBERS = st.floats(-1e6, 1e6).filter(bool)


@st.composite
def _counted(draw: st.DrawFn) -> tuple[dict[str, Any], list[list[int]]]:
    """A waveform but for its samples, and these as counts."""
    leads = draw(st.lists(st.sampled_from(["I", "II", "III", "V1"]), min_size=1, max_size=4, unique=True))
    is_single = len(leads) == 1 and draw(st.booleans())
    size = draw(st.integers(1, 30))
    rows = [draw(st.lists(st.integers(-32768, 32767), min_size=size, max_size=size)) for _ in leads]
    worth: st.SearchStrategy[Any] = _NUMBERS | st.integers(1, 5)
    if not is_single:
        worth |= st.lists(_NUMBERS, min_size=len(leads), max_size=len(leads))
    fields: dict[str, Any] = {
        "type": draw(st.sampled_from(list(WAVEFORMS))),
        "sampleRate": draw(st.integers(1, 2000) | st.floats(1, 2000)),
        **({"lead": leads[0]} if is_single else {"leads": leads}),
        "scale": draw(worth),
        "timestamp": ECG["timestamp"],
        **draw(st.sampled_from([{}, {"unit": "mV"}])),
        **draw(st.sampled_from([{}, {"unknown": 1}])),
    }
    if draw(st.booleans()):
        fields["offset"] = draw(worth)
    if draw(st.booleans()):
        fields["seq"] = draw(st.integers(0, 2**53))
    return fields, rows


@given(_counted())
def test_the_same_counts_by_either_way_are_the_same_values(sent: tuple[dict[str, Any], list[list[int]]]) -> None:
    fields, rows = sent
    counts = [count for row in rows for count in row]
    data = struct.pack(f"<{len(counts)}h", *counts)
    binary = decode_msgpack(msgspec.msgpack.encode({**fields, "samples": data}))
    text = decode_json(json.dumps({**fields, "samples": rows if "leads" in fields else rows[0]}))
    assert isinstance(binary, Waveform)
    assert isinstance(text, Waveform)
    assert parts(binary) == parts(text)


def parts(waveform: Waveform) -> tuple[object, ...]:
    values = [waveform.samples.values(index) for index in range(len(waveform.leads))]
    return waveform.type, waveform.sample_rate_hz, waveform.leads, waveform.unit, waveform.started_at, values


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(FrameError):
        decode_json(text)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode_msgpack(data)


@given(
    st.sampled_from([PACKED, {**PACKED, "leads": ["I"], "lead": None}, HEART_RATE, TWO_LEADS, LEAD_OFF]),
    st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=4),
)
def test_a_binary_frame_with_bytes_replaced_is_used_or_refused(
    fields: dict[str, Any], replacements: list[tuple[int, bytes, int]]
) -> None:
    data = bytearray(msgspec.msgpack.encode(fields))
    for place, by, size in replacements:
        data[place % len(data) : place % len(data) + size] = by
    outcome(decode_msgpack, bytes(data))


_HEAD = b"\x82\xa4type\xa3ecg"


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        _HEAD + b"\xa7samples\xdd\xff\xff\xff\xff",
        _HEAD + b"\xa7samples\xc6\xff\xff\xff\xff",
        _HEAD + b"\xa5leads\xdd\xff\xff\xff\xff",
        _HEAD + b"\xa5other\xdf\xff\xff\xff\xff",
        b"\x91" * LONGEST_FRAME,
        b"\x81\xa1a" * (LONGEST_FRAME // 3),
        _HEAD + b"\xa5other" + b"\x91" * 200_000,
        b"\xdc\xff\xff" + b"\xc0" * 65_535,
        b"\xde\xff\xff" + b"\x01\xc0" * 65_535,
        "[" * LONGEST_FRAME,
        '{"a":' * (LONGEST_FRAME // 5),
        '{"type": "ecg", "samples": [' + "1," * 120_000 + "1]}",
        '{"value": ' + "9" * 200_000 + "}",
    ],
    ids=range(16),
)
def test_a_bomb_costs_an_error_and_neither_time_nor_memory_out_of_proportion(bomb: str | bytes) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        assert isinstance(outcome(decode_json if isinstance(bomb, str) else decode_msgpack, bomb), tuple)
        seconds = time.process_time() - began
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < 0.25
    assert most_bytes < 64 * LONGEST_FRAME
