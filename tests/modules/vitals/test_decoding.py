from __future__ import annotations

import contextlib
import json
import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.core.timestamps import to_rfc3339
from app.modules.vitals.decoding import LONGEST_FRAME, decode_json, decode_msgpack
from app.modules.vitals.encoding import encode_error, encode_flushed
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import Flush, Frame, LeadStatus, Reading, Waveform, refuse_future, wire_value
from app.modules.vitals.samples import Counts, Numbers
from app.modules.vitals.signs import CONSCIOUSNESS_LEVELS, NUMERICS
from app.modules.vitals.waveform_fields import MOST_SAMPLES

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 250_001, tzinfo=UTC)
HEART_RATE = {"type": "heart_rate", "value": 72, "unit": "/min", "timestamp": to_rfc3339(MOMENT)}
ECG = {
    "type": "ecg",
    "sampleRate": 250,
    "samples": [0, 0.5, -0.25],
    "unit": "mV",
    "lead": "II",
    "timestamp": to_rfc3339(MOMENT),
}
PACKED = {**ECG, "samples": struct.pack("<3h", 0, 500, -250), "scale": 0.001}
TWO_LEADS = {**ECG, "samples": [[1, 2], [3, 4]], "leads": ["I", "II"], "lead": None}
LEAD_OFF = {"event": "lead_off", "type": "ecg", "lead": "V1", "timestamp": to_rfc3339(MOMENT)}
MISSING = object()


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not MISSING}


def frame(fields: dict[str, Any], **changes: Any) -> str:
    return json.dumps(changed(fields, **changes))


def packed(fields: dict[str, Any], **changes: Any) -> bytes:
    return msgspec.msgpack.encode(changed(fields, **changes))


def decode(message: str | bytes) -> Frame:
    return decode_json(message) if isinstance(message, str) else decode_msgpack(message)


def refusal(message: str | bytes) -> tuple[str, str | None]:
    with pytest.raises(FrameError) as caught:
        decode(message)
    return caught.value.code, caught.value.field


def test_a_numeric_is_read_to_the_microsecond() -> None:
    assert decode_json(frame(HEART_RATE)) == Reading("heart_rate", 72.0, "/min", MOMENT)


def test_a_binary_waveform_is_counts_and_what_one_is_worth() -> None:
    samples = Counts(struct.pack("<3h", 0, 500, -250), (0.001,), (0.0,))
    assert decode_msgpack(packed(PACKED)) == Waveform("ecg", 250, ("II",), samples, "mV", MOMENT)
    assert samples.values() == [0, 0.5, -0.25]


@pytest.mark.parametrize(
    ("scale", "offset", "values"),
    [(2, MISSING, [[2, 4], [6, 8]]), ([1, 10], [0.5, -1], [[1.5, 2.5], [29, 39]]), (2, 1, [[3, 5], [7, 9]])],
)
def test_several_leads_follow_one_another(scale: object, offset: object, values: list[list[float]]) -> None:
    data = struct.pack("<4h", 1, 2, 3, 4)
    in_binary = decode_msgpack(packed(TWO_LEADS, samples=data, scale=scale, offset=offset, seq=7))
    in_text = decode_json(frame(TWO_LEADS, scale=scale, offset=offset, seq=7))
    for waveform in (in_binary, in_text):
        assert isinstance(waveform, Waveform)
        assert (waveform.leads, waveform.samples.length, waveform.seq) == (("I", "II"), 2, 7)
        assert [waveform.samples.values(index) for index in range(2)] == values


@pytest.mark.parametrize("fields", [HEART_RATE, PACKED, LEAD_OFF])
def test_messagepack_may_write_a_time_as_its_own_type(fields: dict[str, Any]) -> None:
    assert decode_msgpack(packed(fields, timestamp=MOMENT)) == decode_msgpack(packed(fields))


