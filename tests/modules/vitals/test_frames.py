from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.timestamps import to_rfc3339
from app.modules.vitals.fields import MOST_SAMPLES, FrameError
from app.modules.vitals.frames import (
    LONGEST_FRAME_CHARACTERS,
    Flush,
    Reading,
    Waveform,
    decode_json,
    encode_error,
    encode_flushed,
    encode_reading,
    encode_waveform,
    refuse_future,
    shows_news,
    wire_value,
)
from app.modules.vitals.signs import CONSCIOUSNESS_LEVELS, NUMERICS, WAVEFORMS

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
MISSING = object()


def frame(fields: dict[str, Any], **changes: Any) -> str:
    changed = {name: value for name, value in {**fields, **changes}.items() if value is not MISSING}
    return json.dumps(changed)


def refusal(text: str) -> tuple[str, str | None]:
    with pytest.raises(FrameError) as caught:
        decode_json(text)
    return caught.value.code, caught.value.field


def test_a_numeric_is_read_to_the_microsecond() -> None:
    assert decode_json(frame(HEART_RATE)) == Reading("heart_rate", 72.0, "/min", MOMENT)


def test_a_waveform_is_read_from_its_first_sample_on() -> None:
    assert decode_json(frame(ECG)) == Waveform("ecg", 250, [0.0, 0.5, -0.25], "mV", "II", MOMENT)


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
        (frame(HEART_RATE, note="x" * LONGEST_FRAME_CHARACTERS), "frame_too_large", None),
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


def test_a_viewer_learns_from_a_frame_that_is_newer_than_what_it_knows() -> None:
    encoded = encode_reading("P1", Reading("heart_rate", 72, "/min", MOMENT))
    assert shows_news(encoded, {})
    assert shows_news(encoded, {"spo2": MOMENT, "heart_rate": MOMENT - timedelta(microseconds=1)})
    assert not shows_news(encoded, {"heart_rate": MOMENT})


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(FrameError):
        decode_json(text)


_ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([*NUMERICS, *WAVEFORMS, "flush"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_FIELD_NAMES = st.sampled_from(["type", "value", "unit", "timestamp", "samples", "sampleRate", "lead", "event", "id"])


@given(st.dictionaries(_FIELD_NAMES, _ANY_JSON), st.sampled_from([{}, HEART_RATE, ECG]))
def test_a_frame_with_any_json_in_its_fields_is_used_or_refused(
    changes: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert isinstance(_answer_to(json.dumps({**fields, **changes})), bytes)


def _answer_to(text: str) -> bytes:
    """What the device or the viewers would get."""
    try:
        decoded = decode_json(text)
    except FrameError as error:
        return encode_error(error, frame=1)
    if isinstance(decoded, Reading):
        return encode_reading("P1", decoded)
    if isinstance(decoded, Waveform):
        return encode_waveform("P1", decoded)
    return encode_flushed(decoded, frames=0, errors=0)


_MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def _readings(draw: st.DrawFn) -> Reading:
    vital_type = draw(st.sampled_from(list(NUMERICS)))
    sign = NUMERICS[vital_type]
    if vital_type == "consciousness":
        return Reading(vital_type, float(draw(st.integers(0, 4))), "", draw(_MOMENTS))
    if vital_type == "oxygen_supplement" and draw(st.booleans()):
        return Reading(vital_type, float(draw(st.booleans())), "", draw(_MOMENTS))
    return Reading(vital_type, draw(st.floats(sign.lowest, sign.highest)), sign.unit, draw(_MOMENTS))


@given(_readings())
def test_what_a_viewer_gets_of_a_reading_is_what_a_device_could_have_sent(reading: Reading) -> None:
    encoded = encode_reading("P1", reading)
    assert json.loads(encoded)["patientId"] == "P1"
    assert decode_json(encoded.decode()) == reading


_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_WAVEFORMS = st.builds(
    Waveform,
    st.sampled_from(list(WAVEFORMS)),
    st.floats(1, 2000),
    st.lists(_FINITE, min_size=1, max_size=50),
    st.just("mV"),
    st.none() | st.sampled_from(["I", "II", "V5"]),
    _MOMENTS,
)


@given(_WAVEFORMS)
def test_what_a_viewer_gets_of_a_waveform_is_what_a_device_could_have_sent(waveform: Waveform) -> None:
    encoded = encode_waveform("P1", waveform)
    assert msgspec.json.decode(encoded)["patientId"] == "P1"
    assert decode_json(encoded.decode()) == waveform
