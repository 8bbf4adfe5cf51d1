"""PURE: what devices send and what viewers receive, as JSON text.

A frame is a `Reading` (one number at one time), a `Waveform` (samples from one time on) or a `Flush`
(a question). Whatever text comes in, `decode_json` returns one of them or raises `FrameError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from app.core.timestamps import from_rfc3339, to_rfc3339
from app.modules.vitals.fields import FrameError, optional_text, read_time, read_type, require, to_number, to_samples
from app.modules.vitals.signs import (
    CONSCIOUSNESS,
    CONSCIOUSNESS_LEVELS,
    NUMERICS,
    OXYGEN,
    WAVEFORMS,
    canonical_unit,
    canonical_waveform_unit,
)

#: A device's clock may be ahead of ours by so much.
LONGEST_AHEAD: Final = timedelta(seconds=60)

HIGHEST_SAMPLE_RATE_HZ: Final = 2000
LONGEST_LEAD: Final = 16

#: More than the longest waveform takes, so that nothing larger is parsed at all.
LONGEST_FRAME_CHARACTERS: Final = 262_144

_FLUSH_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LARGEST_EXACT_INTEGER = 2**53

WireValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Reading:
    """One numeric vital sign of one moment.

    Attributes:
        value: in `unit`; consciousness as 0 to 4 for A C V P U, oxygen without a flow as 0 or 1.
        unit: the canonical spelling; empty where the value has none.
        measured_at: aware, in UTC, to the microsecond.
    """

    type: str
    value: float
    unit: str
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class Waveform:
    """Samples of one lead at a constant rate.

    Attributes:
        samples: 1 to 4096 finite numbers, in `unit`.
        started_at: when the first sample was taken.
    """

    type: str
    sample_rate_hz: float
    samples: list[float]
    unit: str
    lead: str | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Flush:
    """A device asks to be told when everything before has been stored and ruled on."""

    id: str | int | None


class _Head(msgspec.Struct):
    """As much of a viewer's frame as says what it is about."""

    type: str
    timestamp: str


_head = msgspec.json.Decoder(_Head)

Frame = Reading | Waveform | Flush


def decode_json(text: str) -> Frame:
    """Read one text frame.

    Raises:
        FrameError: it cannot be used.
    """
    fields = _parse(text)
    if "event" in fields:
        return _read_flush(fields)
    if read_type(fields) in WAVEFORMS:
        return _read_waveform(fields)
    return read_reading(fields)


def read_reading(fields: Mapping[str, Any]) -> Reading:
    """Read a numeric from the fields of its JSON object; fields that are not known are passed over.

    Raises:
        FrameError: it cannot be used.
    """
    vital_type = read_type(fields)
    if vital_type not in NUMERICS:
        raise FrameError("unknown_type", "type", f"a numeric is one of {', '.join(NUMERICS)}")
    value = require(fields, "value")
    is_yes_or_no = vital_type == OXYGEN and isinstance(value, bool)
    if vital_type == CONSCIOUSNESS:
        number = _read_consciousness(value)
    elif is_yes_or_no:
        number = float(value)
    else:
        number = _read_number(vital_type, value)
    unit = canonical_unit(vital_type, optional_text(fields, "unit"), is_yes_or_no=is_yes_or_no)
    if unit is None:
        expected = "" if is_yes_or_no else NUMERICS[vital_type].unit
        raise FrameError(
            "unit_mismatch", "unit", f"this value is in {expected}" if expected else "this value has no unit"
        )
    return Reading(vital_type, number, unit, read_time(fields))


def refuse_future(moment: datetime, now: datetime) -> None:
    """Refuse a time that the device's clock cannot honestly have shown yet.

    Raises:
        FrameError: it is more than a minute ahead.
    """
    if moment - now > LONGEST_AHEAD:
        limit = LONGEST_AHEAD.total_seconds()
        raise FrameError(
            "timestamp_in_future", "timestamp", f"it is more than {limit:.0f} s ahead of the server's clock"
        )


def wire_value(reading: Reading) -> WireValue:
    """The value as the device had written it: a number, a letter, or yes or no."""
    if reading.type == CONSCIOUSNESS:
        return CONSCIOUSNESS_LEVELS[int(reading.value)]
    if reading.type == OXYGEN and not reading.unit:
        return bool(reading.value)
    whole = int(reading.value)
    return whole if whole == reading.value else reading.value


def encode_reading(patient_id: str, reading: Reading) -> bytes:
    """The frame that every viewer of this patient gets."""
    return msgspec.json.encode(
        {
            "patientId": patient_id,
            "type": reading.type,
            "value": wire_value(reading),
            "unit": reading.unit,
            "timestamp": to_rfc3339(reading.measured_at),
        }
    )


