"""PURE: is something wrong at this moment. Whether it counts as an alarm is for `timing` to say.

Each criterion knows what it looks at, answers for a `View` of the patient's chart, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple, Protocol

from app.modules.alerts.rules.chart import View
from app.modules.alerts.rules.news2 import Observations, Score, score

#: Seven parameters of NEWS2, and the vital sign that each is read from. A pulse that was counted goes
#: before the heart rate, unless it is older by more than `FIRST_HOLDS`.
NEWS2_SIGNS: Final = {
    "respiratory_rate": ("respiratory_rate",),
    "spo2": ("spo2",),
    "oxygen": ("oxygen_supplement",),
    "systolic_bp": ("systolic_bp",),
    "pulse": ("pulse", "heart_rate"),
    "consciousness": ("consciousness",),
    "temperature": ("temperature",),
}

#: What was counted an hour ago must not hide what the heart does now.
FIRST_HOLDS: Final = timedelta(seconds=60)


class Direction(StrEnum):
    ABOVE = "above"
    BELOW = "below"

    def violates(self, value: float, limit: float) -> bool:
        return value > limit if self is Direction.ABOVE else value < limit


class Reach(NamedTuple):
    """How far something must go for a criterion to hold.

    Attributes:
        of: what goes so far; only reaches of the same can be compared.
    """

    of: tuple[object, ...]
    limit: float
    direction: Direction = Direction.ABOVE


class Criterion(Protocol):
    """Something that can be wrong.

    Attributes:
        inputs: the vital signs that it looks at; it is asked again with each reading of them.
        horizon: how far back it looks.
        heeds_silence: whether it can begin to hold without any reading, as time passes.
        silence: the longest time without a reading that it waits for; 0 where it heeds none.
        reaches: each of them is enough for it to hold.
    """

    @property
    def inputs(self) -> frozenset[str]: ...

    @property
    def horizon(self) -> timedelta: ...

    @property
    def heeds_silence(self) -> bool: ...

    @property
    def silence(self) -> timedelta: ...

    @property
    def reaches(self) -> tuple[Reach, ...]: ...

    def holds(self, view: View) -> bool: ...

    def holds_in_silence(self, view: View) -> bool:
        """Whether it holds because something has not come; what has been read counts when it comes, and only then."""
        ...

    def excess(self, view: View) -> float:
        """How far beyond the limit, in the unit of the sign; 0 where there is no such thing."""
        ...

    def is_back(self, view: View, hysteresis: float) -> bool:
        """Whether it no longer holds, by this margin in the unit of the sign."""
        ...

    def describe(self, view: View) -> tuple[str, ...]:
        """Why it holds, each reason a phrase."""
        ...


class _OfTheMoment:
    """Looks at newest values alone, and changes its mind with readings alone."""

    __slots__ = ()

    @property
    def horizon(self) -> timedelta:
        return timedelta(0)

    @property
    def heeds_silence(self) -> bool:
        return False

    @property
    def silence(self) -> timedelta:
        return timedelta(0)

    def holds_in_silence(self, view: View) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Limit(_OfTheMoment):
    """A vital sign on the wrong side of a limit; on the limit itself it is not.

    Attributes:
        max_age: an older value does not count, where another sign's reading asks.
    """

    vital_type: str
    direction: Direction
    limit: float
    max_age: timedelta | None = None

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset({self.vital_type})

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return (Reach((self.vital_type, self.direction), self.limit, self.direction),)

    def holds(self, view: View) -> bool:
        value = view.value(self.vital_type, self.max_age)
        return value is not None and self.direction.violates(value, self.limit)

    def excess(self, view: View) -> float:
        value = view.value(self.vital_type, self.max_age)
        return 0.0 if value is None else max(0.0, self._beyond(value))

    def is_back(self, view: View, hysteresis: float) -> bool:
        value = view.value(self.vital_type, self.max_age)
        return value is None or self.is_within(value, hysteresis)

    def is_within(self, value: float, hysteresis: float) -> bool:
        """Whether a value is on the right side, by this margin."""
        return self._beyond(value) <= -hysteresis

    def describe(self, view: View) -> tuple[str, ...]:
        return (f"{self.vital_type} {self.direction} {self.limit:g}",)

    def at(self, limit: float) -> Limit:
        """The same with another limit."""
        return replace(self, limit=limit)

    def _beyond(self, value: float) -> float:
        return value - self.limit if self.direction is Direction.ABOVE else self.limit - value


class Course(StrEnum):
    RISE = "rise"
    FALL = "fall"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Change(_OfTheMoment):
    """A vital sign that has risen, fallen, or either, by at least so much within so many seconds.

    What counts is the newest value against the lowest or highest of the time before.
    """

    vital_type: str
    course: Course
    by: float
    within: timedelta

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset({self.vital_type})

    @property
    def horizon(self) -> timedelta:
        return self.within

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return (Reach((self.vital_type, self.course, self.within), self.by),)

    def holds(self, view: View) -> bool:
        return self._moved(view) >= self.by

    def excess(self, view: View) -> float:
        return max(0.0, self._moved(view) - self.by)

    def is_back(self, view: View, hysteresis: float) -> bool:
        return self._moved(view) < self.by - hysteresis

    def describe(self, view: View) -> tuple[str, ...]:
        done = {Course.RISE: "rose", Course.FALL: "fell", Course.CHANGE: "changed"}[self.course]
        seconds = self.within.total_seconds()
        return (f"{self.vital_type} {done} by {self._moved(view):g} within {seconds:g} s, limit {self.by:g}",)

    def _moved(self, view: View) -> float:
        values = view.values(self.vital_type, self.within)
        if len(values) < 2:
            return 0.0
        risen, fallen = values[-1] - min(values), max(values) - values[-1]
        return {Course.RISE: risen, Course.FALL: fallen, Course.CHANGE: max(risen, fallen)}[self.course]


@dataclass(frozen=True, slots=True)
class NoReading(_OfTheMoment):
    """A vital sign that had been measured, and of which nothing has come for so long."""

    vital_type: str
    after: timedelta

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset({self.vital_type})

    @property
    def heeds_silence(self) -> bool:
        return True

    @property
    def silence(self) -> timedelta:
        return self.after

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return (Reach((self.vital_type, "silence"), self.after.total_seconds()),)

    def holds(self, view: View) -> bool:
        silence = view.silence(self.vital_type)
        return silence is not None and silence >= self.after

    def holds_in_silence(self, view: View) -> bool:
        return self.holds(view)

    def excess(self, view: View) -> float:
        return 0.0

    def is_back(self, view: View, hysteresis: float) -> bool:
        return not self.holds(view)

    def describe(self, view: View) -> tuple[str, ...]:
        return (f"no {self.vital_type} reading for {self.after.total_seconds():g} s",)


@dataclass(frozen=True, slots=True)
class NEWS2(_OfTheMoment):
    """A total of at least `total`, or a single parameter of at least `single` points.

    Attributes:
        max_age: an older observation is taken for none.
    """

    max_age: timedelta
    total: int | None = None
    single: int | None = None

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset(chain.from_iterable(NEWS2_SIGNS.values()))

    @property
    def reaches(self) -> tuple[Reach, ...]:
        if self.total is not None:
            return (Reach(("total", self.max_age), self.total),)
        return (Reach(("single", self.max_age), self.single or 0),)

    def holds(self, view: View) -> bool:
        return self._beyond(self.score(view)) >= 0

    def excess(self, view: View) -> float:
        return max(0.0, self._beyond(self.score(view)))

    def is_back(self, view: View, hysteresis: float) -> bool:
        return self._beyond(self.score(view)) < -hysteresis

    def describe(self, view: View) -> tuple[str, ...]:
        scored = self.score(view)
        parts = ", ".join(f"{name} {points}" for name, points in scored.points.items() if points)
        is_known = "" if scored.is_complete else ", not everything measured"
        limit = f"total {self.total} or more" if self.total is not None else f"a single {self.single}"
        return (f"NEWS2 {scored.total} ({parts}{is_known}), limit {limit}",)

    def score(self, view: View) -> Score:
        """The score of the patient's chart as it stood. Several levels ask for it, so that it is remembered."""
        scored: Score | None = view.remembered.get(self.max_age)
        if scored is None:
            seen = {name: self._newest(view, signs) for name, signs in NEWS2_SIGNS.items()}
            scored = view.remembered[self.max_age] = score(Observations(**seen), spo2_scale=view.chart.spo2_scale)
        return scored

    def _newest(self, view: View, signs: tuple[str, ...]) -> float | None:
        found = [reading for sign in signs if (reading := view.reading(sign, self.max_age)) is not None]
        newest = max((measured_at for measured_at, _ in found), default=view.at)
        return next((value for measured_at, value in found if newest - measured_at <= FIRST_HOLDS), None)

    def _beyond(self, scored: Score) -> int:
        return scored.total - self.total if self.total is not None else scored.highest - (self.single or 0)


