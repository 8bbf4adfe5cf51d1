"""PURE: what is watched for, how bad each stage of it is, and who is told.

A *condition* (say `spo2_low`) has levels: the further out, the worse the tier, and the sooner it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import Final

from app.modules.alerts.lifecycle import Kind, Plan, Tier
from app.modules.alerts.rules.chart import Chart, Kept, Series
from app.modules.alerts.rules.criteria import Combination, Criterion, Direction, Limit, Reach
from app.modules.alerts.rules.timing import AT_ONCE, Timing

#: The limit of a condition at one tier, where it is not the one of the rules file.
LimitKey = tuple[str, Tier]

_TIERS: Final = list(Tier)


@dataclass(frozen=True, slots=True)
class Level:
    """One stage of a condition: what must be wrong, and when that counts."""

    tier: Tier
    criterion: Criterion
    timing: Timing = AT_ONCE


@dataclass(frozen=True, slots=True)
class Clearing:
    """When a condition is gone: enough normal samples in a row, over enough time.

    Attributes:
        hysteresis: a value must be back within every limit by this much to be normal.
    """

    samples: int = 1
    duration: timedelta = timedelta(0)
    hysteresis: float = 0.0


FIRST_NORMAL_SAMPLE: Final = Clearing()


@dataclass(frozen=True)
class Condition:
    """One thing that can be wrong with a patient.

    Attributes:
        vital_type: what it is about, as alerts name it, and what their window shows.
        levels: worst tier first.
        thresholds: per tier, the limits of this vital sign on both sides, as an alert shows them.
    """

    name: str
    vital_type: str
    unit: str
    levels: tuple[Level, ...]
    clearing: Clearing = FIRST_NORMAL_SAMPLE
    kind: Kind = Kind.PHYSIOLOGICAL
    thresholds: Mapping[Tier, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The vital signs that it looks at."""
        return frozenset().union(*(level.criterion.inputs for level in self.levels))

    @cached_property
    def heeds_silence(self) -> bool:
        """Whether it can begin as time passes, without any reading."""
        return any(level.criterion.heeds_silence for level in self.levels)

    @cached_property
    def samples_kept(self) -> int:
        return max(self.clearing.samples, *(level.timing.samples for level in self.levels))

    @cached_property
    def horizon(self) -> timedelta:
        """How far back it looks."""
        looks = (max(level.criterion.horizon, level.timing.horizon) for level in self.levels)
        return max(self.clearing.duration, *looks)

    def with_limits(self, limits: Mapping[LimitKey, float]) -> Condition:
        """The same condition with other limits, where a level is a plain one.

        Raises:
            LevelsOutOfOrder: a worse tier could not be reached any more.
        """
        levels = tuple(_with_limit(self.name, level, limits) for level in self.levels)
        check_order(self.name, levels)
        return replace(self, levels=levels)


class LevelsOutOfOrder(ValueError):
    """A worse tier's limit does not lie further out than a milder one's: it could never be reached before it."""

    def __init__(self, condition: str, worse: Tier, worse_reach: Reach, milder: Tier, milder_reach: Reach) -> None:
        super().__init__(
            f"the limit of `{worse}` ({worse_reach.limit:g}) must be {worse_reach.direction} "
            f"that of `{milder}` ({milder_reach.limit:g})"
        )
        self.condition = condition


class LimitsCrossed(ValueError):
    """The limits of a vital sign leave no value between them: whatever is measured, something alarms."""

    def __init__(self, low: tuple[str, Limit], high: tuple[str, Limit]) -> None:
        super().__init__(
            f"no value would be normal: `{low[0]}` alarms below {low[1].limit:g}, `{high[0]}` above {high[1].limit:g}"
        )
        self.conditions = low[0], high[0]


