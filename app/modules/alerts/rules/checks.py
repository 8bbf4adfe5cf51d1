"""What is wrong with conditions that are each written as they must be: with one another, and with what is measured.

A part of the file that cannot be understood is left to those who say so; whatever can be is looked at, so that
every mistake is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Final

from app.modules.alerts.rules import document
from app.modules.alerts.rules.book import crossings, order_mistakes, way_back_mistake
from app.modules.alerts.rules.places import Path
from app.modules.alerts.rules.possible import ANYTHING, Boxes, Possible, Sign
from app.modules.alerts.rules.readable import Part, ReadableCondition, readable

#: What a condition about the score is about: it is computed, and not measured.
NEWS2_SIGN: Final = "news2"

#: What the ECG and the measuring itself raise. An alert is known by its patient and its condition: a rule of such a
#: name would end what it knows nothing of.
RESERVED_NAMES: Final = re.compile(r"asystole|ecg_signal_bad|device_.*|lead_off(:.*)?")

#: Criteria that say nothing of how far beyond a limit something is.
_WITHOUT_MAGNITUDE: Final = frozenset({"all", "any", "noReadingForSeconds"})

#: A mistake: where it stands, and what would be right.
Found = Iterator[tuple[Path, str]]


def mistakes_of(values: Any, signs: Mapping[str, Sign] | None) -> Found:
    """Look at the conditions of a file, as JSON has them.

    Args:
        signs: what is measured; none where that is not known.
    """
    conditions = readable(values)
    yield from _wrong_names(conditions)
    yield from _no_gap(conditions)
    for condition in conditions:
        yield from _wrong_levels(condition)
        for mistake in order_mistakes(condition.name or "", condition.built):
            yield (*condition.path, "levels"), str(mistake)
        wrong_limits = list(_out_of_range(condition, signs or {}))
        yield from wrong_limits
        yield from _never_met(condition, signs or {})
        yield from _no_way_back(condition.without([path for path, _ in wrong_limits]), signs or {})
        if signs:
            yield from _wrong_sign(condition, signs)


def _wrong_names(conditions: Sequence[ReadableCondition]) -> Found:
    seen = set()
    for condition in conditions:
        if condition.name is not None:
            if condition.name in seen:
                yield (*condition.path, "name"), f"`{condition.name}` is used twice"
            if RESERVED_NAMES.fullmatch(condition.name):
                yield (*condition.path, "name"), f"`{condition.name}` is a name that the server uses itself"
            seen.add(condition.name)


def _no_gap(conditions: Sequence[ReadableCondition]) -> Found:
    for place, crossed in crossings((condition.name or "", condition.built) for condition in conditions):
        yield (*conditions[place].path, "levels"), str(crossed)


def _wrong_levels(condition: ReadableCondition) -> Found:
    seen = set()
    for level in condition.levels:
        if level.tier is not None and level.tier in seen:
            yield (*level.path, "tier"), f"the tier `{level.tier}` stands there twice"
        seen.add(level.tier)
        if level.has_burden and level.when.kind in _WITHOUT_MAGNITUDE:
            advice = "`burden` is of one limit: `all`, `any` and `noReadingForSeconds` have no magnitude"
            yield (*level.path, "burden"), advice


def _never_met(condition: ReadableCondition, signs: Mapping[str, Sign]) -> Found:
    """An `all` with parts of which each can be, and never with the others."""
    for level in condition.levels:
        yield from _met_with(level.when, condition.sign, signs)


def _met_with(part: Part, vital_type: str, signs: Mapping[str, Sign]) -> Generator[tuple[Path, str], None, Boxes]:
    possible = Possible(signs)
    if part.leaf is not None:
        return possible.holds(part.leaf.built(vital_type, is_part=True))
    if not part.parts:
        return ANYTHING
    boxes: list[Boxes] = []
    for inner in part.parts:
        boxes += [(yield from _met_with(inner, vital_type, signs))]
    if part.kind == "any":
        return possible.either(boxes)
    together = possible.at_once(boxes)
    if all(boxes) and not together:
        yield (*part.path, "all"), "these never hold at once: " + _why_not_met(possible)
    return together


def _why_not_met(possible: Possible) -> str:
    excluded = sorted(possible.excluded, key=lambda it: it.of)
    if values := [f"`{it.of}`" for it in excluded if it.is_value]:
        return f"no value of {' or '.join(values)} is within all of them"
    return f"after such a silence no value of {' or '.join(f'`{it.of}`' for it in excluded)} counts any more"


def _no_way_back(condition: ReadableCondition, signs: Mapping[str, Sign]) -> Found:
    """A hysteresis so wide that no value is far enough within the limits: such an alarm would never end."""
    levels = condition.built
    if problem := way_back_mistake(levels, 0.0, signs):
        # Two limits that cross have been told as such.
        if not any(crossings([(condition.name or "", levels)])):
            yield (*condition.path, "levels"), problem
    elif problem := way_back_mistake(levels, condition.hysteresis, signs):
        yield (*condition.path, "clear", "hysteresis"), f"with this {problem}"


def _lower(leaf: document.When) -> list[float]:
    """Limits below which it holds."""
    if isinstance(leaf, document.Outside):
        return leaf.outside[:1]
    return [leaf.below] if isinstance(leaf, document.Below) else []


def _upper(leaf: document.When) -> list[float]:
    """Limits above which it holds."""
    if isinstance(leaf, document.Outside):
        return leaf.outside[1:]
    return [leaf.above] if isinstance(leaf, document.Above) else []


def _movement(leaf: document.When) -> tuple[str, float] | None:
    """By how much a value must have moved, and the field that says so."""
    if isinstance(leaf, document.Rise):
        return "rise", leaf.rise
    if isinstance(leaf, document.Fall):
        return "fall", leaf.fall
    return ("change", leaf.change) if isinstance(leaf, document.Move) else None


def _wrong_sign(condition: ReadableCondition, signs: Mapping[str, Sign]) -> Found:
    known = ", ".join(sorted(signs))
    sign = signs.get(condition.sign)
    if sign is not None:
        if condition.unit not in (None, sign.unit):
            yield (*condition.path, "unit"), f"{condition.vital_type} is measured in `{sign.unit}`"
    elif condition.vital_type not in (None, NEWS2_SIGN):
        yield (*condition.path, "vitalType"), f"`{condition.vital_type}` is none of {known}, {NEWS2_SIGN}"
    for path, leaf in condition.leaves:
        if isinstance(leaf, document.NEWS2Total | document.NEWS2Single):
            continue
        own: str | None = getattr(leaf, "vital_type", None)
        if (own or condition.vital_type) == NEWS2_SIGN:
            yield path, f"`{NEWS2_SIGN}` is a score and no reading: use news2Total or news2Single"
        elif own is not None and own not in signs:
            yield (*path, "vitalType"), f"`{own}` is none of {known}"


def _out_of_range(condition: ReadableCondition, signs: Mapping[str, Sign]) -> Found:
    """Limits that every value breaks, or none."""
    for path, leaf in condition.leaves:
        vital_type = getattr(leaf, "vital_type", None) or condition.sign
        if (sign := signs.get(vital_type)) is None:
            continue
        span = f"`{vital_type}` is between {sign.lowest:g} and {sign.highest:g} {sign.unit}".rstrip()
        is_pair = isinstance(leaf, document.Outside)
        for limit in _lower(leaf):
            if not sign.lowest < limit <= sign.highest:
                often = "always" if limit > sign.highest else "never"
                yield (*path, "outside" if is_pair else "below"), f"{span}: it is {often} below {limit:g}"
        for limit in _upper(leaf):
            if not sign.lowest <= limit < sign.highest:
                often = "always" if limit < sign.lowest else "never"
                yield (*path, "outside" if is_pair else "above"), f"{span}: it is {often} above {limit:g}"
        moved = _movement(leaf)
        if moved is not None and moved[1] > sign.highest - sign.lowest:
            yield (*path, moved[0]), f"{span}: it never moves by {moved[1]:g}"
