"""PURE: the samples of a waveform, as the device measured them: counts of its converter, or numbers."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

#: What fits into the two bytes of a count.
LARGEST_COUNT: Final = 32_767
SMALLEST_COUNT: Final = -32_768
COUNT_BYTES: Final = 2

#: A value that is written out keeps so many digits beyond the first one of its step: a count is never moved by
#: more than a two-hundredth of itself, and 570 counts of 0.001 are 0.57 and not 0.5700000000000001.
_DIGITS_BEYOND_STEP: Final = 2

#: More decimals than a double can have.
_MOST_DECIMALS: Final = 330


# Counts and waveforms are made thousands of times a second. A frozen dataclass takes ten times as long for
# it; and nothing in them can refer back to them, so that the garbage collector need not look.
class Counts(msgspec.Struct, frozen=True, gc=False):
    """Samples as a converter counts them; what one count is worth is told for each lead.

    Attributes:
        data: little-endian int16, one lead after another, each of `length`.
        scales: one for each lead, finite and not 0.
        offsets: one for each lead; a sample is `count * scale + offset`, in the unit of the waveform.
    """

    data: bytes
    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def length(self) -> int:
        """Samples of each lead."""
        return len(self.data) // COUNT_BYTES // len(self.scales)

    def values(self, lead_index: int = 0) -> list[float]:
        """The samples of one lead, in the unit of the waveform."""
        scale, offset = self.scales[lead_index], self.offsets[lead_index]
        return [count * scale + offset for count in self.integers(lead_index)]

    def rounded(self, lead_index: int = 0) -> list[float]:
        """The same, without the digits that come of calculating in binary."""
        step = abs(self.scales[lead_index])
        decimals = _DIGITS_BEYOND_STEP - math.floor(math.log10(step))
        decimals = min(max(decimals, 0), _MOST_DECIMALS)
        return [round(value, decimals) for value in self.values(lead_index)]

    def integers(self, lead_index: int = 0) -> array[int]:
        """The counts of one lead."""
        size = len(self.data) // len(self.scales)
        return from_little_endian(self.data[lead_index * size : (lead_index + 1) * size])

    def counts(self) -> Counts:
        """These samples as counts."""
        return self


@dataclass(frozen=True, slots=True)
class Numbers:
    """Samples as numbers in the unit of the waveform, one row of equal length for each lead."""

    rows: tuple[tuple[float, ...], ...]

    @property
    def length(self) -> int:
        """Samples of each lead."""
        return len(self.rows[0])

    def values(self, lead_index: int = 0) -> list[float]:
        """The samples of one lead, in the unit of the waveform."""
        return list(self.rows[lead_index])

    def rounded(self, lead_index: int = 0) -> list[float]:
        """The same: what came as a number stays as it is."""
        return list(self.rows[lead_index])

    def counts(self) -> Counts:
        """These samples as counts: the range of each lead in 65,534 steps, so that each is right to half a step."""
        scales, offsets = zip(*map(_range_of, self.rows), strict=True)
        leads = zip(self.rows, scales, offsets, strict=True)
        data = b"".join(to_little_endian(quantised(row, scale, offset)) for row, scale, offset in leads)
        return Counts(data, scales, offsets)


Samples = Counts | Numbers


def quantised(values: Iterable[float], scale: float, offset: float) -> list[int]:
    """The values as counts; one that is out of their reach becomes the nearest there is."""
    reached = (min(max((value - offset) / scale, SMALLEST_COUNT), LARGEST_COUNT) for value in values)
    return [round(count) for count in reached]


def from_little_endian(data: bytes) -> array[int]:
    """The counts that these bytes hold."""
    counts = array("h", data)
    if sys.byteorder == "big":
        counts.byteswap()
    return counts


def to_little_endian(counts: Iterable[int]) -> bytes:
    """The bytes that hold these counts."""
    written = array("h", counts)
    if sys.byteorder == "big":
        written.byteswap()
    return written.tobytes()


def _range_of(row: tuple[float, ...]) -> tuple[float, float]:
    """Scale and offset with which a row fills the counts."""
    lowest, highest = min(row), max(row)
    return (highest - lowest) / (2 * LARGEST_COUNT) or 1.0, (lowest + highest) / 2
