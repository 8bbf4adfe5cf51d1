"""Reading recorded numerics: rows of what a monitor showed, at which second of the recording."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

from app.commands.connection import CommandError
from app.commands.signals import sign_of

TIME_COLUMN: Final = "Time [s]"

#: Columns of the BIDMC numerics (Pimentel et al. 2016), and what they are called on the wire.
COLUMNS: Final = {"HR": "heart_rate", "PULSE": "pulse", "RESP": "respiratory_rate", "SpO2": "spo2"}

_NUMERICS: Final = f"{TIME_COLUMN} and any of {', '.join(COLUMNS)}"


class Row(NamedTuple):
    """What was measured at one moment; a numeric that was missing then is left out."""

    offset_seconds: float
    readings: Mapping[str, float]

    @property
    def starts_at_seconds(self) -> float:
        """The same moment: a row has no length."""
        return self.offset_seconds


class RecordingUnreadable(CommandError):
    """The file is missing, or is no recording that can be read; the text says which, and where in the file."""


def read_recording(path: Path) -> Iterator[Row]:
    """The rows of a BIDMC numerics CSV, in the order of the recording.

    Raises:
        RecordingUnreadable: the file cannot be read, or a line of it makes no sense.
    """
    with open_table(path, _wanted(path.name)) as (header, lines):
        if has_signals(header):
            # Its RESP is a curve, which read as a rate would be an apnoea.
            raise RecordingUnreadable(f"{path.name} holds waveforms: this takes numerics, with {_NUMERICS}")
        yield from read_numerics(header, lines, path.name)


@contextmanager
def open_table(path: Path, wanted: str) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The first line of a CSV, which may be compressed, and the lines that follow.

    Args:
        wanted: what to say of a file that is no CSV at all.

    Raises:
        RecordingUnreadable: the file cannot be read.
    """
    try:
        with _open(path) as file:
            lines = csv.reader(file)
            yield [cell.strip() for cell in next(lines, [])], lines
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError, zlib.error):
        raise RecordingUnreadable(wanted) from None
    except OSError as error:
        raise RecordingUnreadable(f"{path}: {error.strerror or error}") from None


def has_signals(header: list[str]) -> bool:
    """Whether a first line names a waveform that no table of numerics has."""
    return TIME_COLUMN in header and any(sign_of(column, None) in {"ecg", "pleth"} for column in header)


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read_numerics(header: list[str], lines: Iterator[list[str]], name: str) -> Iterator[Row]:
    """The rows of a table of numerics, in the order of the recording.

    Raises:
        RecordingUnreadable: it is none, or a line of it makes no sense.
    """
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
            and (value := read_cell(cell, f"{name}, line {number}: {column}")) is not None
        }
        offset = values.pop(TIME_COLUMN, None)
        if offset is None or offset < previous:
            raise RecordingUnreadable(
                f"{name}, line {number}: {TIME_COLUMN} is missing, or earlier than the line before"
            )
        previous = offset
        yield Row(offset, {COLUMNS[column]: value for column, value in values.items()})


def read_cell(cell: str, place: str) -> float | None:
    """The number in a cell, or nothing where there is none; `place` names it to the reader of a complaint."""
    text = cell.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise RecordingUnreadable(f"{place} is {text[:20]!r}, which is not a number") from None
    return value if math.isfinite(value) else None


def _wanted(name: str) -> str:
    return f"{name} is not a BIDMC numerics CSV: its first line must name {_NUMERICS}"