@pytest.mark.parametrize(("event", "is_off"), [("lead_off", True), ("lead_on", False)])
def test_a_sensor_that_comes_off_or_is_on_again_is_named(event: str, is_off: bool) -> None:
    fields = {**LEAD_OFF, "event": event}
    assert decode_json(frame(fields, seq=4)) == LeadStatus("ecg", "V1", is_off, MOMENT, 4)
    assert decode_msgpack(packed(fields, lead=MISSING)) == LeadStatus("ecg", None, is_off, MOMENT)


def test_a_waveform_is_read_from_its_first_sample_on() -> None:
    assert decode_json(frame(ECG)) == Waveform("ecg", 250, ("II",), Numbers(((0.0, 0.5, -0.25),)), "mV", MOMENT)


@pytest.mark.parametrize("flush_id", [7, "a-1", None])
def test_a_flush_keeps_its_id(flush_id: int | str | None) -> None:
    flush = decode_json(json.dumps({"event": "flush", "id": flush_id}))
    assert flush == Flush(flush_id)
    assert json.loads(encode_flushed(flush, frames=3, errors=1)) == {
        "event": "flushed",
        "id": flush_id,
        "frames": 3,
        "errors": 1,
    }


def test_fields_that_are_not_known_are_passed_over() -> None:
    assert decode_json(frame(HEART_RATE, battery=0.8)) == decode_json(frame(HEART_RATE))


@pytest.mark.parametrize(
    ("vital_type", "spelling", "unit"),
    [
        ("heart_rate", "bpm", "/min"),
        ("pulse", "{beats}/min", "/min"),
        ("respiratory_rate", "breaths/min", "/min"),
        ("spo2", "%", "%"),
        ("systolic_bp", "mm[Hg]", "mmHg"),
        ("diastolic_bp", "mmhg", "mmHg"),
        ("mean_bp", None, "mmHg"),
        ("temperature", "°C", "Cel"),
        ("temperature", "degC", "Cel"),
        ("oxygen_supplement", "L/min", "L/min"),
        ("oxygen_supplement", "lpm", "L/min"),
    ],
)
def test_a_unit_is_kept_in_one_spelling(vital_type: str, spelling: str | None, unit: str) -> None:
    reading = decode_json(frame(HEART_RATE, type=vital_type, value=37, unit=spelling))
    assert isinstance(reading, Reading)
    assert reading.unit == unit


@pytest.mark.parametrize(
    ("vital_type", "value", "stored", "unit"),
    [
        *(("consciousness", letter, position, "") for position, letter in enumerate(CONSCIOUSNESS_LEVELS)),
        ("oxygen_supplement", True, 1.0, ""),
        ("oxygen_supplement", False, 0.0, ""),
        ("oxygen_supplement", 1, 1.0, "L/min"),
        ("oxygen_supplement", 2.5, 2.5, "L/min"),
        ("temperature", 36.6, 36.6, "Cel"),
        ("spo2", 97, 97.0, "%"),
    ],
)
def test_a_value_is_given_back_as_it_came(vital_type: str, value: object, stored: float, unit: str) -> None:
    reading = decode_json(frame(HEART_RATE, type=vital_type, value=value, unit=MISSING))
    assert reading == Reading(vital_type, stored, unit, MOMENT)
    assert isinstance(reading, Reading)
    given_back = wire_value(reading)
    assert given_back == value
    assert isinstance(given_back, bool) == isinstance(value, bool)


