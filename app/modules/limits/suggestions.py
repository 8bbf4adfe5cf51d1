"""PURE: alarm limits that a patient's own last readings suggest, much as the auto-limits of monitors.

Monitors compute limits from the value of the moment, as their manuals say openly: heart rate × 0.8 and
× 1.25, respiratory rate × 0.5 and × 1.5, temperature ± 0.5 °C (Philips EarlyVue VS30, instructions for use,
appendix A; Mindray BeneVision N, operator's manual, 10-5, which has the lines for blood pressure, too), and
SpO2 − 5 % (Dräger Infinity Acute Care System, instructions for use, p. 95). Here the middle of some hours
takes the place of the moment, and what the patient does anyway once in fifty readings stays within.

Where the patient's usual value is itself alarming nothing is suggested: so do monitors (Philips IntelliVue,
instructions for use, "About Automatic Alarm Limits"), because only a person can decide that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.modules.alerts.rules.schemas import Direction

#: Fewer readings say too little, however long they took: blood pressure every half hour for 4 hours is enough.
FEWEST_READINGS: Final = 8

#: The readings must span this part of the time that was asked for.
SHORTEST_SPAN: Final = 0.5

#: One in fifty readings lies beyond what is called usual, on either side.
UNUSUAL: Final = 0.02

_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Line:
    """A limit as a straight line over the usual value: `value * factor + summand`."""

    factor: float
    summand: float = 0.0

    def at(self, value: float) -> float:
        return value * self.factor + self.summand


@dataclass(frozen=True, slots=True)
class Margins:
    """How limits of a sign are found, and how far out they may lie at most.

    Attributes:
        step: limits are whole numbers of these.
    """

    low: Line | None
    high: Line | None
    lowest: float
    highest: float
    step: float = 1.0


_RATE = Margins(Line(0.8), Line(1.25), 40, 140)

#: By vital sign; of others nothing is suggested. How far out: heart rate to the extremes of the
#: PhysioNet/CinC Challenge 2015 (Clifford et al.), 40 and 140; high blood pressure to a hypertensive crisis
#: (ACC/AHA 2017), above 180 over 120, the mean of which is 140; temperature and all others to the adult
#: default limits of monitors, so that a suggestion may be tighter than these and never wider.
MARGINS: Final[Mapping[str, Margins]] = {
    "heart_rate": _RATE,
    "pulse": _RATE,
    "spo2": Margins(Line(0.95), None, 90, 100),
    "respiratory_rate": Margins(Line(0.5), Line(1.5), 8, 30),
    "systolic_bp": Margins(Line(0.68, 10), Line(0.86, 38), 90, 180),
    "diastolic_bp": Margins(Line(0.68, 6), Line(0.86, 32), 50, 120),
    "mean_bp": Margins(Line(0.68, 8), Line(0.86, 35), 60, 140),
    "temperature": Margins(Line(1, -0.5), Line(1, 0.5), 35, 39, step=0.1),
}

#: SpO2 on scale 2 of NEWS2: from 86 on it scores at most 1, at 83 it scores 3.
SPO2_LOWEST_ON_SCALE_2: Final = 85.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The readings of one sign over some time.

    Attributes:
        counts: each value with how often it was measured, lowest first; at least one.
    """

    counts: tuple[tuple[float, int], ...]
    first_at: datetime
    last_at: datetime

    @property
    def count(self) -> int:
        return sum(count for _, count in self.counts)

    def quantile(self, share: float) -> float:
        """The lowest value up to which at least this share of the readings lies (the nearest rank)."""
        rank, seen = max(1, math.ceil(share * self.count - _ROUNDING)), 0
        for value, count in self.counts:
            seen += count
            if seen >= rank:
                return value
        return self.counts[-1][0]

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    def usual(self, direction: Direction) -> float:
        """How far the readings go on this side, but for the unusual ones."""
        return self.quantile(1 - UNUSUAL if direction is Direction.ABOVE else UNUSUAL)

    def beyond(self, direction: Direction, limit: float) -> int:
        """How many readings lie beyond a limit."""
        return sum(count for value, count in self.counts if direction.violates(value, limit))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A limit, or why there is none.

    Attributes:
        is_bounded: the readings alone would have suggested one further out.
    """

    limit: float | None
    refusal: str | None = None
    is_bounded: bool = False


def suggest(
    vital_type: str,
    direction: Direction,
    measured: Measured | None,
    *,
    asked_for: timedelta,
    spo2_scale: int = 1,
    worse: Iterable[float] = (),
) -> Suggestion:
    """The limit that the readings suggest on one side.

    Args:
        asked_for: how long a time the readings were looked for.
        worse: the limits of worse tiers on this side: the suggested one lies within all of them.
    """
    margins = MARGINS.get(vital_type)
    line = None if margins is None else margins.low if direction is Direction.BELOW else margins.high
    if margins is None or line is None:
        return Suggestion(None, "nothing is suggested for this sign on this side")
    if measured is None:
        return Suggestion(None, "there are no readings of that time")
    if (count := measured.count) < FEWEST_READINGS:
        return Suggestion(None, f"there are only {count} readings of that time; it takes {FEWEST_READINGS}")
    if measured.last_at - measured.first_at < asked_for * SHORTEST_SPAN:
        return Suggestion(None, f"the readings do not span {SHORTEST_SPAN:.0%} of that time")
    lowest = SPO2_LOWEST_ON_SCALE_2 if vital_type == "spo2" and spo2_scale == 2 else margins.lowest
    median = measured.median
    if not lowest <= median <= margins.highest:
        return Suggestion(
            None, f"the usual value, {median:g}, is not within {lowest:g} to {margins.highest:g}: a person must decide"
        )
    is_above = direction is Direction.ABOVE
    outer = max if is_above else min
    wanted = _outwards(outer(line.at(median), measured.usual(direction)), margins.step, direction)
    inwards = -margins.step if is_above else margins.step
    bounds = [margins.highest if is_above else lowest, *(limit + inwards for limit in worse)]
    limit = min(wanted, *bounds) if is_above else max(wanted, *bounds)
    if direction.violates(median, limit):
        return Suggestion(None, f"the limit of a worse tier leaves no room beyond the usual value, {median:g}")
    return Suggestion(limit, is_bounded=limit != wanted)


def _outwards(limit: float, step: float, direction: Direction) -> float:
    """The next whole number of steps that is not further in."""
    steps = limit / step
    whole = math.ceil(steps - _ROUNDING) if direction is Direction.ABOVE else math.floor(steps + _ROUNDING)
    return round(whole * step, 6)
