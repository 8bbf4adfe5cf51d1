"""PURE: a long stretch of time cut into equal parts, so that a chart of it has few points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

#: How wide a bucket can be, in seconds: widths that divide the next larger unit, as people read clocks.
WIDTHS_SECONDS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 5, 10, 20, 50, 100)),
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The readings of one part of a stretch, summed up: of `count` values the least, the mean and the greatest."""

    least: float
    mean: float
    greatest: float
    count: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A stretch of time, from `since` to before `until`, cut at the whole multiples of a width.

    The multiples count from the epoch, in UTC: the same moment falls into the same bucket whatever stretch
    is asked for. The first and the last bucket may be cut short by the stretch.
    """

    since: datetime
    until: datetime
    width_seconds: int

    @property
    def first(self) -> int:
        """The number of the first bucket, counted from the epoch."""
        return (self.since - _EPOCH) // self._width

    @property
    def end(self) -> int:
        """The number after that of the last bucket."""
        return -((_EPOCH - self.until) // self._width)

    def __len__(self) -> int:
        return max(0, self.end - self.first) if self.until > self.since else 0

    def start_of(self, number: int) -> datetime:
        """When a bucket begins; for the first this may be before the stretch does."""
        try:
            return _EPOCH + number * self._width
        except OverflowError:
            return _BEGINNING

    def starts(self) -> list[datetime]:
        """When each bucket begins."""
        return [self.start_of(number) for number in self.numbers()]

    def spans(self) -> Iterator[tuple[int, datetime, datetime]]:
        """The number of each bucket, and between which moments of the stretch its readings lie."""
        for number in self.numbers():
            start = self.start_of(number)
            yield number, max(start, self.since), self.until if number == self.end - 1 else start + self._width

    def numbers(self) -> range:
        """The numbers of all buckets, in order."""
        return range(self.first, self.first + len(self))

    @property
    def _width(self) -> timedelta:
        return timedelta(seconds=self.width_seconds)


def grid(since: datetime, until: datetime, *, points: int) -> Grid:
    """The finest grid over a stretch that has at most so many buckets, where there is one."""
    for width_seconds in WIDTHS_SECONDS:
        fitting = Grid(since, until, width_seconds)
        if len(fitting) <= points:
            return fitting
    return Grid(since, until, WIDTHS_SECONDS[-1])
