"""PURE: what a patient's values would have to be for criteria to hold, and for their alarm to end.

Each answer is a list of boxes. A box says of some quantities between what they lie, and to be in one of the boxes is
enough. What cannot be told is left open, so that an answer without any box is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from math import inf, ulp
from typing import Final, NamedTuple, Protocol

from app.modules.alerts.rules.criteria import NEWS2, Change, Combination, Course, Criterion, Direction, Limit, NoReading

#: With more, it is not told whether there is a way.
MOST_BOXES: Final = 200


class Sign(Protocol):
    """A vital sign that is measured: its unit, and between what its values lie."""

    @property
    def unit(self) -> str: ...
    @property
    def lowest(self) -> float: ...
    @property
    def highest(self) -> float: ...


class Quantity(NamedTuple):
    """Something that is a number at any moment: the value of a sign, its age, a movement or a score."""

    of: str
    what: tuple[object, ...] = ("value",)

    @property
    def is_value(self) -> bool:
        return self.what == ("value",)

    @property
    def is_age(self) -> bool:
        return self.what == ("age",)


class Span(NamedTuple):
    """Everything from one number to another; either of them may be left out itself."""

    low: float = -inf
    high: float = inf
    is_above_low: bool = False
    is_below_high: bool = False

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.is_above_low or self.is_below_high))

    def meet(self, other: Span) -> Span:
        low, is_above_low = max((self.low, self.is_above_low), (other.low, other.is_above_low))
        high, with_high = min((self.high, not self.is_below_high), (other.high, not other.is_below_high))
        return Span(low, high, is_above_low, not with_high)


Box = Mapping[Quantity, Span]
Boxes = tuple[Box, ...]

#: Nothing is known of it.
ANYTHING: Final[Boxes] = ({},)


class Possible:
    """Answers for the signs that are measured.

    Args:
        signs: between what their values lie; of others every number is possible.

    Attributes:
        excluded: the quantities for which some box has been left without any number.
    """

    def __init__(self, signs: Mapping[str, Sign]) -> None:
        self._signs = signs
        self.excluded: set[Quantity] = set()

    def holds(self, criterion: Criterion) -> Boxes:
        """With what it holds."""
        if isinstance(criterion, Combination):
            parts = [self.holds(part) for part in criterion.parts]
            return self.at_once(parts) if criterion.needs_all else self.either(parts)
        if isinstance(criterion, Limit):
            side = Span(low=criterion.limit, is_above_low=True)
            if criterion.direction is Direction.BELOW:
                side = Span(high=criterion.limit, is_below_high=True)
            max_age = criterion.max_age.total_seconds() if criterion.max_age else inf
            return self._box(criterion.vital_type, value=side, age=Span(high=max_age, is_below_high=True))
        if isinstance(criterion, Change):
            return self._moves(criterion)
        if isinstance(criterion, NoReading):
            return self._box(criterion.vital_type, age=Span(low=criterion.after.total_seconds()))
        return ANYTHING

    def is_back(self, criterion: Criterion, hysteresis: float) -> Boxes:
        """With what it no longer holds by this margin, something being measured."""
        if isinstance(criterion, Combination):
            parts = [self.is_back(part, hysteresis) for part in criterion.parts]
            return self.either(parts) if criterion.needs_all else self.at_once(parts)
        if isinstance(criterion, Limit):
            return self._box(criterion.vital_type, value=_within(criterion, hysteresis))
        if isinstance(criterion, Change):
            moved = Quantity(criterion.vital_type, (criterion.course, criterion.within))
            return self.at_once([({moved: Span(0, criterion.by - hysteresis, is_below_high=True)},)])
        if isinstance(criterion, NoReading):
            return self._box(criterion.vital_type, age=Span(high=criterion.after.total_seconds(), is_below_high=True))
        if isinstance(criterion, NEWS2):
            [reach] = criterion.reaches
            points = Quantity(str(reach.of[0]), reach.of[1:])
            return self.at_once([({points: Span(0, reach.limit - hysteresis, is_below_high=True)},)])
        return ANYTHING

    def at_once(self, parts: Iterable[Boxes]) -> Boxes:
        """With what all of these hold together."""
        return reduce(self._both, parts, ANYTHING)

    def either(self, parts: Iterable[Boxes]) -> Boxes:
        """With what one of these holds."""
        return _few([box for boxes in parts for box in boxes])

    def _both(self, one: Boxes, other: Boxes) -> Boxes:
        found = []
        for first in one:
            for second in other:
                box = dict(first)
                for quantity, span in second.items():
                    box[quantity] = span.meet(box.get(quantity, Span()))
                if empty := {quantity for quantity, span in box.items() if span.is_empty}:
                    self.excluded |= empty
                else:
                    found.append(box)
        return _few(found)

    def _box(self, vital_type: str, *, value: Span | None = None, age: Span | None = None) -> Boxes:
        box = {}
        if value is not None:
            sign = self._signs.get(vital_type)
            box[Quantity(vital_type)] = value.meet(Span(sign.lowest, sign.highest) if sign else Span())
        if age is not None:
            box[Quantity(vital_type, ("age",))] = age.meet(Span(low=0))
        return self.at_once([(box,)])

    def _moves(self, change: Change) -> Boxes:
        """Whatever has risen is so much above the least that there is, and must have been measured meanwhile."""
        sign = self._signs.get(change.vital_type)
        lowest, highest = (sign.lowest, sign.highest) if sign else (-inf, inf)
        moved = Quantity(change.vital_type, (change.course, change.within))
        value = {
            Course.RISE: Span(low=lowest + change.by),
            Course.FALL: Span(high=highest - change.by),
            Course.CHANGE: Span(),
        }[change.course]
        age = Span(high=change.within.total_seconds(), is_below_high=True)
        return self.at_once(
            [self._box(change.vital_type, value=value, age=age), ({moved: Span(change.by, highest - lowest)},)]
        )


def _within(limit: Limit, hysteresis: float) -> Span:
    """Values that are back, to the last digit as `Limit.is_back` reckons: 100 is not 0.1 above 99.9."""
    away = 1 if limit.direction is Direction.BELOW else -1
    first = limit.limit + away * hysteresis
    step = away * ulp(max(abs(first), abs(limit.limit)))
    near = (first + steps * step for steps in (-1, 0, 1, 2))
    edge = next((value for value in near if limit.is_within(value, hysteresis)), first)
    return Span(low=edge) if away > 0 else Span(high=edge)


def _few(boxes: Sequence[Box]) -> Boxes:
    """Each box once; where they are too many, anything."""
    different = {frozenset(box.items()): box for box in boxes}
    return tuple(different.values()) if len(different) <= MOST_BOXES else ANYTHING
