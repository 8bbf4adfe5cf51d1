"""What vital signs look like in HTTP bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema

from app.core.errors import InvalidField
from app.core.timestamps import from_rfc3339, to_rfc3339
from app.core.wire import Id, WireInput, WireModel
from app.modules.vitals.buckets import Bucket, Grid
from app.modules.vitals.frames import DEVICE, Reading, WireValue, wire_value
from app.modules.vitals.signs import NUMERICS

MOST_READINGS = 1000

#: No vital sign is measured more finely than this many digits behind the point.
MEAN_DIGITS = 3

_CURSOR_SEPARATOR = "~"

_NAMES = ", ".join(f"`{name}`" for name in NUMERICS)

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


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """What a series is of: one type of one patient, from `since` to before `until`."""

    patient_id: str
    type: str
    since: datetime
    until: datetime

    def as_history(self) -> HistoryFilter:
        return HistoryFilter(self.patient_id, self.type, self.since, self.until)


Resolution = Literal["auto", "raw", "buckets"]


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """How often a value was measured, to a tenth, and the first and the last time."""

    type: str
    value: float
    count: int
    first_at: datetime
    last_at: datetime


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

    type: str = Field(description=f"Which vital sign: {_NAMES}.", examples=["heart_rate"])
    value: RawValue = Field(
        description="A number; true or false for oxygen, a letter for consciousness.", examples=[72]
    )
    unit: str | None = Field(None, description="Left out, it is the one that we write.", examples=["/min"])
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

    resolution: Literal["raw"] = "raw"
    patient_id: str
    type: str
    unit: str
    timestamps: list[datetime]
    values: list[WireValue]
    truncated: bool

    @classmethod
    def of(cls, wanted: SeriesFilter, readings: Sequence[Reading], *, has_more: bool) -> Self:
        return cls(
            patient_id=wanted.patient_id,
            type=wanted.type,
            unit=NUMERICS[wanted.type].unit,
            timestamps=[reading.measured_at for reading in readings],
            values=[wire_value(reading) for reading in readings],
            truncated=has_more,
        )


class BucketSeries(WireModel):
    """Readings of one type in buckets of equal width, oldest first, as lists of equal length.

    A bucket begins at its timestamp. One in which nothing was measured has a count of 0 and nulls.
    """

    resolution: Literal["buckets"] = "buckets"
    patient_id: str
    type: str
    unit: str
    bucket_seconds: int
    timestamps: list[datetime]
    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    count: list[int]

    @classmethod
    def of(cls, wanted: SeriesFilter, grid: Grid, summed: Mapping[int, Bucket]) -> Self:
        buckets = [summed.get(number) for number in grid.numbers()]
        return cls(
            patient_id=wanted.patient_id,
            type=wanted.type,
            unit=NUMERICS[wanted.type].unit,
            bucket_seconds=grid.width_seconds,
            timestamps=grid.starts(),
            min=[bucket.least if bucket else None for bucket in buckets],
            mean=[round(bucket.mean, MEAN_DIGITS) if bucket else None for bucket in buckets],
            max=[bucket.greatest if bucket else None for bucket in buckets],
            count=[bucket.count if bucket else 0 for bucket in buckets],
        )


AnySeries = Annotated[Series | BucketSeries, Field(discriminator="resolution")]


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
