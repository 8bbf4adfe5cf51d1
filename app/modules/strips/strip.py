"""PURE: what a strip is made of, and how pieces of waveforms are put together.

A *strip* has a *trace* for each lead, and a trace has *segments*: stretches at one constant rate without a gap.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, floor, log10
from typing import Final

#: How much of a waveform a strip shows before its alert, and after it.
BEFORE: Final = timedelta(seconds=10)
AFTER: Final = timedelta(seconds=5)

BYTES_PER_SAMPLE: Final = 2
HIGHEST_COUNT: Final = 32_767

#: With fewer steps than this between its lowest and its highest value, a curve would show stairs.
_FEWEST_STEPS: Final = 500

#: The finest steps worth keeping, in the unit: a tenth of a microvolt, where monitors resolve a few whole ones.
_FINEST: Final = {"mV": 1e-4, "uV": 0.1}

#: What is finer than this, in any other unit, is taken for zero.
_FINEST_OF_ANY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Segment:
    """Samples at one constant rate, without a gap.

    Attributes:
        started_at: when the first sample was taken, by the server's clock.
        device_started_at: the same, as the device had written it.
        counts: little-endian int16; the value, in the trace's unit, is count * scale + offset.
    """

    started_at: datetime
    device_started_at: datetime
    sample_rate_hz: float
    scale: float
    offset: float
    counts: bytes

    @property
    def length(self) -> int:
        """How many samples there are."""
        return len(self.counts) // BYTES_PER_SAMPLE

    @property
    def ended_at(self) -> datetime:
        """When the next sample would be taken."""
        return self.started_at + timedelta(seconds=self.length / self.sample_rate_hz)

    def integers(self) -> array[int]:
        """The counts as numbers."""
        numbers = array("h", self.counts)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def values(self) -> list[float]:
        """The samples in the trace's unit, without the noise that binary fractions add behind their last digit."""
        digits = 2 - floor(log10(abs(self.scale))) if self.scale else 12
        return [round(count * self.scale + self.offset, digits) for count in self.integers()]

    def part(self, first: int, stop: int) -> Segment:
        """The samples from `first` up to, but not with, `stop`."""
        skipped = timedelta(seconds=first / self.sample_rate_hz)
        return replace(
            self,
            started_at=self.started_at + skipped,
            device_started_at=self.device_started_at + skipped,
            counts=self.counts[first * BYTES_PER_SAMPLE : stop * BYTES_PER_SAMPLE],
        )

    def place_of(self, moment: datetime) -> int:
        """The first sample that is taken then or later; times are exact to a microsecond, and no more."""
        place = ceil((moment - self.started_at).total_seconds() * self.sample_rate_hz - 0.002)
        return min(max(place, 0), self.length)

    def is_like(self, other: Segment) -> bool:
        """Whether the two may be one, if they follow each other."""
        return (self.sample_rate_hz, self.scale, self.offset) == (other.sample_rate_hz, other.scale, other.offset)


@dataclass(frozen=True, slots=True)
class Trace:
    """The segments of one lead, in order; none overlaps another."""

    type: str
    lead: str | None
    unit: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """What was measured around an alert.

    Attributes:
        start, end: the stretch of time that is covered, by the server's clock.
        is_complete: everything that came up to `AFTER` the alert is in it.
    """

    alert_id: str
    patient_id: str
    alert_at: datetime
    start: datetime
    end: datetime
    is_complete: bool
    traces: tuple[Trace, ...]


