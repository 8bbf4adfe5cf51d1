"""What there is to play: files read by what they hold, put together for each patient, and cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Final

from app.commands.connection import CommandError
from app.commands.recordings import (
    COLUMNS,
    TIME_COLUMN,
    RecordingUnreadable,
    Row,
    has_signals,
    open_table,
    read_numerics,
)
from app.commands.signal_tables import read_signals
from app.commands.signals import Piece, Signal
from app.commands.wfdb_records import read_record, record_of

#: What a replay sends at one moment.
Step = Row | Piece

FRAME_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Recording:
    """What one file holds.

    Attributes:
        unused: names of waveforms that are no vital sign here.
    """

    name: str
    rows: Sequence[Row] = ()
    signals: Sequence[Signal] = ()
    unused: Sequence[str] = ()

    def plays(self) -> set[str]:
        """The numerics, and the waveforms with their leads."""
        numerics = {vital_type for row in self.rows for vital_type in row.readings}
        return numerics.union(
            f"{signal.type} {lead.name}" if signal.type == "ecg" else signal.type
            for signal in self.signals
            for lead in signal.leads
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a recording is played, and how its waveforms are cut into frames.

    Attributes:
        from_seconds: counted as the recording counts.
        duration_seconds: infinite for all that follows.
    """

    from_seconds: float = 0.0
    duration_seconds: float = float("inf")
    frame_seconds: float = FRAME_MS / 1000

    def holds(self, step: Step) -> bool:
        """Whether all of this step is played."""
        end = self.from_seconds + self.duration_seconds
        is_within = step.offset_seconds <= end if isinstance(step, Piece) else step.offset_seconds < end
        return self.from_seconds <= step.starts_at_seconds and is_within


def assign(files: Sequence[Path], patients: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each patient: all of them for the only one, or in their order one for each name.

    Raises:
        CommandError: there are neither one nor as many patients as files.
    """
    if len(patients) not in {1, len(files)}:
        raise CommandError(
            f"{len(files)} files and {len(patients)} times --patient: "
            "name one patient for all files, or one for each file in the same order"
        )
    assigned: dict[str, list[Path]] = {}
    for place, file in enumerate(files):
        assigned.setdefault(patients[place % len(patients)], []).append(file)
    return assigned


def read_file(path: Path) -> Recording:
    """What a file holds, whichever kind of recording it is.

    Raises:
        RecordingUnreadable: it is missing, or none that can be read.
    """
    is_table = path.name.endswith((".csv", ".csv.gz"))
    if not is_table and (record := record_of(path)) is not None:
        signals, unused = read_record(record)
        return Recording(record.name, (), signals, unused)
    with open_table(path, _wanted(path.name)) as (header, lines):
        if has_signals(header):
            signals, unused = read_signals(header, lines, path.name)
            return Recording(path.name, (), signals, unused)
        if TIME_COLUMN not in header or not COLUMNS.keys() & set(header):
            raise RecordingUnreadable(_wanted(path.name))
        return Recording(path.name, list(read_numerics(header, lines, path.name)))


def play_together(recordings: Sequence[Recording], cut: Cut) -> list[Step]:
    """Everything that recordings of one patient hold, in the order in which a device would send it.

    Raises:
        CommandError: two of them hold the same vital sign.
    """
    seen: dict[str, str] = {}
    for recording in recordings:
        for sign in sorted(recording.plays()):
            if sign in seen:
                raise CommandError(f"{seen[sign]} and {recording.name} both hold {sign}: one patient has one of it")
            seen[sign] = recording.name
    streams: list[Iterable[Step]] = [recording.rows for recording in recordings]
    streams += [signal.pieces(cut.frame_seconds) for recording in recordings for signal in recording.signals]
    return [step for step in merge(*streams, key=lambda step: step.offset_seconds) if cut.holds(step)]


def notices(recordings: Mapping[str, Sequence[Recording]]) -> list[str]:
    """What the person at the terminal should know of what is not played."""
    unused = {recording.name: recording.unused for found in recordings.values() for recording in found}
    return [f"{name}: {', '.join(names)} left out, of no type that is sent" for name, names in unused.items() if names]


def _wanted(name: str) -> str:
    return (
        f"{name} is no recording that can be played: give a BIDMC numerics CSV (its first line names {TIME_COLUMN} and "
        f"any of {', '.join(COLUMNS)}), a BIDMC signals CSV ({TIME_COLUMN}, PLETH, II, ...), or a WFDB record"
    )