def encode_waveform(patient_id: str, waveform: Waveform) -> bytes:
    """The frame that every viewer of this patient gets."""
    return msgspec.json.encode(
        {
            "patientId": patient_id,
            "type": waveform.type,
            "sampleRate": waveform.sample_rate_hz,
            "samples": waveform.samples,
            "unit": waveform.unit,
            "lead": waveform.lead,
            "timestamp": to_rfc3339(waveform.started_at),
        }
    )


def shows_news(frame: bytes, newest: Mapping[str, datetime]) -> bool:
    """Whether a viewer who knows these newest times of each type learns something from an encoded frame."""
    head = _head.decode(frame)
    known = newest.get(head.type)
    return known is None or from_rfc3339(head.timestamp) > known


def encode_error(error: FrameError, *, frame: int) -> bytes:
    """What a device is told of its frame number `frame`, counted from 1."""
    answer = {"event": "error", "code": error.code, "detail": error.detail, "frame": frame}
    return msgspec.json.encode(answer if error.field is None else answer | {"field": error.field})


def encode_flushed(flush: Flush, *, frames: int, errors: int) -> bytes:
    """The answer to a flush: how many frames were accepted and refused on this socket so far."""
    return msgspec.json.encode({"event": "flushed", "id": flush.id, "frames": frames, "errors": errors})


def _parse(text: str) -> dict[str, Any]:
    if len(text) > LONGEST_FRAME_CHARACTERS:
        raise FrameError("frame_too_large", None, f"a frame has at most {LONGEST_FRAME_CHARACTERS} characters")
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        fields = _parse_leniently(text)
    if not isinstance(fields, dict):
        raise FrameError("invalid_json", None, "a frame is one JSON object")
    return fields


def _parse_leniently(text: str) -> Any:
    """Python's own parser knows NaN and Infinity, which JSON does not: a device that sends them is told so."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise FrameError("invalid_json", None, "this is not JSON") from None


def _read_consciousness(value: object) -> float:
    if not isinstance(value, str):
        raise FrameError("wrong_type", "value", "consciousness is a letter")
    if value not in CONSCIOUSNESS_LEVELS:
        raise FrameError("value_out_of_range", "value", f"consciousness is one of {', '.join(CONSCIOUSNESS_LEVELS)}")
    return float(CONSCIOUSNESS_LEVELS.index(value))


def _read_number(vital_type: str, value: object) -> float:
    number = to_number(value, "value")
    sign = NUMERICS[vital_type]
    if not sign.lowest <= number <= sign.highest:
        detail = f"{vital_type} is between {sign.lowest:g} and {sign.highest:g} {sign.unit}"
        raise FrameError("value_out_of_range", "value", detail)
    return float(number)


def _read_waveform(fields: Mapping[str, Any]) -> Waveform:
    vital_type = read_type(fields)
    rate = to_number(require(fields, "sampleRate"), "sampleRate")
    if not 1 <= rate <= HIGHEST_SAMPLE_RATE_HZ:
        raise FrameError("value_out_of_range", "sampleRate", f"it is between 1 and {HIGHEST_SAMPLE_RATE_HZ} Hz")
    samples = to_samples(require(fields, "samples"))
    unit = canonical_waveform_unit(vital_type, optional_text(fields, "unit"))
    if unit is None:
        raise FrameError("unit_mismatch", "unit", f"{vital_type} is in {WAVEFORMS[vital_type].unit or 'a short unit'}")
    lead = optional_text(fields, "lead")
    if lead is not None and not (lead.isascii() and lead.isprintable() and 0 < len(lead) <= LONGEST_LEAD):
        raise FrameError("value_out_of_range", "lead", f"a lead has 1 to {LONGEST_LEAD} printable ASCII characters")
    return Waveform(vital_type, rate, samples, unit, lead, read_time(fields))


def _read_flush(fields: Mapping[str, Any]) -> Flush:
    if fields["event"] != "flush":
        raise FrameError("unknown_event", "event", "the only event that a device sends is `flush`")
    flush_id = fields.get("id")
    is_text = isinstance(flush_id, str) and _FLUSH_ID.fullmatch(flush_id) is not None
    is_integer = type(flush_id) is int and abs(flush_id) <= _LARGEST_EXACT_INTEGER
    if not (flush_id is None or is_text or is_integer):
        raise FrameError("wrong_type", "id", "use at most 64 of A-Z a-z 0-9 . _ : - or an integer up to 2^53")
    return Flush(flush_id)
