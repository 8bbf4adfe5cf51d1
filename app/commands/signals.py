"""Recorded waveforms: which sign a lead is of, and its samples in pieces of one frame each."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from app.commands.readings import write_time
from app.modules.vitals.samples import to_little_endian
from app.modules.vitals.signs import LONGEST_UNIT, WAVEFORMS, canonical_waveform_unit
from app.modules.vitals.waveform_fields import LONGEST_LEAD, MOST_LEADS

#: Names of leads in the collections of PhysioNet: limb and chest leads, modified ones, and those merely called ECG.
_ECG = re.compile(r"M?L?I{1,3}|AV[RLF]|V([1-9]R?)?|M?CL[1-6]?|CM[1-6]|CC5|MV[1-6]?|D[1-4]|ES|AS|AI|ECG.*", re.I)
_OTHERS: Final = {"pleth": re.compile(r"PLETH.*", re.I), "resp_wave": re.compile(r"RESP.*", re.I)}

_to_msgpack = msgspec.msgpack.Encoder().encode


def sign_of(name: str, unit: str | None) -> str | None:
    """The waveform that a lead of this name and unit is; `None` where there is no such vital sign."""
    if _ECG.fullmatch(name.strip()):
        return "ecg" if canonical_waveform_unit("ecg", unit) else None
    return next((sign for sign, names in _OTHERS.items() if names.fullmatch(name.strip())), None)


@dataclass(frozen=True, slots=True)
class Lead:
    """All samples of one lead.

    Attributes:
        counts: a sample is `count * scale + offset`, in the unit of its signal.
        missing: a byte for each sample, 1 where there is none; `None` where all are there.
    """

    name: str
    counts: array[int]
    scale: float
    offset: float
    missing: bytes | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Leads of one waveform, of equal length, taken together at one rate.

    Attributes:
        starts_at_seconds: when the first sample was taken, counted from the beginning of the recording.
    """

    type: str
    rate_hz: float
    unit: str
    leads: tuple[Lead, ...]
    starts_at_seconds: float = 0.0

    def pieces(self, frame_seconds: float) -> Iterator[Piece]:
        """The samples in pieces of at most so long, in order; what is missing is in none of them."""
        length = len(self.leads[0].counts)
        per_frame = max(1.0, self.rate_hz * frame_seconds)
        number = first = 0
        while first < length:
            number += 1
            end = min(round(number * per_frame), length)
            yield from self._present(first, end)
            first = end

    def moment_of(self, sample: int) -> float:
        """When a sample was taken, in seconds from the beginning of the recording."""
        return self.starts_at_seconds + sample / self.rate_hz

    def _present(self, first: int, end: int) -> Iterator[Piece]:
        """What there is of a stretch: one piece, or several where samples of some lead are missing."""
        if not any(lead.missing and 1 in lead.missing[first:end] for lead in self.leads):
            yield Piece(self, tuple(range(len(self.leads))), first, end)
            return
        for leads, samples in groupby(range(first, end), self._leads_at):
            if leads:
                run = list(samples)
                yield Piece(self, leads, run[0], run[-1] + 1)

    def _leads_at(self, sample: int) -> tuple[int, ...]:
        return tuple(index for index, lead in enumerate(self.leads) if not (lead.missing and lead.missing[sample]))


class Piece(NamedTuple):
    """What one frame holds: some leads of a signal, from a first sample to before an end."""

    signal: Signal
    leads: tuple[int, ...]
    first: int
    end: int

    @property
    def starts_at_seconds(self) -> float:
        """When its first sample was taken, in seconds from the beginning of the recording."""
        return self.signal.moment_of(self.first)

    @property
    def offset_seconds(self) -> float:
        """When its last sample has been taken, and a device would send it."""
        return self.signal.moment_of(self.end)

    @property
    def samples(self) -> int:
        """How many samples it has, of all leads."""
        return len(self.leads) * (self.end - self.first)

    def encode(self, taken_at: datetime, seq: int) -> bytes:
        """The binary frame, whose first sample was taken at this moment."""
        signal, leads = self.signal, [self.signal.leads[index] for index in self.leads]
        names: dict[str, object] = {}
        if signal.type == "ecg":
            names = {"lead": leads[0].name} if len(leads) == 1 else {"leads": [lead.name for lead in leads]}
        is_single = len(leads) == 1
        return _to_msgpack(
            {
                "type": signal.type,
                "sampleRate": signal.rate_hz,
                **names,
                "samples": b"".join(to_little_endian(lead.counts[self.first : self.end]) for lead in leads),
                "scale": leads[0].scale if is_single else [lead.scale for lead in leads],
                "offset": leads[0].offset if is_single else [lead.offset for lead in leads],
                "unit": signal.unit,
                "timestamp": write_time(taken_at),
                "seq": seq,
            }
        )


class Recorded(NamedTuple):
    """One lead as a file has it."""

    lead: Lead
    unit: str | None
    rate_hz: float


def gather(recorded: Sequence[Recorded], *, starts_at_seconds: float = 0.0) -> tuple[list[Signal], list[str]]:
    """The leads by the frames that they can share, and the names of those that nobody could use."""
    groups: dict[tuple[str, str, float, int, str], list[Lead]] = {}
    unused = []
    for lead, unit, rate_hz in recorded:
        sign = sign_of(lead.name, unit)
        if sign is None or len(lead.name) > LONGEST_LEAD or not lead.name.isascii():
            unused.append(lead.name)
            continue
        kept_unit = canonical_waveform_unit(sign, unit) if unit and len(unit) <= LONGEST_UNIT else None
        # Only the leads of an ECG have names on the wire: other curves go each in its own frame.
        alone = "" if sign == "ecg" else lead.name
        key = sign, kept_unit or WAVEFORMS[sign].unit, rate_hz, len(lead.counts), alone
        groups.setdefault(key, []).append(lead)
    signals = [
        Signal(sign, rate_hz, unit, tuple(leads[first : first + MOST_LEADS]), starts_at_seconds)
        for (sign, unit, rate_hz, _, _), leads in groups.items()
        for first in range(0, len(leads), MOST_LEADS)
    ]
    return signals, unused
