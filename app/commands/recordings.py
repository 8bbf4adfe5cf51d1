"""Reading recorded numerics: rows of what a monitor showed, at which second of the recording."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from app.commands.connection import CommandError

TIME_COLUMN: Final = "Time [s]"

#: Columns of the BIDMC numerics (Pimentel et al. 2016), and what they are called on the wire.
COLUMNS: Final = {"HR": "heart_rate", "PULSE": "pulse", "RESP": "respiratory_rate", "SpO2": "spo2"}


class Row(NamedTuple):
    """What was measured at one moment; a numeric that was missing then is left out."""

    offset_seconds: float
    readings: Mapping[str, float]


class RecordingUnreadable(CommandError):
    """The file is missing, or is no recording that can be read; the text says which, and where in the file."""


def read_recording(path: Path) -> Iterator[Row]:
    """The rows of a BIDMC numerics CSV, in the order of the recording.

    Raises:
        RecordingUnreadable: the file cannot be read, or a line of it makes no sense.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _read_rows(csv.reader(file), path.name)
    except OSError as error:
        raise RecordingUnreadable(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error):
        raise RecordingUnreadable(_wanted(path.name)) from None


def _read_rows(lines: Iterator[list[str]], name: str) -> Iterator[Row]:
    header = [cell.strip() for cell in next(lines, [])]
    if TIME_COLUMN not in header or not COLUMNS.keys() & set(header):
        raise RecordingUnreadable(_wanted(name))
    previous = -math.inf
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        values = {
            column: value
            for column, cell in zip(header, cells, strict=False)
            if (column == TIME_COLUMN or column in COLUMNS)
            and (value := _read_cell(cell, f"{name}, line {number}: {column}")) is not None
        }
        offset = values.pop(TIME_COLUMN, None)
        if offset is None or offset < previous:
            raise RecordingUnreadable(
                f"{name}, line {number}: {TIME_COLUMN} is missing, or earlier than the line before"
            )
        previous = offset
        yield Row(offset, {COLUMNS[column]: value for column, value in values.items()})


def _read_cell(cell: str, place: str) -> float | None:
    text = cell.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise RecordingUnreadable(f"{place} is {text[:20]!r}, which is not a number") from None
    return value if math.isfinite(value) else None


def _wanted(name: str) -> str:
    columns = ", ".join(COLUMNS)
    return f"{name} is not a BIDMC numerics CSV: its first line must name {TIME_COLUMN} and any of {columns}"
