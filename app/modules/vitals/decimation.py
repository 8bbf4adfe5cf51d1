"""PURE: fewer samples of a curve that keeps its peaks, across the frames in which it comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.modules.vitals.frames import Waveform
from app.modules.vitals.samples import Counts, Numbers, Samples, quantised, to_little_endian

#: Curves that are remembered at once; the names of leads are the devices' to choose.
MOST_CURVES: Final = 64

#: A frame that begins so much earlier or later than the one before has ended does not go on with it.
LARGEST_JITTER: Final = timedelta(seconds=0.1)

_Key = tuple[str, tuple[str | None, ...]]


@dataclass(slots=True)
class _Curve:
    """Where a curve has got to.

    Attributes:
        rest: the last samples of each lead, too few for a block.
        last: the last sample of each lead that was kept.
    """

    like: Waveform
    ends_at: datetime
    rest: list[list[float]]
    last: list[float]


class Decimator:
    """Leaves of each block of samples the one that is the farthest from what was left of the block before.

    So an R wave stays, however short it is, and so does the S wave behind it. Blocks are of a whole number
    of samples, and go on from frame to frame.

    Args:
        most_hz: samples of each lead and second, at most.
    """

    def __init__(self, most_hz: float) -> None:
        self._most_hz = most_hz
        self._curves: dict[_Key, _Curve] = {}

    def take(self, waveform: Waveform) -> Waveform | None:
        """The waveform with fewer samples, stamped with the time of its first block; none where no block is full."""
        # A hair less, so that 500 Hz at most 100 Hz make blocks of 5 and not of 6.
        size = math.ceil(waveform.sample_rate_hz / self._most_hz - 1e-9)
        if size <= 1:
            return waveform
        curve = self._curve(waveform)
        before = len(curve.rest[0])
        rows = [[*rest, *row] for rest, row in zip(curve.rest, _rows(waveform.samples), strict=True)]
        whole = len(rows[0]) // size * size
        kept = []
        for index, row in enumerate(rows):
            kept.append(_farthest(row[:whole], size, curve.last[index]))
            curve.rest[index] = row[whole:]
        seconds = waveform.samples.length / waveform.sample_rate_hz
        curve.like, curve.ends_at = waveform, waveform.started_at + timedelta(seconds=seconds)
        if not whole:
            return None
        curve.last = [row[-1] for row in kept]
        return msgspec.structs.replace(
            waveform,
            sample_rate_hz=waveform.sample_rate_hz / size,
            samples=_like(waveform.samples, kept),
            started_at=waveform.started_at - timedelta(seconds=before / waveform.sample_rate_hz),
        )

    def _curve(self, waveform: Waveform) -> _Curve:
        """The curve that this waveform goes on with, or a new one."""
        key = waveform.type, waveform.leads
        curve = self._curves.pop(key, None)
        if curve is None or not _goes_on(curve, waveform):
            first = [float(row[0]) for row in _rows(waveform.samples)]
            curve = _Curve(waveform, waveform.started_at, [[] for _ in first], first)
        else:
            _rescale(curve, waveform.samples)
        self._curves[key] = curve
        if len(self._curves) > MOST_CURVES:
            del self._curves[next(iter(self._curves))]
        return curve


def _goes_on(curve: _Curve, waveform: Waveform) -> bool:
    like = curve.like
    return (
        like.sample_rate_hz == waveform.sample_rate_hz
        and like.unit == waveform.unit
        and type(like.samples) is type(waveform.samples)
        and abs(waveform.started_at - curve.ends_at) <= LARGEST_JITTER
    )


def _rescale(curve: _Curve, samples: Samples) -> None:
    """Write what is left of a curve in the counts of the next frame, where one of them is worth something else."""
    before = curve.like.samples
    if not isinstance(samples, Counts) or not isinstance(before, Counts):
        return
    if (samples.scales, samples.offsets) == (before.scales, before.offsets):
        return
    for index, (scale, offset) in enumerate(zip(samples.scales, samples.offsets, strict=True)):
        values = [it * before.scales[index] + before.offsets[index] for it in (*curve.rest[index], curve.last[index])]
        *rest, curve.last[index] = quantised(values, scale, offset)
        curve.rest[index] = list(rest)


def _rows(samples: Samples) -> list[Sequence[float]]:
    if isinstance(samples, Counts):
        return [samples.integers(index) for index in range(len(samples.scales))]
    return list(samples.rows)


def _farthest(row: list[float], size: int, last: float) -> list[float]:
    kept = []
    for begin in range(0, len(row), size):
        block = row[begin : begin + size]
        lowest, highest = min(block), max(block)
        last = highest if highest - last >= last - lowest else lowest
        kept.append(last)
    return kept


def _like(samples: Samples, rows: list[list[float]]) -> Samples:
    """The rows as samples of the same kind."""
    if isinstance(samples, Counts):
        data = b"".join(to_little_endian(map(int, row)) for row in rows)
        return Counts(data, samples.scales, samples.offsets)
    return Numbers(tuple(map(tuple, rows)))
