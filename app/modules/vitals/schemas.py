"""What vital signs look like in HTTP bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema

from app.core.errors import InvalidField
from app.core.timestamps import from_rfc3339, to_rfc3339
from app.core.wire import Id, WireInput, WireModel
from app.modules.vitals.frames import DEVICE, Reading, WireValue, wire_value
from app.modules.vitals.signs import NUMERICS

MOST_READINGS = 1000

_CURSOR_SEPARATOR = "~"

#: What makes a reading of one patient the same as another: its type, and when it was measured.
Moment = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What a history is narrowed to: `since` and later, before `until`, and older than the row `after`."""

    patient_id: str
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Moment | None = None


def _require_numeric(vital_type: str) -> str:
    if vital_type not in NUMERICS:
        raise ValueError(f"use one of {', '.join(NUMERICS)}")
    return vital_type


#: The name of a numeric vital sign.
NumericType = Annotated[str, AfterValidator(_require_numeric), WithJsonSchema({"enum": list(NUMERICS)})]

#: What a value may be depends on its type; `frames.read_reading` knows, and names the field.
RawValue = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "boolean"}, {"enum": ["A", "C", "V", "P", "U"]}]}),
]


class ReadingInput(WireInput):
    """A numeric as a device sends it, with the fields of its frame."""

    type: str = Field(examples=["heart_rate"])
    value: RawValue = Field(examples=[72])
    unit: str | None = Field(None, examples=["/min"])
    timestamp: str = Field(description="RFC 3339 with an offset.", examples=["2026-01-02T03:04:05.250Z"])

    def fields(self) -> dict[str, Any]:
        """The fields of the frame."""
        return {"type": self.type, "value": self.value, "unit": self.unit, "timestamp": self.timestamp}


class SingleReadingInput(ReadingInput):
    """One numeric, and whose it is, unless the query says so or it is the sender's own."""

    patient_id: Id | None = None


class ReadingsInput(WireInput):
    """Many numerics of one patient: all of them are taken, or none."""

    patient_id: Id | None = None
    readings: Annotated[list[ReadingInput], Field(min_length=1, max_length=MOST_READINGS)]


class Taken(WireModel):
    """How many readings were new, and how many had been sent before."""

    accepted: int
    duplicates: int


class StoredReading(WireModel):
    """A numeric as it is stored."""

    type: str
    value: WireValue
    unit: str
    timestamp: datetime
    source: str | None = Field(
        None, exclude_if=lambda source: source is None, description="`ecg`: counted here from the ECG."
    )

    @classmethod
    def of(cls, reading: Reading) -> Self:
        source = None if reading.source == DEVICE else reading.source
        return cls(
            type=reading.type,
            value=wire_value(reading),
            unit=reading.unit,
            timestamp=reading.measured_at,
            source=source,
        )


class Latest(WireModel):
    """The newest reading of each type."""

    patient_id: str
    readings: list[StoredReading]


class HistoryPage(WireModel):
    """Readings, newest first; `next_cursor` asks for those before them, and is null where there are none."""

    patient_id: str
    readings: list[StoredReading]
    next_cursor: str | None

    @classmethod
    def of(cls, patient_id: str, readings: Sequence[Reading], *, has_more: bool) -> Self:
        return cls(
            patient_id=patient_id,
            readings=[StoredReading.of(reading) for reading in readings],
            next_cursor=write_cursor(readings[-1]) if has_more else None,
        )


class Series(WireModel):
    """Readings of one type, oldest first, as two lists of equal length.

    `truncated` says that there are more: ask again with `since` at the last timestamp.
    """

    patient_id: str
    type: str
    unit: str
    timestamps: list[datetime]
    values: list[WireValue]
    truncated: bool

    @classmethod
    def of(cls, patient_id: str, vital_type: str, readings: Sequence[Reading], *, has_more: bool) -> Self:
        return cls(
            patient_id=patient_id,
            type=vital_type,
            unit=NUMERICS[vital_type].unit,
            timestamps=[reading.measured_at for reading in readings],
            values=[wire_value(reading) for reading in readings],
            truncated=has_more,
        )


def write_cursor(reading: Reading) -> str:
    """The cursor of the page that follows this reading."""
    return f"{to_rfc3339(reading.measured_at)}{_CURSOR_SEPARATOR}{reading.type}"


def read_cursor(cursor: str) -> Moment:
    """The reading that a cursor stands for.

    Raises:
        InvalidField: it is not one that we have written.
    """
    moment, _, vital_type = cursor.partition(_CURSOR_SEPARATOR)
    try:
        return _require_numeric(vital_type), from_rfc3339(moment)
    except ValueError:
        raise InvalidField("cursor", "use the nextCursor of the page before, as it is") from None
