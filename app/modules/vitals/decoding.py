"""PURE: from the bytes of one message to a frame: JSON in text, MessagePack in binary, with the same fields.

Whatever comes in, `decode_json` and `decode_msgpack` return a frame or raise `FrameError`, in time and
memory that are in proportion to the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import UNSET

from app.modules.vitals.fields import (
    LARGEST_EXACT_INTEGER,
    FrameError,
    read_time,
    read_type,
    require,
    to_number,
    to_optional_text,
    to_seq,
    to_time,
)
from app.modules.vitals.frames import DEVICE, Beats, Flush, Frame, LeadStatus, Reading, Shown, Waveform
from app.modules.vitals.samples import Counts
from app.modules.vitals.signs import (
    CONSCIOUSNESS,
    CONSCIOUSNESS_LEVELS,
    NUMERICS,
    OXYGEN,
    WAVEFORMS,
    canonical_unit,
)
from app.modules.vitals.waveform_fields import Head, possible_bytes, read_head, read_waveform, to_counts, to_lead

#: In characters of text, or in bytes. Nothing larger is parsed at all.
LONGEST_FRAME: Final = 262_144

_FLUSH_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

#: The first byte of a map with up to 15 entries, less their number, and those of longer ones, with the size of the
#: number that follows (MessagePack specification, "map format family").
_SHORT_MAP: Final = 0x80
_MAP_LENGTH_BYTES: Final = {0xDE: 2, 0xDF: 4}

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)

_Leads = tuple[str, ...] | None
_Each = float | tuple[float, ...]


class _Packed(msgspec.Struct, gc=False, rename={"sample_rate": "sampleRate"}):
    """What a device sends twenty times a second: the fields of a waveform, of the right types and not checked."""

    type: str
    sample_rate: float
    samples: bytes
    scale: _Each
    timestamp: Any
    unit: str | None = None
    lead: str | None = None
    leads: _Leads = None
    offset: _Each | None = None
    seq: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_EXACT_INTEGER)] | None = None
    event: Any = UNSET


class _Glance(msgspec.Struct, gc=False):
    """As much of a frame as says how urgent it is."""

    type: str | None = None
    event: Any = UNSET
    seq: int | None = None


class _Own(msgspec.Struct, gc=False):
    """What a node says of its own, and a device is not asked: what measured a reading, and when a heart has beaten."""

    source: str = DEVICE
    event: str | None = None
    lead: str | None = None
    timestamps: tuple[str, ...] = ()


#: How many of the fields of `_Packed` must be there.
_REQUIRED: Final = 5

_decode_packed = msgspec.msgpack.Decoder(_Packed).decode
_glance_msgpack = msgspec.msgpack.Decoder(_Glance).decode
_glance_json = msgspec.json.Decoder(_Glance).decode
_decode_own = msgspec.msgpack.Decoder(_Own).decode
_decode_any = msgspec.msgpack.Decoder().decode


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A JSON object as it is written: a dictionary does not tell of a field that is there twice."""

    pairs: list[tuple[str, Any]]


def glance(message: str | bytes) -> tuple[bool, int | None]:
    """Whether a message is a waveform, if it is anything, and its `seq`, for a tenth of what reading it costs."""
    if len(message) > LONGEST_FRAME:
        return False, None
    try:
        seen = _glance_json(message) if isinstance(message, str) else _glance_msgpack(message)
    except _UNREADABLE:
        return False, None
    number = seen.seq if seen.seq is not None and 0 <= seen.seq <= LARGEST_EXACT_INTEGER else None
    return seen.event is UNSET and seen.type in WAVEFORMS, number


def decode_json(text: str) -> Frame:
    """Read one text message.

    Raises:
        FrameError: it cannot be used.
    """
    _refuse_long(text)
    try:
        parsed = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise FrameError("invalid_json", None, "this is not JSON") from None
    if not isinstance(parsed, _Pairs):
        raise FrameError("invalid_json", None, "a frame is one JSON object")
    return _read(dict(parsed.pairs), entries=len(parsed.pairs))


def decode_msgpack(data: bytes) -> Frame:
    """Read one binary message.

    Raises:
        FrameError: it cannot be used.
    """
    _refuse_long(data)
    return _read_any(data)


def decode_from_node(data: bytes) -> Shown:
    """Read what `encode_for_nodes` has written: it may be longer than what a device may send, and tell more."""
    if (waveform := decode_waveform(data)) is not None:
        return waveform
    own = _decode_own(data)
    if own.event == Beats.type:
        return Beats(own.lead, tuple(map(to_time, own.timestamps)))
    frame = cast("Reading | Waveform", _read_map(data))
    return replace(frame, source=own.source) if isinstance(frame, Reading) else frame


