"""PURE: a waveform out of the fields of its frame.

Every function here returns what is right or raises `FrameError`. What describes the samples (`Head`) is
read apart from them, because a device says the same in every frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.modules.vitals.fields import FrameError, read_time, read_type, require, to_number, to_optional_text, to_seq
from app.modules.vitals.frames import Waveform
from app.modules.vitals.samples import COUNT_BYTES, Counts, Numbers
from app.modules.vitals.signs import WAVEFORMS, canonical_waveform_unit

HIGHEST_SAMPLE_RATE_HZ: Final = 2000
MOST_SAMPLES: Final = 4096
MOST_LEADS: Final = 16
LONGEST_LEAD: Final = 16

#: In whatever unit, nothing that is measured at a bedside is larger; and whoever calculates with samples can
#: square and sum these without ever meeting infinity.
LARGEST_SAMPLE: Final = 1e12
LARGEST_SCALE: Final = 1e8
_LIMIT: Final = "10^12"


@dataclass(frozen=True, slots=True)
class Head:
    """What a frame says of its samples.

    Attributes:
        has_rows: whether the leads come as a list, so that samples in a list come as a list of lists.
        scales: one for each lead, or None where the frame has none.
        offsets: one for each lead.
    """

    type: str
    sample_rate_hz: float
    unit: str
    leads: tuple[str | None, ...]
    has_rows: bool
    scales: tuple[float, ...] | None
    offsets: tuple[float, ...]


def read_waveform(fields: Mapping[str, Any]) -> Waveform:
    """Read a waveform; fields that are not known are passed over."""
    vital_type, rate, samples = read_type(fields), require(fields, "sampleRate"), require(fields, "samples")
    described = (fields.get(name) for name in ("unit", "lead", "leads", "scale", "offset"))
    head = read_head(vital_type, rate, *described)
    read = to_counts(head, samples) if isinstance(samples, bytes) else _to_numbers(head, samples)
    started_at, seq = read_time(fields), to_seq(fields.get("seq"))
    return Waveform(head.type, head.sample_rate_hz, head.leads, read, head.unit, started_at, seq)


def read_head(
    vital_type: str, rate: object, unit: object, lead: object, leads: object, scale: object, offset: object
) -> Head:
    """Read everything that describes the samples.

    Args:
        vital_type: one of the waveforms.
    """
    rate = to_number(rate, "sampleRate")
    if not 1 <= rate <= HIGHEST_SAMPLE_RATE_HZ:
        raise FrameError("value_out_of_range", "sampleRate", f"it is between 1 and {HIGHEST_SAMPLE_RATE_HZ} Hz")
    kept_unit = canonical_waveform_unit(vital_type, to_optional_text(unit, "unit"))
    if kept_unit is None:
        raise FrameError("unit_mismatch", "unit", f"{vital_type} is in {WAVEFORMS[vital_type].unit or 'a short unit'}")
    names = (to_lead(lead),) if leads is None else _to_leads(leads, lead)
    scales = _one_each(scale, "scale", len(names))
    if scales is not None and not all(0 < abs(scale) <= LARGEST_SCALE for scale in scales):
        raise FrameError("value_out_of_range", "scale", "`scale` is not 0, and between -10^8 and 10^8")
    offsets = _one_each(offset, "offset", len(names)) or (0.0,) * len(names)
    if not all(abs(offset) <= LARGEST_SAMPLE for offset in offsets):
        raise FrameError("value_out_of_range", "offset", f"it is between -{_LIMIT} and {_LIMIT}")
    return Head(vital_type, float(rate), kept_unit, names, leads is not None, scales, offsets)


def to_lead(value: object, field: str = "lead") -> str | None:
    """The name of a lead, if it has one."""
    lead = to_optional_text(value, field)
    if lead is not None and not (lead.isascii() and lead.isprintable() and 0 < len(lead) <= LONGEST_LEAD):
        raise FrameError("value_out_of_range", field, f"a lead has 1 to {LONGEST_LEAD} printable ASCII characters")
    return lead


def possible_bytes(head: Head) -> range:
    """How long the samples of a binary frame may be."""
    sample_bytes = COUNT_BYTES * len(head.leads)
    return range(sample_bytes, MOST_SAMPLES * sample_bytes + 1, sample_bytes)


def to_counts(head: Head, data: bytes) -> Counts:
    """The samples of a binary frame."""
    size, remainder = divmod(len(data), COUNT_BYTES * len(head.leads))
    if remainder:
        raise FrameError("wrong_length", "samples", "`samples` has two bytes for each sample of each lead")
    if not 1 <= size <= MOST_SAMPLES:
        raise FrameError("value_out_of_range", "samples", f"a lead has 1 to {MOST_SAMPLES} samples")
    if head.scales is None:
        raise FrameError("missing_field", "scale", "`scale` is needed: it says what one count is worth")
    return Counts(data, head.scales, head.offsets)


def _to_leads(value: object, lead: object) -> tuple[str | None, ...]:
    if lead is not None:
        raise FrameError("conflicting_fields", "leads", "write `lead` or `leads`, and not both")
    if not isinstance(value, list | tuple) or None in value:
        raise FrameError("wrong_type", "leads", "`leads` is a list of texts")
    if not 1 <= len(value) <= MOST_LEADS:
        raise FrameError("value_out_of_range", "leads", f"a frame has 1 to {MOST_LEADS} leads")
    leads = tuple(to_lead(name, "leads") for name in value)
    if len(set(leads)) < len(leads):
        raise FrameError("value_out_of_range", "leads", "each lead has another name")
    return leads


def _one_each(value: object, field: str, leads: int) -> tuple[float, ...] | None:
    """One finite number for all leads, or as many as there are leads, if there are any."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return (_to_float(value, field),) * leads
    if len(value) != leads:
        raise FrameError("wrong_length", field, f"`{field}` is a number, or a list of one for each lead")
    return tuple(_to_float(number, field) for number in value)


