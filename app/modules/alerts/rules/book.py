"""PURE: what is watched for, how bad each stage of it is, and who is told.

A *condition* (say `spo2_low`) has levels: the further out, the worse the tier, and the sooner it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import Final

from app.modules.alerts.lifecycle import Kind, Plan, Tier
from app.modules.alerts.rules.chart import Chart, Kept, Series
from app.modules.alerts.rules.criteria import Combination, Criterion, Direction, Limit, Reach
from app.modules.alerts.rules.possible import Possible, Sign
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
        for mistake in order_mistakes(self.name, levels):
            raise mistake
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
        self.low, self.high = low, high

    @property
    def conditions(self) -> tuple[str, str]:
        return self.low[0], self.high[0]


class NoWayBack(ValueError):
    """No value would be far enough within the limits of a condition: its alarm would never end."""

    def __init__(self, condition: str, hysteresis: float, problem: str) -> None:
        super().__init__(f"with a hysteresis of {hysteresis:g} {problem}")
        self.condition = condition


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
            LimitsCrossed: no value of a sign would be normal.
        """
        if not limits:
            return self
        conditions = [condition.with_limits(limits) for condition in self.conditions]
        for _, crossed in crossings((condition.name, condition.levels) for condition in conditions):
            raise crossed
        return replace(self, conditions=with_thresholds(conditions))


def _with_limit(name: str, level: Level, limits: Mapping[LimitKey, float]) -> Level:
    limit = limits.get((name, level.tier))
    if limit is None or not isinstance(level.criterion, Limit):
        return level
    return replace(level, criterion=level.criterion.at(limit))


def worst_first(levels: list[Level]) -> tuple[Level, ...]:
    """The levels in the order in which they are asked."""
    return tuple(sorted(levels, key=lambda level: _TIERS.index(level.tier), reverse=True))


def order_mistakes(name: str, levels: tuple[Level, ...]) -> Iterator[LevelsOutOfOrder]:
    """Every limit that does not lie further out than those of milder tiers: of the same kind, on the same side.

    Args:
        levels: worst tier first.
    """
    furthest: dict[tuple[object, ...], tuple[Tier, Reach]] = {}
    for level in reversed(levels):
        for of, reach in _nearest(level.criterion.reaches).items():
            tier, known = furthest.setdefault(of, (level.tier, reach))
            if reach.direction.violates(reach.limit, known.limit):
                furthest[of] = level.tier, reach
            elif tier is not level.tier:
                yield LevelsOutOfOrder(name, level.tier, reach, tier, known)


def _nearest(reaches: Iterable[Reach]) -> dict[tuple[object, ...], Reach]:
    """Of those of the same kind, the one that is enough."""
    found: dict[tuple[object, ...], Reach] = {}
    for reach in reaches:
        known = found.setdefault(reach.of, reach)
        if reach.direction.violates(known.limit, reach.limit):
            found[reach.of] = reach
    return found


def crossings(conditions: Iterable[tuple[str, tuple[Level, ...]]]) -> Iterator[tuple[int, LimitsCrossed]]:
    """Limits of one vital sign that leave no value between them, with the place of the condition that adds to them.

    Args:
        conditions: the name and the levels of each.
    """
    inmost: dict[str, dict[Direction, tuple[str, Limit]]] = {}
    for place, (name, levels) in enumerate(conditions):
        own: dict[str, dict[Direction, tuple[str, Limit]]] = {}
        for limit in chain.from_iterable(_limits_of(level.criterion) for level in levels):
            for sides in (own, inmost):
                known = sides.setdefault(limit.vital_type, {}).get(limit.direction)
                if known is None or limit.direction.violates(known[1].limit, limit.limit):
                    sides[limit.vital_type][limit.direction] = name, limit
        for vital_type, ours in own.items():
            pairs = {
                (low, high)
                for lows, highs in ((ours, inmost[vital_type]), (inmost[vital_type], ours))
                if (low := lows.get(Direction.BELOW)) and (high := highs.get(Direction.ABOVE))
            }
            for low, high in sorted(pairs, key=lambda pair: (pair[0][1].limit, pair[1][1].limit)):
                if low[1].limit > high[1].limit:
                    yield place, LimitsCrossed(low, high)


def check_way_back(condition: Condition, signs: Mapping[str, Sign]) -> None:
    """Make sure that some values are normal again.

    Raises:
        NoWayBack: with the hysteresis of the condition none are.
    """
    if stuck := way_back_mistake(condition.levels, condition.clearing.hysteresis, signs):
        raise NoWayBack(condition.name, condition.clearing.hysteresis, stuck)


def way_back_mistake(levels: Sequence[Level], hysteresis: float, signs: Mapping[str, Sign]) -> str | None:
    """Why no values are within every limit by this margin, if none are; of one level rather than of all together."""
    for some in (*((level,) for level in levels), levels):
        possible = Possible(signs)
        if not possible.at_once([possible.is_back(level.criterion, hysteresis) for level in some]):
            return _why_not_back(possible, some)
    return None


def _why_not_back(possible: Possible, levels: Sequence[Level]) -> str:
    names = " or ".join(f"`{it.of}`" for it in sorted(possible.excluded, key=lambda it: it.of) if it.is_value)
    if names:
        return f"no value of {names} would be normal again"
    asked = {(it.of, *it.what) for it in possible.excluded}
    limits = [reach.limit for level in levels for reach in level.criterion.reaches if reach.of in asked]
    return "it would never be back" + (f": `when` asks for no more than {min(limits):g}" if limits else "")


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