def decode_waveform(data: bytes) -> Waveform | None:
    """Read a message that is, as far as its types tell, a binary waveform; any other is none.

    Devices send twenty of these in a second, so that there is one call for all of it.

    Raises:
        FrameError: it is one, and cannot be used.
    """
    if len(data) > LONGEST_FRAME:
        return None
    try:
        it = _decode_packed(data)
    except _UNREADABLE:
        return None
    if it.event is not UNSET or it.type not in WAVEFORMS:
        return None
    head, fields, sample_bytes = _known_head(it.type, it.sample_rate, it.unit, it.lead, it.leads, it.scale, it.offset)
    if data[0] - _SHORT_MAP != fields + (it.seq is not None) or it.timestamp is None:
        # There is a field that nobody knows, one that is there twice, or one that says nothing.
        return cast(Waveform, _read_map(data))
    try:
        # What nearly all of them say, in short.
        started_at = datetime.fromisoformat(it.timestamp)
    except (TypeError, ValueError):
        started_at = to_time(it.timestamp)
    if started_at.tzinfo is not UTC:
        started_at = to_time(it.timestamp)
    if len(it.samples) in sample_bytes and head.scales is not None:
        samples = Counts(it.samples, head.scales, head.offsets)
    else:
        samples = to_counts(head, it.samples)
    return Waveform(head.type, head.sample_rate_hz, head.leads, samples, head.unit, started_at, it.seq)


def _read_any(data: bytes) -> Frame:
    waveform = decode_waveform(data)
    return _read_map(data) if waveform is None else waveform


# Heads are read once, and then known: there are about as many as devices.
@lru_cache(maxsize=8192)
def _known_head(
    vital_type: str, rate: float, unit: str | None, lead: str | None, leads: _Leads, scale: _Each, offset: _Each | None
) -> tuple[Head, int, range]:
    """What describes the samples, how many fields a frame has that says so without `seq`, and how long samples are."""
    described = sum(it is not None for it in (unit, lead, leads, offset))
    head = read_head(vital_type, rate, unit, lead, leads, scale, offset)
    return head, _REQUIRED + described, possible_bytes(head)


def _read_map(data: bytes) -> Frame:
    try:
        fields = _decode_any(data)
    except msgspec.ValidationError:
        # Of all that a message can hold, only the type for times has values that are none.
        raise FrameError("bad_timestamp", "timestamp", "it is no time in the years 1 to 9999") from None
    except _UNREADABLE:
        raise FrameError("invalid_msgpack", None, "this is not MessagePack") from None
    if not isinstance(fields, dict):
        raise FrameError("invalid_msgpack", None, "a frame is one MessagePack map")
    return _read(fields, entries=_entries(data))


def _entries(data: bytes) -> int:
    """How many entries the map that begins here has."""
    length_bytes = _MAP_LENGTH_BYTES.get(data[0])
    return data[0] ^ _SHORT_MAP if length_bytes is None else int.from_bytes(data[1 : 1 + length_bytes])


def _refuse_long(message: str | bytes) -> None:
    if len(message) > LONGEST_FRAME:
        raise FrameError("frame_too_large", None, f"a frame has at most {LONGEST_FRAME} characters or bytes")


def _read(fields: Mapping[Any, Any], *, entries: int) -> Frame:
    """Read a frame; fields that are not known are passed over.

    Args:
        entries: how many fields the message has, counting those that are there twice.
    """
    if len(fields) != entries:
        raise FrameError("repeated_field", None, "a field is there twice")
    if "event" in fields:
        return _read_event(fields)
    if read_type(fields) in WAVEFORMS:
        return read_waveform(fields)
    return read_reading(fields)


def read_reading(fields: Mapping[str, Any]) -> Reading:
    """Read a numeric; fields that are not known are passed over.

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
    unit = canonical_unit(vital_type, to_optional_text(fields.get("unit"), "unit"), is_yes_or_no=is_yes_or_no)
    if unit is None:
        expected = "" if is_yes_or_no else NUMERICS[vital_type].unit
        raise FrameError(
            "unit_mismatch", "unit", f"this value is in {expected}" if expected else "this value has no unit"
        )
    return Reading(vital_type, number, unit, read_time(fields), to_seq(fields.get("seq")))


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


def _read_event(fields: Mapping[str, Any]) -> Flush | LeadStatus:
    event = fields["event"]
    if event == "flush":
        return Flush(_to_flush_id(fields.get("id")), to_seq(fields.get("seq")))
    if event not in ("lead_off", "lead_on"):
        raise FrameError("unknown_event", "event", "a device sends `flush`, `lead_off` or `lead_on`")
    vital_type = read_type(fields)
    if vital_type not in WAVEFORMS:
        raise FrameError("unknown_type", "type", f"a waveform is one of {', '.join(WAVEFORMS)}")
    lead = to_lead(fields.get("lead"))
    return LeadStatus(vital_type, lead, event == "lead_off", read_time(fields), to_seq(fields.get("seq")))


def _to_flush_id(value: object) -> str | int | None:
    is_text = isinstance(value, str) and _FLUSH_ID.fullmatch(value) is not None
    is_integer = type(value) is int and abs(value) <= LARGEST_EXACT_INTEGER
    if value is None or is_text or is_integer:
        return cast("str | int | None", value)
    raise FrameError("wrong_type", "id", "use at most 64 of A-Z a-z 0-9 . _ : - or an integer up to 2^53")
