"""Reading the waveforms of a BIDMC signals CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from app.commands.recordings import TIME_COLUMN, RecordingUnreadable, read_cell
from app.commands.signals import Lead, Recorded, Signal, gather
from app.modules.vitals.samples import Numbers

#: A time may be off by so much of the distance between two samples. The files round it to five digits: from 100 s
#: on, to a hundredth of a second at 125 Hz.
_TOLERANCE: Final = 1.0


def read_signals(header: list[str], lines: Iterator[list[str]], name: str) -> tuple[list[Signal], list[str]]:
    """The waveforms of a table whose rows are equally far apart, and the names of columns that nobody could use.

    The tables give no units; the leads of the ECG are taken to be in mV, as in the records that they were made from.

    Raises:
        RecordingUnreadable: a line of it makes no sense.
    """
    places = {column: place for place, column in enumerate(header) if column and column != TIME_COLUMN}
    time_place = header.index(TIME_COLUMN)
    times: list[float] = []
    columns: dict[str, list[float | None]] = {column: [] for column in places}
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        padded = [*cells, *[""] * (len(header) - len(cells))]
        moment = read_cell(padded[time_place], f"{name}, line {number}: {TIME_COLUMN}")
        if moment is None:
            raise RecordingUnreadable(f"{name}, line {number}: {TIME_COLUMN} is missing")
        times.append(moment)
        for column, place in places.items():
            columns[column].append(read_cell(padded[place], f"{name}, line {number}: {column}"))
    if len(times) < 2:
        return [], []
    rate_hz = _rate_of(times, name)
    recorded = [Recorded(_to_lead(column, values), None, rate_hz) for column, values in columns.items()]
    return gather(recorded, starts_at_seconds=times[0])


def _rate_of(times: list[float], name: str) -> float:
    """The number of samples in a second; a whole one, where the rounded times allow it."""
    step = (times[-1] - times[0]) / (len(times) - 1)
    for place, moment in enumerate(times):
        if step <= 0 or abs(times[0] + place * step - moment) > _TOLERANCE * step:
            raise RecordingUnreadable(f"{name}: its rows are not equally far apart; see the {place + 1}th")
    rate_hz = 1 / step
    return float(round(rate_hz)) if math.isclose(rate_hz, round(rate_hz), rel_tol=1e-3) else rate_hz


def _to_lead(name: str, values: list[float | None]) -> Lead:
    """The values as counts over their own range."""
    missing = bytes(value is None for value in values)
    filler = next((value for value in values if value is not None), 0.0)
    row = tuple(filler if value is None else value for value in values)
    counts = Numbers((row,)).counts()
    return Lead(name, counts.integers(), counts.scales[0], counts.offsets[0], missing if any(missing) else None)