@dataclass(frozen=True, slots=True)
class Combination:
    """All of several criteria at once, or any of them."""

    parts: tuple[Criterion, ...]
    needs_all: bool

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset(chain.from_iterable(part.inputs for part in self.parts))

    @property
    def horizon(self) -> timedelta:
        return max(part.horizon for part in self.parts)

    @property
    def heeds_silence(self) -> bool:
        return any(part.heeds_silence for part in self.parts)

    @property
    def silence(self) -> timedelta:
        return max(part.silence for part in self.parts)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return () if self.needs_all else tuple(chain.from_iterable(part.reaches for part in self.parts))

    def holds(self, view: View) -> bool:
        return (all if self.needs_all else any)(part.holds(view) for part in self.parts)

    def holds_in_silence(self, view: View) -> bool:
        return any(part.holds_in_silence(view) for part in self.parts) and self.holds(view)

    def excess(self, view: View) -> float:
        # Of any, it is the largest: that is what two limits of one sign need. Units of several signs do not compare.
        return 0.0 if self.needs_all else max(part.excess(view) for part in self.parts)

    def is_back(self, view: View, hysteresis: float) -> bool:
        return (any if self.needs_all else all)(part.is_back(view, hysteresis) for part in self.parts)

    def describe(self, view: View) -> tuple[str, ...]:
        return tuple(chain.from_iterable(part.describe(view) for part in self.parts if part.holds(view)))