def join(pieces: Iterable[tuple[Segment, float]]) -> tuple[Segment, ...]:
    """Put pieces of one lead in order, each moment once, and those together that follow each other.

    Args:
        pieces: each with its slack: how far, in seconds, its time may be off and still follow on.
    """
    joined: list[_Run] = []
    for piece, slack in sorted(pieces, key=lambda it: (it[0].started_at, -it[0].length)):
        if not joined:
            joined.append(_Run(piece, slack))
            continue
        last = joined[-1]
        apart_seconds = (piece.started_at - last.ended_at).total_seconds()
        both = min(slack, last.slack)
        follows = abs(apart_seconds) <= both
        # What has been taken in already is not taken in again.
        known = 0 if follows else max(0, ceil(-apart_seconds * piece.sample_rate_hz - 0.5))
        if known >= piece.length:
            continue
        rest = piece.part(known, piece.length) if known else piece
        if (known or follows) and rest.is_like(last.first):
            last.add(rest, both)
        else:
            joined.append(_Run(rest, slack))
    return tuple(run.segment() for run in joined)


class _Run:
    """Pieces that follow each other, on their way to become one segment."""

    __slots__ = ("_counts", "_length", "first", "slack")

    def __init__(self, first: Segment, slack: float) -> None:
        self.first = first
        self.slack = slack
        self._counts = [first.counts]
        self._length = first.length

    @property
    def ended_at(self) -> datetime:
        return self.first.started_at + timedelta(seconds=self._length / self.first.sample_rate_hz)

    def add(self, piece: Segment, slack: float) -> None:
        self._counts.append(piece.counts)
        self._length += piece.length
        self.slack = slack

    def segment(self) -> Segment:
        return replace(self.first, counts=b"".join(self._counts)) if len(self._counts) > 1 else self.first


def crop(segments: Iterable[Segment], since: datetime, until: datetime) -> tuple[Segment, ...]:
    """What of them was measured from one moment up to another."""
    places = ((segment, segment.place_of(since), segment.place_of(until)) for segment in segments)
    return tuple(segment.part(first, stop) for segment, first, stop in places if first < stop)


def merge(parts: Iterable[Sequence[Trace]]) -> tuple[Trace, ...]:
    """The traces of several recorders as one set: a device may have changed from one server to another."""
    pieces: dict[tuple[str, str | None, str], list[tuple[Segment, float]]] = {}
    for traces in parts:
        for trace in traces:
            found = pieces.setdefault((trace.type, trace.lead, trace.unit), [])
            found.extend((segment, 1.5 / segment.sample_rate_hz) for segment in trace.segments)
    return tuple(Trace(*key, join(of_lead)) for key, of_lead in pieces.items())


def grid_for(values: Sequence[float], unit: str) -> tuple[float, float]:
    """A scale and an offset with which these values become counts and, if they are short decimals, come back unchanged.

    The scale is a power of ten. The offset is zero, unless the values lie so close together, far from zero, that
    they would all become nearly the same count.
    """
    lowest, highest = min(values), max(values)
    scale = _scale(max(abs(lowest), abs(highest)), unit)
    # Halves, because the whole of what a float can say is more than a float can say.
    half_range, middle = highest / 2 - lowest / 2, highest / 2 + lowest / 2
    if half_range == 0 or half_range / scale >= _FEWEST_STEPS / 2:
        return scale, 0.0
    finer = _scale(2 * half_range, unit)
    # The middle is on the finer grid, too, so that what was decimal remains so.
    return (finer, round(middle / finer) * finer) if finer < scale else (scale, 0.0)


def fits(values: Sequence[float], scale: float, offset: float, unit: str) -> bool:
    """Whether this grid holds the values about as well as one of their own."""
    if max(abs(min(values) / 2 - offset / 2), abs(max(values) / 2 - offset / 2)) > HIGHEST_COUNT * scale / 2:
        return False
    own, _ = grid_for(values, unit)
    return scale <= 10 * own


def quantise(values: Iterable[float], scale: float, offset: float) -> bytes:
    """The counts of values that this grid holds."""
    counts = array("h", [round((value - offset) / scale) for value in values])
    if sys.byteorder == "big":
        counts.byteswap()
    return counts.tobytes()


def _scale(magnitude: float, unit: str) -> float:
    """The finest power of ten with which values of this magnitude become counts."""
    step = max(magnitude / HIGHEST_COUNT, _FINEST.get(unit, _FINEST_OF_ANY))
    return float(f"1e{ceil(log10(step))}")
