"""What is wrong with conditions that are each written as they must be: with one another, and with what is measured.

A part of the file that cannot be understood is left to those who say so; whatever can be is looked at, so that
every mistake is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from app.modules.alerts.rules import document
from app.modules.alerts.rules.book import Level, LevelsOutOfOrder, LimitsCrossed, check_gap, check_order, worst_first
from app.modules.alerts.rules.places import Path

#: What a condition about the score is about: it is computed, and not measured.
NEWS2_SIGN: Final = "news2"

#: What the ECG and the measuring itself raise. An alert is known by its patient and its condition: a rule of such a
#: name would end what it knows nothing of.
RESERVED_NAMES: Final = re.compile(r"asystole|ecg_signal_bad|device_.*|lead_off(:.*)?")

#: A mistake: where it stands, and what would be right.
Found = Iterator[tuple[Path, str]]

_Part = TypeVar("_Part", bound=BaseModel)


class Sign(Protocol):
    """A vital sign that is measured: its unit, and between what its values lie."""

    @property
    def unit(self) -> str: ...
    @property
    def lowest(self) -> float: ...
    @property
    def highest(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Readable:
    """What can be understood of a condition."""

    index: int
    name: str | None
    vital_type: str
    unit: str | None
    levels: Sequence[tuple[int, document.LevelOf]]
    clear: document.Clear

    @property
    def place(self) -> Path:
        return ("conditions", self.index)

    @property
    def leaves(self) -> Iterator[tuple[Path, document.When, bool]]:
        """Each criterion that has no other inside, where it stands, and whether it is enough by itself."""
        for number, level in self.levels:
            yield from _leaves(level.when, (*self.place, "levels", number, "when"), is_enough=True)


def mistakes_of(values: Any, signs: Mapping[str, Sign] | None) -> Found:
    """Look at the conditions of a file, as JSON has them.

    Args:
        signs: what is measured; none where that is not known.
    """
    written = values.get("conditions") if isinstance(values, dict) else None
    conditions = list(_readable(written if isinstance(written, list) else []))
    yield from _wrong_names(conditions)
    yield from _wrong_order(conditions)
    yield from _no_way_back(conditions, signs or {})
    if signs:
        for condition in conditions:
            yield from _wrong_sign(condition, signs)
            yield from _out_of_range(condition, signs)


def _readable(conditions: Sequence[Any]) -> Iterator[_Readable]:
    for index, written in enumerate(conditions):
        if isinstance(written, dict):
            levels = written.get("levels")
            read = [_read_level(level) for level in (levels if isinstance(levels, list) else [])]
            yield _Readable(
                index,
                _text(written.get("name")),
                _text(written.get("vitalType")) or "",
                _text(written.get("unit")),
                [(number, level) for number, level in enumerate(read) if level is not None],
                _read(document.Clear, written.get("clear", {})) or document.Clear(),
            )


def _text(written: Any) -> str | None:
    return written if isinstance(written, str) else None


def _read(part: type[_Part], written: Any) -> _Part | None:
    try:
        return part.model_validate(written)
    except ValidationError:
        return None


def _read_level(written: Any) -> document.LevelOf | None:
    """A level, or what it is about where something else of it is wrong."""
    heart = {key: written[key] for key in ("tier", "when") if key in written} if isinstance(written, dict) else None
    return _read(document.LevelOf, written) or _read(document.LevelOf, heart)


def _leaves(when: document.When, path: Path, *, is_enough: bool) -> Iterator[tuple[Path, document.When, bool]]:
    if isinstance(when, document.All):
        for index, part in enumerate(when.all):
            yield from _leaves(part, (*path, "all", index), is_enough=False)
    elif isinstance(when, document.AnyOf):
        for index, part in enumerate(when.any):
            yield from _leaves(part, (*path, "any", index), is_enough=is_enough)
    else:
        yield path, when, is_enough


def _wrong_names(conditions: Sequence[_Readable]) -> Found:
    seen = set()
    for condition in conditions:
        if condition.name is not None:
            if condition.name in seen:
                yield (*condition.place, "name"), f"`{condition.name}` is used twice"
            if RESERVED_NAMES.fullmatch(condition.name):
                yield (*condition.place, "name"), f"`{condition.name}` is a name that the server uses itself"
            seen.add(condition.name)


def _wrong_order(conditions: Sequence[_Readable]) -> Found:
    """Limits that no value reaches before a milder one, and limits between which there is no value."""
    built: list[tuple[str, tuple[Level, ...]]] = []
    for condition in conditions:
        name = condition.name or ""
        levels = worst_first([level.built(condition.vital_type) for _, level in condition.levels])
        try:
            check_order(name, levels)
            check_gap([*built, (name, levels)])
        except (LevelsOutOfOrder, LimitsCrossed) as error:
            yield (*condition.place, "levels"), str(error)
        else:
            built.append((name, levels))


def _no_way_back(conditions: Sequence[_Readable], signs: Mapping[str, Sign]) -> Found:
    """A hysteresis so wide that no value is far enough within the limits: such an alarm would never end."""
    for condition in conditions:
        margin = condition.clear.hysteresis
        place = (*condition.place, "clear", "hysteresis")
        least: dict[str, float] = {}
        most: dict[str, float] = {}
        for _, leaf, is_enough in condition.leaves:
            if not is_enough or not margin:
                continue
            vital_type = getattr(leaf, "vital_type", None) or condition.vital_type
            for limit in _lower(leaf):
                least[vital_type] = max(least.get(vital_type, -inf), limit + margin)
            for limit in _upper(leaf):
                most[vital_type] = min(most.get(vital_type, inf), limit - margin)
            if (size := _size(leaf)) is not None and margin >= size:
                yield place, f"with this it would never be back: `when` asks for no more than {size:g}"
        for vital_type in least.keys() | most.keys():
            sign = signs.get(vital_type)
            low, high = (sign.lowest, sign.highest) if sign else (-inf, inf)
            if max(least.get(vital_type, low), low) > min(most.get(vital_type, high), high):
                yield place, f"with this no value of `{vital_type}` would be normal again"


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


def _size(leaf: document.When) -> float | None:
    """What a score or a movement must reach, either of which is 0 at the least."""
    if isinstance(leaf, document.NEWS2Total):
        return leaf.news2_total
    if isinstance(leaf, document.NEWS2Single):
        return leaf.news2_single
    moved = _movement(leaf)
    return moved[1] if moved else None


def _wrong_sign(condition: _Readable, signs: Mapping[str, Sign]) -> Found:
    known = ", ".join(sorted(signs))
    sign = signs.get(condition.vital_type)
    if sign is not None:
        if condition.unit not in (None, sign.unit):
            yield (*condition.place, "unit"), f"{condition.vital_type} is measured in `{sign.unit}`"
    elif condition.vital_type not in ("", NEWS2_SIGN):
        yield (*condition.place, "vitalType"), f"`{condition.vital_type}` is none of {known}, {NEWS2_SIGN}"
    for path, leaf, _ in condition.leaves:
        if isinstance(leaf, document.NEWS2Total | document.NEWS2Single):
            continue
        own: str | None = getattr(leaf, "vital_type", None)
        if (own or condition.vital_type) == NEWS2_SIGN:
            yield path, f"`{NEWS2_SIGN}` is a score and no reading: use news2Total or news2Single"
        elif own is not None and own not in signs:
            yield (*path, "vitalType"), f"`{own}` is none of {known}"


def _out_of_range(condition: _Readable, signs: Mapping[str, Sign]) -> Found:
    """Limits that every value breaks, or none."""
    for path, leaf, _ in condition.leaves:
        vital_type = getattr(leaf, "vital_type", None) or condition.vital_type
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
