"""PURE: limits that people have set, laid over those of the rules: a patient's over the unit's over the file's.

They were set under rules that may have changed since. What no longer fits is passed over, condition by
condition, and told: nobody goes unwatched because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import Condition, LevelsOutOfOrder, LimitKey, RuleBook
from app.modules.alerts.rules.criteria import Direction, Limit


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


def lay_over(book: RuleBook, *, unit: Iterable[Adjustment] = (), patient: Iterable[Adjustment] = ()) -> Adjusted:
    """The limits in force: the patient's where there is one that fits, else the unit's, else the rules'."""
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
    in_force = []
    for condition in book.conditions:
        of_unit = fitting[Layer.UNIT].get(condition.name, [])
        of_patient = fitting[Layer.PATIENT].get(condition.name, [])
        laid, left_out = _lay_over_one(condition, of_unit, of_patient)
        passed_over += left_out
        for it in _adjustable(condition):
            limit, layer = laid.get(it.key, (it.limit, Layer.RULES))
            in_force.append(InForce(it, limit, layer))
    return Adjusted(tuple(in_force), tuple(passed_over))


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
    condition: Condition, of_unit: Sequence[Adjustment], of_patient: Sequence[Adjustment]
) -> tuple[Mapping[LimitKey, tuple[float, Layer]], list[PassedOver]]:
    """As much as fits together, and rather the patient's than the unit's; and what had to be left out."""
    layers = {
        Layer.UNIT: {it.key: (it.limit, Layer.UNIT) for it in of_unit},
        Layer.PATIENT: {it.key: (it.limit, Layer.PATIENT) for it in of_patient},
    }
    problem = ""
    for kept in ((Layer.UNIT, Layer.PATIENT), (Layer.PATIENT,), (Layer.UNIT,), ()):
        laid = {key: value for layer in kept for key, value in layers[layer].items()}
        try:
            condition.with_limits({key: limit for key, (limit, _) in laid.items()})
        except LevelsOutOfOrder as error:
            problem = problem or str(error)
            continue
        left_out = [
            PassedOver(it, layer, problem)
            for layer, adjustments in ((Layer.UNIT, of_unit), (Layer.PATIENT, of_patient))
            for it in adjustments
            # One of the unit that the patient's covers would not hold in any case.
            if layer not in kept and (layer is Layer.PATIENT or it.key not in laid)
        ]
        return laid, left_out
    raise AssertionError("the rules' own limits are in order")
