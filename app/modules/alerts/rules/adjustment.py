"""PURE: limits that people have set, laid over those of the rules: a patient's over the unit's over the file's.

They were set under rules that may have changed since. What no longer fits is passed over, condition by
condition, and told: nobody goes unwatched because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import (
    Condition,
    LevelsOutOfOrder,
    LimitKey,
    NoWayBack,
    RuleBook,
    check_way_back,
    crossings,
)
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.possible import Sign


class Layer(StrEnum):
    """Where a limit comes from."""

    RULES = "rules"
    UNIT = "unit"
    PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class _PlainLimit:
    """A limit of one sign on one side, at one tier of a condition."""

    condition: str
    tier: Tier
    vital_type: str
    direction: Direction
    limit: float

    @property
    def key(self) -> LimitKey:
        return self.condition, self.tier


class Adjustable(_PlainLimit):
    """A limit of the rules that people may set otherwise."""

    __slots__ = ()


class Adjustment(_PlainLimit):
    """A limit that somebody has set, and the sign and side that it was set for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class InForce:
    """A limit that holds, and the layer that it comes from."""

    of: Adjustable
    limit: float
    layer: Layer


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A limit that somebody has set and that does not hold, and why."""

    adjustment: Adjustment
    layer: Layer
    reason: str


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What came of laying the layers over each other.

    Attributes:
        in_force: every adjustable limit, in the order of the rules.
    """

    in_force: tuple[InForce, ...]
    passed_over: tuple[PassedOver, ...]

    @property
    def limits(self) -> dict[LimitKey, float]:
        """Those that are not the rules' own."""
        return {it.of.key: it.limit for it in self.in_force if it.layer is not Layer.RULES}


def adjustable_limits(book: RuleBook) -> tuple[Adjustable, ...]:
    """Every limit that people may set otherwise, in the order of the rules, worst tier first."""
    return tuple(it for condition in book.conditions for it in _adjustable(condition))


def lay_over(
    book: RuleBook,
    *,
    unit: Iterable[Adjustment] = (),
    patient: Iterable[Adjustment] = (),
    signs: Mapping[str, Sign] | None = None,
) -> Adjusted:
    """The limits in force: the patient's where there is one that fits, else the unit's, else the rules'.

    Args:
        signs: between what values lie; without it, a limit from which none is back is not noticed.
    """
    known = {it.key: it for it in adjustable_limits(book)}
    fitting: dict[Layer, dict[str, list[Adjustment]]] = {Layer.UNIT: {}, Layer.PATIENT: {}}
    passed_over = []
    for layer, adjustments in ((Layer.UNIT, unit), (Layer.PATIENT, patient)):
        for adjustment in adjustments:
            problem = _misfit(adjustment, known.get(adjustment.key))
            if problem is None:
                fitting[layer].setdefault(adjustment.condition, []).append(adjustment)
            else:
                passed_over.append(PassedOver(adjustment, layer, problem))
    crossed: dict[tuple[str, Layer], str] = {}
    while True:
        in_force, left_out = _lay_over_each(book, fitting, crossed, signs or {})
        if not (found := _crossed(book, in_force)):
            return Adjusted(tuple(in_force), (*passed_over, *left_out))
        crossed |= found


def _lay_over_each(
    book: RuleBook,
    fitting: Mapping[Layer, Mapping[str, list[Adjustment]]],
    crossed: Mapping[tuple[str, Layer], str],
    signs: Mapping[str, Sign],
) -> tuple[list[InForce], list[PassedOver]]:
    in_force, passed_over = [], []
    for condition in book.conditions:
        layers = {layer: of_layer.get(condition.name, []) for layer, of_layer in fitting.items()}
        refused = {layer: problem for (name, layer), problem in crossed.items() if name == condition.name}
        laid, left_out = _lay_over_one(condition, layers, refused, signs)
        passed_over += left_out
        for it in _adjustable(condition):
            limit, layer = laid.get(it.key, (it.limit, Layer.RULES))
            in_force.append(InForce(it, limit, layer))
    return in_force, passed_over


def _crossed(book: RuleBook, in_force: Iterable[InForce]) -> dict[tuple[str, Layer], str]:
    """The layers, and why, that have to give way so that a value is normal: rather the unit's than the patient's."""
    set_by_people = [it for it in in_force if it.layer is not Layer.RULES]
    limits = {it.of.key: it.limit for it in set_by_people}
    if not limits:
        return {}
    conditions = [condition.with_limits(limits) for condition in book.conditions]
    for _, error in crossings((condition.name, condition.levels) for condition in conditions):
        sides = {(name, limit.vital_type, limit.direction, limit.limit) for name, limit in (error.low, error.high)}
        ours = [it for it in set_by_people if (it.of.condition, it.of.vital_type, it.of.direction, it.limit) in sides]
        layers = {it.layer for it in ours}
        giving_way = Layer.UNIT if Layer.UNIT in layers else Layer.PATIENT
        if ours:
            return {(it.of.condition, it.layer): str(error) for it in ours if it.layer is giving_way}
    return {}


def _adjustable(condition: Condition) -> list[Adjustable]:
    return [
        Adjustable(condition.name, level.tier, limit.vital_type, limit.direction, limit.limit)
        for level in condition.levels
        if isinstance(limit := level.criterion, Limit)
    ]


def _misfit(adjustment: Adjustment, of: Adjustable | None) -> str | None:
    """Why the rules have no use for a limit, if they have none."""
    if of is None:
        return "the rules have no such limit any more"
    if (adjustment.vital_type, adjustment.direction) != (of.vital_type, of.direction):
        # The same number on the other side, or of another sign, would mean something that nobody has decided.
        return f"it was set for {adjustment.vital_type} {adjustment.direction} a limit, which this is no longer"
    return None


def _lay_over_one(
    condition: Condition,
    layers: Mapping[Layer, Sequence[Adjustment]],
    refused: Mapping[Layer, str],
    signs: Mapping[str, Sign],
) -> tuple[Mapping[LimitKey, tuple[float, Layer]], list[PassedOver]]:
    """As much as fits together, and rather the patient's than the unit's; and what had to be left out.

    Args:
        layers: the unit's before the patient's.
        refused: layers that do not fit other conditions, and why.
    """
    problem = ""
    for kept in ((Layer.UNIT, Layer.PATIENT), (Layer.PATIENT,), (Layer.UNIT,), ()):
        if not refused.keys().isdisjoint(kept):
            continue
        laid = {it.key: (it.limit, layer) for layer in kept for it in layers[layer]}
        try:
            adjusted = condition.with_limits({key: limit for key, (limit, _) in laid.items()})
            if laid:
                check_way_back(adjusted, signs)
        except (LevelsOutOfOrder, NoWayBack) as error:
            problem = problem or str(error)
            continue
        left_out = [
            PassedOver(it, layer, refused.get(layer, problem))
            for layer, adjustments in layers.items()
            for it in adjustments
            # One of the unit that the patient's covers would not hold in any case.
            if layer not in kept and (layer is Layer.PATIENT or it.key not in laid)
        ]
        return laid, left_out
    raise AssertionError("the rules' own limits are in order")