def _to_float(value: object, field: str) -> float:
    try:
        return float(to_number(value, field))
    except OverflowError:
        raise FrameError("value_out_of_range", field, f"`{field}` is too large") from None


def _to_numbers(head: Head, value: object) -> Numbers:
    """The samples of a frame that has them as a list, or as a list of lists where it has `leads`."""
    if head.has_rows:
        if not isinstance(value, list):
            raise FrameError("wrong_type", "samples", "`samples` is a list of lists of numbers")
        if len(value) != len(head.leads):
            raise FrameError("wrong_length", "samples", "`samples` has one list for each lead")
        rows = [_to_row(row) for row in value]
        if len({len(row) for row in rows}) > 1:
            raise FrameError("wrong_length", "samples", "the lists of all leads are of one length")
    else:
        rows = [_to_row(value)]
    if head.scales is not None or any(head.offsets):
        scaled = zip(rows, head.scales or (1.0,) * len(rows), head.offsets, strict=True)
        rows = [[number * scale + offset for number in row] for row, scale, offset in scaled]
    return Numbers(tuple(map(_in_range, rows)))


def _to_row(value: object) -> list[float]:
    if not isinstance(value, list):
        raise FrameError("wrong_type", "samples", "`samples` is a list of numbers")
    if not 1 <= len(value) <= MOST_SAMPLES:
        raise FrameError("value_out_of_range", "samples", f"a lead has 1 to {MOST_SAMPLES} samples")
    try:
        return msgspec.convert(value, list[float])
    except msgspec.ValidationError:
        raise FrameError("wrong_type", "samples", "`samples` is a list of numbers") from None


def _in_range(row: Sequence[float]) -> tuple[float, ...]:
    if not all(map(math.isfinite, row)):
        raise FrameError("not_a_number", "samples", "every sample must be a finite number")
    if max(row) > LARGEST_SAMPLE or min(row) < -LARGEST_SAMPLE:
        raise FrameError("value_out_of_range", "samples", f"a sample is between -{_LIMIT} and {_LIMIT}")
    return tuple(row)