@pytest.mark.parametrize("vital_type", [name for name, sign in NUMERICS.items() if sign.unit])
def test_a_value_that_cannot_be_is_refused_and_the_extremes_are_not(vital_type: str) -> None:
    sign = NUMERICS[vital_type]
    for value in (sign.lowest, sign.highest):
        decode_json(frame(HEART_RATE, type=vital_type, value=value, unit=sign.unit))
    for value in (math.nextafter(sign.lowest, -math.inf), math.nextafter(sign.highest, math.inf), -(10**400), 10**400):
        text = frame(HEART_RATE, type=vital_type, value=value, unit=sign.unit)
        assert refusal(text) == ("value_out_of_range", "value")


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("[1, 2]", "invalid_json", None),
        ('"heart_rate"', "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        (frame(HEART_RATE, note="x" * LONGEST_FRAME), "frame_too_large", None),
        (frame(HEART_RATE, type=MISSING), "missing_field", "type"),
        (frame(HEART_RATE, value=MISSING), "missing_field", "value"),
        (frame(HEART_RATE, value=None), "missing_field", "value"),
        (frame(HEART_RATE, timestamp=MISSING), "missing_field", "timestamp"),
        (frame(ECG, samples=MISSING), "missing_field", "samples"),
        (frame(ECG, sampleRate=MISSING), "missing_field", "sampleRate"),
        (frame(HEART_RATE, type="blood_sugar"), "unknown_type", "type"),
        (frame(HEART_RATE, type=["heart_rate"]), "wrong_type", "type"),
        (frame(HEART_RATE, value="72"), "wrong_type", "value"),
        (frame(HEART_RATE, value=True), "wrong_type", "value"),
        (frame(HEART_RATE, value=[72]), "wrong_type", "value"),
        (frame(HEART_RATE, unit=1), "wrong_type", "unit"),
        (frame(HEART_RATE, type="consciousness", value=0, unit=""), "wrong_type", "value"),
        (frame(HEART_RATE, type="consciousness", value="X", unit=""), "value_out_of_range", "value"),
        (frame(HEART_RATE, value=-5), "value_out_of_range", "value"),
        (frame(HEART_RATE, value=900), "value_out_of_range", "value"),
        (frame(HEART_RATE, value=math.nan), "not_a_number", "value"),
        (frame(HEART_RATE, value=-math.inf), "not_a_number", "value"),
        (frame(HEART_RATE).replace("72", "1e999"), "not_a_number", "value"),
        (frame(HEART_RATE, unit="mmHg"), "unit_mismatch", "unit"),
        (frame(HEART_RATE, type="temperature", value=37, unit="degF"), "unit_mismatch", "unit"),
        (frame(HEART_RATE, type="oxygen_supplement", value=True, unit="L/min"), "unit_mismatch", "unit"),
        (frame(HEART_RATE, type="consciousness", value="A", unit="%"), "unit_mismatch", "unit"),
        (frame(ECG, unit="A"), "unit_mismatch", "unit"),
        (frame(ECG, type="pleth", unit="x" * 17), "unit_mismatch", "unit"),
        (frame(HEART_RATE, timestamp="yesterday"), "bad_timestamp", "timestamp"),
        (frame(HEART_RATE, timestamp="2026-01-02T03:04:05"), "bad_timestamp", "timestamp"),
        (frame(HEART_RATE, timestamp="0001-01-01T00:00:00+23:59"), "bad_timestamp", "timestamp"),
        (frame(HEART_RATE, timestamp=1_767_323_045), "bad_timestamp", "timestamp"),
        (frame(ECG, sampleRate=0), "value_out_of_range", "sampleRate"),
        (frame(ECG, sampleRate=2000.5), "value_out_of_range", "sampleRate"),
        (frame(ECG, sampleRate=math.nan), "not_a_number", "sampleRate"),
        (frame(ECG, sampleRate="250"), "wrong_type", "sampleRate"),
        (frame(ECG, samples=[]), "value_out_of_range", "samples"),
        (frame(ECG, samples=[0] * (MOST_SAMPLES + 1)), "value_out_of_range", "samples"),
        (frame(ECG, samples=[0, "1"]), "wrong_type", "samples"),
        (frame(ECG, samples=[0, True]), "wrong_type", "samples"),
        (frame(ECG, samples={"0": 1}), "wrong_type", "samples"),
        (frame(ECG, samples=[0, math.nan]), "not_a_number", "samples"),
        (frame(ECG, samples=[0, 10**400]), "wrong_type", "samples"),
        (frame(ECG, lead=""), "value_out_of_range", "lead"),
        (frame(ECG, lead="a lead of more than 16"), "value_out_of_range", "lead"),
        (frame({"event": "hello"}), "unknown_event", "event"),
        (frame({"event": ["flush"]}), "unknown_event", "event"),
        (frame({"event": "flush", "id": "\ud800"}), "wrong_type", "id"),
        (frame({"event": "flush", "id": True}), "wrong_type", "id"),
        (frame({"event": "flush", "id": 2**60}), "wrong_type", "id"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_with_its_field(text: str, code: str, field: str | None) -> None:
    assert refusal(text) == (code, field)
    with contextlib.suppress(ValueError, RecursionError, OverflowError):
        assert refusal(msgspec.msgpack.encode(json.loads(text))) == (code.replace("json", "msgpack"), field)


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        (b"", "invalid_msgpack", None),
        (b"\xc1", "invalid_msgpack", None),
        (b"\x93\x01\x02\x03", "invalid_msgpack", None),
        (packed(PACKED)[:-1], "invalid_msgpack", None),
        (packed(PACKED) + b"\xc0", "invalid_msgpack", None),
        (packed(HEART_RATE).replace(b"heart", b"\xff\xffart"), "invalid_msgpack", None),
        (packed(PACKED, note="x" * LONGEST_FRAME), "frame_too_large", None),
        (packed({"type": "ecg", "samples": b""}).replace(b"samples", b"typ\xc3\xa9!!"), "missing_field", "sampleRate"),
        (b"\x82\xa4type\xa3ecg\xa4type\xa3ecg", "repeated_field", None),
        (b"\xde\x00\x02\xa4type\xa3ecg\xa4type\xa3ecg", "repeated_field", None),
        (packed(PACKED).replace(b"\xa4unit\xa2mV", b"\xa4lead\xa2II"), "repeated_field", None),
        ('{"type": "ecg", "type": "ecg"}', "repeated_field", None),
        (packed(PACKED, samples=b""), "value_out_of_range", "samples"),
        (packed(PACKED, samples=b"abc"), "wrong_length", "samples"),
        (packed(PACKED, samples=b"\0" * (2 * MOST_SAMPLES + 2)), "value_out_of_range", "samples"),
        (packed(PACKED, samples="abcd"), "wrong_type", "samples"),
        (packed(PACKED, samples=MISSING), "missing_field", "samples"),
        (packed(PACKED, scale=MISSING), "missing_field", "scale"),
        (packed(PACKED, scale=0), "value_out_of_range", "scale"),
        (packed(PACKED, scale=-0.0), "value_out_of_range", "scale"),
        (packed(PACKED, scale=math.nan), "not_a_number", "scale"),
        (packed(PACKED, scale=math.inf), "not_a_number", "scale"),
        (packed(PACKED, scale="1"), "wrong_type", "scale"),
        (packed(PACKED, scale=True), "wrong_type", "scale"),
        (packed(PACKED, scale=[0.1, 0.2]), "wrong_length", "scale"),
        (packed(PACKED, scale=1e305), "value_out_of_range", "scale"),
        (packed(PACKED, offset=math.nan), "not_a_number", "offset"),
        (packed(PACKED, offset=[]), "wrong_length", "offset"),
        (packed(PACKED, sampleRate=0), "value_out_of_range", "sampleRate"),
        (packed(PACKED, sampleRate=-1.5), "value_out_of_range", "sampleRate"),
        (packed(PACKED, sampleRate=10**9), "value_out_of_range", "sampleRate"),
        (packed(PACKED, sampleRate=math.nan), "not_a_number", "sampleRate"),
        (packed(PACKED, type="heart_rate", value=b"72"), "wrong_type", "value"),
        (packed(PACKED, lead=b"II"), "wrong_type", "lead"),
        (packed(PACKED, seq=-1), "value_out_of_range", "seq"),
        (packed(PACKED, seq=2**60), "value_out_of_range", "seq"),
        (packed(PACKED, seq=1.0), "wrong_type", "seq"),
        (packed(PACKED, seq=True), "wrong_type", "seq"),
        (packed(HEART_RATE, seq="1"), "wrong_type", "seq"),
        (packed(PACKED, timestamp=None), "missing_field", "timestamp"),
        (packed(PACKED, timestamp=1.5), "bad_timestamp", "timestamp"),
        (packed(PACKED, timestamp=msgspec.msgpack.Ext(5, b"1")), "bad_timestamp", "timestamp"),
        (packed(PACKED, timestamp=msgspec.msgpack.Ext(-1, b"\xff" * 12)), "bad_timestamp", "timestamp"),
        (packed(TWO_LEADS, samples=b"\0" * 6, scale=1), "wrong_length", "samples"),
        (packed(TWO_LEADS, lead="I"), "conflicting_fields", "leads"),
        (packed(TWO_LEADS, leads=[]), "value_out_of_range", "leads"),
        (packed(TWO_LEADS, leads=["I"] * 17), "value_out_of_range", "leads"),
        (packed(TWO_LEADS, leads=["I", "I"]), "value_out_of_range", "leads"),
        (packed(TWO_LEADS, leads=["I", ""]), "value_out_of_range", "leads"),
        (packed(TWO_LEADS, leads=["I", None]), "wrong_type", "leads"),
        (packed(TWO_LEADS, leads=["I", 2]), "wrong_type", "leads"),
        (packed(TWO_LEADS, leads="I"), "wrong_type", "leads"),
        (packed(TWO_LEADS, leads={}), "wrong_type", "leads"),
        (frame(TWO_LEADS, leads={}), "wrong_type", "leads"),
        (frame(TWO_LEADS, samples=[[1, 2], [3]]), "wrong_length", "samples"),
        (frame(TWO_LEADS, samples=[[1, 2]]), "wrong_length", "samples"),
        (frame(TWO_LEADS, samples=[1, 2]), "wrong_type", "samples"),
        (frame(TWO_LEADS, samples=[[1, 2], [3, math.nan]]), "not_a_number", "samples"),
        (frame(ECG, scale=1e7, samples=[1e6]), "value_out_of_range", "samples"),
        (frame(ECG, samples=[0, -1e13]), "value_out_of_range", "samples"),
        (packed(PACKED, offset=-1e13), "value_out_of_range", "offset"),
        (frame(ECG, scale=10**400), "value_out_of_range", "scale"),
        (frame(LEAD_OFF, type="heart_rate"), "unknown_type", "type"),
        (frame(LEAD_OFF, type=MISSING), "missing_field", "type"),
        (frame(LEAD_OFF, lead=2), "wrong_type", "lead"),
        (frame(LEAD_OFF, timestamp=MISSING), "missing_field", "timestamp"),
    ],
)
def test_a_frame_that_lies_is_refused_with_its_field(message: str | bytes, code: str, field: str | None) -> None:
    assert refusal(message) == (code, field)


def test_an_error_tells_the_frame_and_never_repeats_what_came() -> None:
    with pytest.raises(FrameError) as caught:
        decode_json(frame(HEART_RATE, type="secret-of-the-patient"))
    answer = json.loads(encode_error(caught.value, frame=7))
    assert (answer["event"], answer["code"], answer["frame"]) == ("error", "unknown_type", 7)
    assert "secret" not in json.dumps(answer)


@pytest.mark.parametrize(("ahead", "is_refused"), [(60, False), (60.001, True), (-1e9, False)])
def test_a_time_more_than_a_minute_ahead_is_refused(ahead: float, is_refused: bool) -> None:
    moment = MOMENT + timedelta(seconds=ahead)
    if not is_refused:
        refuse_future(moment, MOMENT)
        return
    with pytest.raises(FrameError) as caught:
        refuse_future(moment, MOMENT)
    assert (caught.value.code, caught.value.field) == ("timestamp_in_future", "timestamp")
