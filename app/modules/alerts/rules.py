"""PURE: is this window of readings an alarm, and why.

A *condition* (say `spo2_low`) is a vital sign on the wrong side of a limit. It has levels: the
further out, the worse the tier, and the fewer consecutive samples it takes. `PatientWatch` keeps
the last readings of one patient and decides, reading by reading, what is to be reported; whoever
acts on its decisions tells it what came of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.modules.alerts.lifecycle import Finding, Plan, Tier


class Direction(StrEnum):
    ABOVE = "above"
    BELOW = "below"

    def violates(self, value: float, limit: float) -> bool:
        return value > limit if self is Direction.ABOVE else value < limit


@dataclass(frozen=True, slots=True)
class Level:
    """How far out, in the condition's unit, for how many consecutive samples, makes which tier."""

    tier: Tier
    limit: float
    samples: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that can be wrong with one vital sign.

    Attributes:
        levels: worst tier first.
        clear_samples: consecutive samples within every limit after which the condition is gone.
        thresholds: per tier, the limits of this vital sign on both sides, as an alert shows them.
    """

    name: str
    vital_type: str
    unit: str
    direction: Direction
    levels: tuple[Level, ...]
    clear_samples: int
    thresholds: Mapping[Tier, Mapping[str, float]] = field(default_factory=dict)

    @property
    def window_length(self) -> int:
        return max(self.clear_samples, *(level.samples for level in self.levels))

    def finding(self, values: Sequence[float]) -> Finding | None:
        """The worst level that the newest of these values (oldest first) have reached."""
        for level in self.levels:
            window = values[-level.samples :]
            if len(window) == level.samples and all(self.direction.violates(v, level.limit) for v in window):
                counted = "sample" if level.samples == 1 else "samples"
                return Finding(
                    tier=level.tier,
                    reasons=(f"{self.vital_type} {self.direction} {level.limit:g} for {level.samples} {counted}",),
                    vitals_window=tuple(window),
                    unit=self.unit,
                    threshold=self.thresholds.get(level.tier),
                )
        return None

    def is_normal(self, values: Sequence[float]) -> bool:
        """Whether the newest values have been within every limit for long enough."""
        window = values[-self.clear_samples :]
        return len(window) == self.clear_samples and not any(
            self.direction.violates(value, level.limit) for value in window for level in self.levels
        )


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Every condition that is watched for, who is told of each tier, and how old a reading may be."""

    conditions: tuple[Condition, ...]
    plans: Mapping[Tier, Plan]
    oldest_reading: timedelta

    def conditions_of(self, vital_type: str) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if condition.vital_type == vital_type)


@dataclass(frozen=True, slots=True)
class Present:
    """The condition is there: to be reported, or reported as worse."""

    condition: Condition
    finding: Finding


@dataclass(frozen=True, slots=True)
class Gone:
    """The condition of an open alert is no longer there."""

    condition: Condition


Decision = Present | Gone


@dataclass(slots=True)
class _Reported:
    tier: Tier
    is_present: bool
    alert_id: str


class PatientWatch:
    """The last readings of one patient, and which of the conditions have an open alert."""

    def __init__(self, rules: RuleBook) -> None:
        self._rules = rules
        self._series: dict[str, _Series] = {}
        self._reported: dict[str, _Reported] = {}
        self._counts_after: dict[str, datetime] = {}

    def prime(self, vital_type: str, value: float, measured_at: datetime) -> None:
        """Remember a reading that has been ruled on before."""
        if (series := self._series_of(vital_type)) is not None:
            series.insert(measured_at, value)

    def observe(self, vital_type: str, value: float, measured_at: datetime, *, now: datetime) -> list[Decision]:
        """Take a reading in, in the order of its time of measurement, and say what is to be reported.

        A reading that is too old alarms nobody, and does not end an alarm either; one that is there
        already counts once.
        """
        if now - measured_at > self._rules.oldest_reading:
            return []
        series = self._series_of(vital_type)
        if series is None or not series.insert(measured_at, value):
            return []
        decisions = (self._decide(condition, series) for condition in self._rules.conditions_of(vital_type))
        return [decision for decision in decisions if decision is not None]

    def reported(self, condition: str, tier: Tier, *, is_present: bool = True, alert_id: str = "") -> None:
        """There is an open alert for this condition now."""
        self._reported[condition] = _Reported(tier, is_present, alert_id)

    def alert_of(self, condition: str) -> str:
        """The alert that was reported for this condition last; empty where there is none."""
        reported = self._reported.get(condition)
        return reported.alert_id if reported else ""

    def ended(self, condition: str, alert_id: str = "") -> None:
        """The alert of this condition has ended: another takes a whole window of new readings.

        News of an earlier alert, which come when another has been reported already, change nothing.
        """
        reported = self._reported.get(condition)
        if reported is None or reported.alert_id != alert_id:
            return
        del self._reported[condition]
        for rule in self._rules.conditions:
            series = self._series.get(rule.vital_type)
            if rule.name == condition and series is not None and series.newest is not None:
                self._counts_after[condition] = series.newest

    def _decide(self, condition: Condition, series: _Series) -> Decision | None:
        values = series.values_after(self._counts_after.get(condition.name))
        reported = self._reported.get(condition.name)
        finding = condition.finding(values)
        if finding is not None:
            is_news = reported is None or not reported.is_present or finding.tier.is_worse_than(reported.tier)
            return Present(condition, finding) if is_news else None
        if reported is not None and reported.is_present and condition.is_normal(values):
            return Gone(condition)
        return None

    def _series_of(self, vital_type: str) -> _Series | None:
        series = self._series.get(vital_type)
        if series is None:
            lengths = [condition.window_length for condition in self._rules.conditions_of(vital_type)]
            if not lengths:
                return None
            series = self._series[vital_type] = _Series(max(lengths))
        return series


class _Series:
    """The newest readings of one vital sign, in the order of their measurement, each time once."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._times: list[datetime] = []
        self._values: list[float] = []

    @property
    def newest(self) -> datetime | None:
        return self._times[-1] if self._times else None

    def insert(self, measured_at: datetime, value: float) -> bool:
        """Put a reading in its place; false when it is there already, or older than all that count."""
        place = bisect_left(self._times, measured_at)
        if place < len(self._times) and self._times[place] == measured_at:
            return False
        if place == 0 and len(self._times) == self._length:
            return False
        self._times.insert(place, measured_at)
        self._values.insert(place, value)
        if len(self._times) > self._length:
            del self._times[0], self._values[0]
        return True

    def values_after(self, moment: datetime | None) -> Sequence[float]:
        if moment is None:
            return self._values
        return [value for at, value in zip(self._times, self._values, strict=True) if at > moment]
