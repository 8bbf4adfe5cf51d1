"""What can be understood of conditions in which something may be wrong, part by part, as JSON has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules import document
from app.modules.alerts.rules.book import Level, worst_first
from app.modules.alerts.rules.criteria import Combination, Criterion
from app.modules.alerts.rules.places import Path

_WHEN: Final[TypeAdapter[document.When]] = TypeAdapter(document.When)

#: Without these nobody knows what a criterion means.
_ESSENTIAL: Final = frozenset({"vitalType", "withinSeconds"})


@dataclass(frozen=True, slots=True)
class Part:
    """A criterion, and where it stands.

    Attributes:
        kind: the key that says what it is; none where that is not clear.
        leaf: what it says, where it has no others inside; none where that cannot be understood.
        parts: the others inside.
    """

    path: Path
    kind: str | None
    leaf: document.When | None = None
    parts: tuple[Part, ...] = ()

    @property
    def leaves(self) -> Iterator[tuple[Path, document.When]]:
        """Each that has no other inside, and can be understood."""
        if self.leaf is not None:
            yield self.path, self.leaf
        for part in self.parts:
            yield from part.leaves

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion | None:
        """What is sure to be enough for it to hold; none where too little is known."""
        if self.leaf is not None:
            return self.leaf.built(vital_type, is_part=is_part)
        parts = [part.built(vital_type, is_part=True) for part in self.parts]
        known = tuple(part for part in parts if part is not None)
        needs_all = self.kind == "all"
        if not known or (needs_all and len(known) < len(parts)):
            return None
        return Combination(known, needs_all=needs_all)


@dataclass(frozen=True, slots=True)
class ReadableLevel:
    """A level: where it stands, its tier where that is one, and what must hold."""

    path: Path
    tier: Tier | None
    when: Part
    has_burden: bool


@dataclass(frozen=True, slots=True)
class ReadableCondition:
    """A condition; none for what cannot be understood of it."""

    path: Path
    name: str | None
    vital_type: str | None
    unit: str | None
    levels: Sequence[ReadableLevel]
    hysteresis: float

    @property
    def sign(self) -> str:
        """What its criteria are about where they name no other sign; one of its own where that is unknown."""
        return self.vital_type if self.vital_type is not None else f"vitalType of condition {self.path[-1]}"

    @property
    def leaves(self) -> Iterator[tuple[Path, document.When]]:
        for level in self.levels:
            yield from level.when.leaves

    @property
    def built(self) -> tuple[Level, ...]:
        """Its levels, as far as they are known, worst first."""
        found = [(level.tier, level.when.built(self.sign)) for level in self.levels]
        return worst_first(
            [Level(tier, criterion) for tier, criterion in found if tier is not None and criterion is not None]
        )

    def without(self, places: Collection[Path]) -> ReadableCondition:
        """The same without the levels in which these places are."""
        kept = [level for level in self.levels if all(place[: len(level.path)] != level.path for place in places)]
        return replace(self, levels=kept)


def readable(values: Any) -> list[ReadableCondition]:
    """The conditions of a file."""
    written = values.get("conditions") if isinstance(values, dict) else None
    return [
        ReadableCondition(
            ("conditions", index),
            _text(it.get("name")),
            _text(it.get("vitalType")),
            _text(it.get("unit")),
            [
                _level(level, ("conditions", index, "levels", number))
                for number, level in enumerate(_list(it.get("levels")))
                if isinstance(level, dict)
            ],
            _hysteresis(it.get("clear")),
        )
        for index, it in enumerate(_list(written))
        if isinstance(it, dict)
    ]


def _list(written: Any) -> list[Any]:
    return written if isinstance(written, list) else []


def _text(written: Any) -> str | None:
    return written if isinstance(written, str) else None


def _level(written: dict[str, Any], path: Path) -> ReadableLevel:
    tier = _text(written.get("tier"))
    return ReadableLevel(
        path,
        Tier(tier) if tier in list(Tier) else None,
        _part(written.get("when"), (*path, "when")),
        has_burden=written.get("burden") is not None,
    )


def _part(written: Any, path: Path) -> Part:
    kind = document.kind_of(written)
    if kind in ("all", "any"):
        parts = enumerate(_list(written[kind]))
        return Part(path, kind, parts=tuple(_part(part, (*path, kind, index)) for index, part in parts))
    return Part(path, kind, _leaf(written, kind) if kind else None)


def _leaf(written: dict[str, Any], kind: str) -> document.When | None:
    """What it says, without those of its fields that are wrong and change little."""
    try:
        return _WHEN.validate_python(written)
    except ValidationError as error:
        wrong = {step for it in error.errors(include_url=False, include_input=False) for step in it["loc"]}
    if wrong & {kind, *_ESSENTIAL}:
        return None
    try:
        return _WHEN.validate_python({key: value for key, value in written.items() if key not in wrong})
    except ValidationError:
        return None


def _hysteresis(clear: Any) -> float:
    written = clear.get("hysteresis", 0.0) if isinstance(clear, dict) else 0.0
    try:
        return document.Clear.model_validate({"hysteresis": written}).hysteresis
    except ValidationError:
        return 0.0
