"""PURE: the newest readings of one patient, each vital sign in the order in which it was measured."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from heapq import merge
from typing import Any, Final

#: More readings of one vital sign are not kept, however many a rule would look at.
MOST_READINGS: Final = 2000


class Insertion(Enum):
    """What became of a reading."""

    NEWEST = auto()
    LATE = auto()  # it has been put in its place among others that were measured after it
    PASSED_OVER = auto()  # its moment is there already, or it is older than everything that is kept


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept of a vital sign.

    Attributes:
        samples: at least so many of the newest, however old.
        horizon: and all that are no older than this before the newest.
    """

    samples: int
    horizon: timedelta


class Series:
    """The newest readings of one vital sign, each moment once.

    Args:
        least: so many are kept, however old they are.
        horizon: all are kept that are not older than this before the newest one, up to `MOST_READINGS`.
    """

    __slots__ = ("_horizon", "_least", "times", "values")

    def __init__(self, least: int = 1, horizon: timedelta = timedelta(0)) -> None:
        self._least = least
        self._horizon = horizon
        self.times: list[datetime] = []
        self.values: list[float] = []

    def insert(self, measured_at: datetime, value: float) -> Insertion:
        """Put a reading in its place."""
        times = self.times
        if not times or measured_at > times[-1]:
            times.append(measured_at)
            self.values.append(value)
            self._forget_oldest()
            return Insertion.NEWEST
        place = bisect_left(times, measured_at)
        is_beyond_all_kept = place == 0 and len(times) >= self._least and times[-1] - measured_at > self._horizon
        if times[place] == measured_at or is_beyond_all_kept or len(times) == MOST_READINGS:
            return Insertion.PASSED_OVER
        times.insert(place, measured_at)
        self.values.insert(place, value)
        self._forget_oldest()
        return Insertion.LATE

    def latest(self, at: datetime) -> tuple[datetime, float] | None:
        """The newest reading that had been measured at this moment."""
        place = len(self.times) if self.times and at >= self.times[-1] else bisect_right(self.times, at)
        return (self.times[place - 1], self.values[place - 1]) if place else None

    def between(self, first: datetime, last: datetime) -> Sequence[float]:
        """The values measured from one moment to another, both included, oldest first."""
        return self.values[bisect_left(self.times, first) : bisect_right(self.times, last)]

    def _forget_oldest(self) -> None:
        times = self.times
        while len(times) > self._least and (times[-1] - times[0] > self._horizon or len(times) > MOST_READINGS):
            del times[0], self.values[0]


class Chart:
    """Every vital sign of one patient.

    Attributes:
        series: by vital type; those that no rule looks at are not there.
        arrived: when a reading of each type came last, by our own clock.
        spo2_scale: the scale of NEWS2 that a clinician has set for this patient, 1 or 2.
    """

    __slots__ = ("arrived", "series", "spo2_scale")

    def __init__(self, series: dict[str, Series], *, spo2_scale: int = 1) -> None:
        self.series = series
        self.arrived: dict[str, datetime] = {}
        self.spo2_scale = spo2_scale

    def readings(self, vital_types: frozenset[str], *, after: datetime) -> Iterator[tuple[datetime, str]]:
        """When and what was measured of these types after a moment, oldest first."""
        return merge(
            *(
                [(at, vital_type) for at in series.times[bisect_right(series.times, after) :]]
                for vital_type in sorted(vital_types)
                if (series := self.series.get(vital_type)) is not None
            )
        )


class View:
    """A chart as it stood at one moment: nothing measured later is seen.

    Attributes:
        remembered: what has been worked out of it, for whoever asks the same again.
    """

    __slots__ = ("at", "chart", "remembered")

    def __init__(self, chart: Chart, at: datetime) -> None:
        self.chart = chart
        self.at = at
        self.remembered: dict[Hashable, Any] = {}

    def value(self, vital_type: str, max_age: timedelta | None = None) -> float | None:
        """The newest value; none where there is none, or none that is fresh enough."""
        found = self.reading(vital_type, max_age)
        return None if found is None else found[1]

    def reading(self, vital_type: str, max_age: timedelta | None = None) -> tuple[datetime, float] | None:
        """The same, and when it was measured."""
        series = self.chart.series.get(vital_type)
        found = series.latest(self.at) if series is not None else None
        if found is None or (max_age is not None and self.at - found[0] > max_age):
            return None
        return found

    def values(self, vital_type: str, within: timedelta) -> Sequence[float]:
        """The values of the last so many seconds, oldest first; the moment itself included."""
        series = self.chart.series.get(vital_type)
        return () if series is None else series.between(self.at - within, self.at)

    def last_values(self, vital_type: str, count: int) -> tuple[float, ...]:
        """The newest values, oldest first."""
        series = self.chart.series.get(vital_type)
        if series is None:
            return ()
        end = bisect_right(series.times, self.at)
        return tuple(series.values[max(0, end - count) : end])

    def silence(self, vital_type: str) -> timedelta | None:
        """How long ago a reading came, by our own clock; none where none ever did."""
        arrived = self.chart.arrived.get(vital_type)
        return None if arrived is None else self.at - arrived