@dataclass(frozen=True)
class RuleBook:
    """Every condition that is watched for, who is told of each tier, and how old a reading may be."""

    conditions: tuple[Condition, ...]
    plans: Mapping[Tier, Plan]
    oldest_reading: timedelta

    @cached_property
    def by_input(self) -> Mapping[str, tuple[Condition, ...]]:
        """The conditions that look at each vital sign."""
        inputs = sorted(frozenset().union(*(condition.inputs for condition in self.conditions)))
        return {it: tuple(condition for condition in self.conditions if it in condition.inputs) for it in inputs}

    @cached_property
    def kept(self) -> Mapping[str, Kept]:
        """How much of each vital sign these rules look at.

        Twice as far back as that: when a reading comes late, all that is kept is gone through again, and what began
        before the first of it seems to begin there. So far back, that makes no difference any more.
        """
        return {
            vital_type: Kept(
                max(condition.samples_kept for condition in conditions),
                2 * max(condition.horizon for condition in conditions),
            )
            for vital_type, conditions in self.by_input.items()
        }

    @cached_property
    def longest_silence(self) -> timedelta:
        """The longest time without a reading that is waited for; 0 where none is."""
        levels = chain.from_iterable(condition.levels for condition in self.conditions)
        return max((level.criterion.silence for level in levels), default=timedelta(0))

    @cached_property
    def heeding_silence(self) -> tuple[Condition, ...]:
        """The conditions that can begin without any reading."""
        return tuple(condition for condition in self.conditions if condition.heeds_silence)

    def new_chart(self, *, spo2_scale: int = 1) -> Chart:
        """An empty chart that keeps as much as these rules look at."""
        series = {vital_type: Series(kept.samples, kept.horizon) for vital_type, kept in self.kept.items()}
        return Chart(series, spo2_scale=spo2_scale)

    def with_limits(self, limits: Mapping[LimitKey, float]) -> RuleBook:
        """The same rules with other limits, where a level is a plain one; limits of others are passed over.

        Raises:
            LevelsOutOfOrder: a worse tier could not be reached any more.
        """
        if not limits:
            return self
        conditions = [condition.with_limits(limits) for condition in self.conditions]
        return replace(self, conditions=with_thresholds(conditions))


def _with_limit(name: str, level: Level, limits: Mapping[LimitKey, float]) -> Level:
    limit = limits.get((name, level.tier))
    if limit is None or not isinstance(level.criterion, Limit):
        return level
    return replace(level, criterion=level.criterion.at(limit))


def worst_first(levels: list[Level]) -> tuple[Level, ...]:
    """The levels in the order in which they are asked."""
    return tuple(sorted(levels, key=lambda level: _TIERS.index(level.tier), reverse=True))


def check_order(name: str, levels: tuple[Level, ...]) -> None:
    """Make sure that of limits of the same kind on one side of one vital sign, the worse lie further out.

    Args:
        levels: worst tier first.

    Raises:
        LevelsOutOfOrder: one does not.
    """
    milder: dict[tuple[object, ...], tuple[Tier, Reach]] = {}
    for level in reversed(levels):
        for reach in level.criterion.reaches:
            tier, known = milder.setdefault(reach.of, (level.tier, reach))
            if tier is not level.tier and not reach.direction.violates(reach.limit, known.limit):
                raise LevelsOutOfOrder(name, level.tier, reach, tier, known)
            milder[reach.of] = level.tier, reach


def check_gap(conditions: Iterable[tuple[str, tuple[Level, ...]]]) -> None:
    """Make sure that the limits of each vital sign leave values between them.

    Args:
        conditions: the name and the levels of each.

    Raises:
        LimitsCrossed: of one sign they do not.
    """
    inmost: dict[str, dict[Direction, tuple[str, Limit]]] = {}
    for name, levels in conditions:
        for limit in chain.from_iterable(_limits_of(level.criterion) for level in levels):
            sides = inmost.setdefault(limit.vital_type, {})
            known = sides.get(limit.direction)
            if known is None or limit.direction.violates(known[1].limit, limit.limit):
                sides[limit.direction] = name, limit
    for sides in inmost.values():
        low, high = sides.get(Direction.BELOW), sides.get(Direction.ABOVE)
        if low is not None and high is not None and low[1].limit > high[1].limit:
            raise LimitsCrossed(low, high)


def _limits_of(criterion: Criterion) -> tuple[Limit, ...]:
    """The limits that make it hold, each by itself."""
    if isinstance(criterion, Limit):
        return (criterion,)
    if isinstance(criterion, Combination) and not criterion.needs_all:
        return tuple(chain.from_iterable(map(_limits_of, criterion.parts)))
    return ()


def with_thresholds(conditions: list[Condition]) -> tuple[Condition, ...]:
    """The conditions, each with the limits of its vital sign at each tier: on both sides, where both have one."""
    return tuple(
        replace(
            condition,
            thresholds={level.tier: _threshold(condition, level.tier, conditions) for level in condition.levels},
        )
        for condition in conditions
    )


def _threshold(condition: Condition, tier: Tier, siblings: list[Condition]) -> dict[str, float]:
    found: dict[Direction, float] = {}
    for sibling in (condition, *siblings):
        for level in sibling.levels:
            criterion = level.criterion
            is_ours = isinstance(criterion, Limit) and criterion.vital_type == condition.vital_type
            if is_ours and level.tier is tier:
                assert isinstance(criterion, Limit)
                found.setdefault(criterion.direction, criterion.limit)
    sides = (("min", Direction.BELOW), ("max", Direction.ABOVE))
    return {side: found[direction] for side, direction in sides if direction in found}
