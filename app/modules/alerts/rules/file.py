"""Reads a rules file, and says of each mistake where it stands and what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules import document
from app.modules.alerts.rules.book import RuleBook, with_thresholds
from app.modules.alerts.rules.checks import mistakes_of
from app.modules.alerts.rules.places import Path as JSONPath
from app.modules.alerts.rules.places import lines_of, write_path
from app.modules.alerts.rules.possible import Sign

#: Of a whole number; the longest that a file could need has five.
MOST_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a rules file, at one place.

    Attributes:
        line: of the file, from 1; 0 where there is no such thing.
        place: such as `conditions[0].levels[1].samples`; empty where it is the file as a whole.
    """

    line: int
    place: str
    advice: str

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{self.place}: {self.advice}" if self.place else line + self.advice


class RulesFileError(Exception):
    """A rules file that cannot be used; its text is one line, with the first mistake."""

    def __init__(self, mistakes: Sequence[Mistake], name: str = "") -> None:
        self.mistakes = tuple(mistakes)
        more = len(mistakes) - 1
        told = f"{mistakes[0]}" + (f" (and {more} more: `tocsin rules check` tells all)" if more else "")
        super().__init__(f"{name}: {told}" if name else told)


def load_rules(path: Path | None = None, *, signs: Mapping[str, Sign] | None = None) -> RuleBook:
    """The rules of a file, or the shipped ones; see `parse_rules`."""
    return parse_rules(read_text(path), signs=signs, name=str(path) if path else None)


def read_text(path: Path | None = None) -> bytes:
    """The text of a rules file, or of the shipped one.

    Raises:
        RulesFileError: there is no such file, or it cannot be read.
    """
    if path is None:
        return (files(__package__) / "default.json").read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise RulesFileError([Mistake(0, "", error.strerror or str(error))], str(path)) from None


def parse_rules(text: bytes, *, signs: Mapping[str, Sign] | None = None, name: str | None = None) -> RuleBook:
    """The rules that this JSON document describes.

    Args:
        signs: what is measured; a condition on anything else, or beyond what its values can be, could
            never be met, and is refused.
        name: of the file, for errors.

    Raises:
        RulesFileError: it is no JSON, or breaks a rule about rules; every mistake is told.
    """
    try:
        return _parse(text, signs)
    except RulesFileError as error:
        raise RulesFileError(error.mistakes, name or "default.json") from None


def _parse(text: bytes, signs: Mapping[str, Sign] | None) -> RuleBook:
    written, values = _read_json(text)
    lines = lines_of(written)
    mistakes = [_mistake(lines, path, advice) for path, advice in mistakes_of(values, signs)]
    try:
        rules = document.RulesFile.model_validate(values)
    except ValidationError as error:
        raise RulesFileError(_in_order([*_explained(error, lines), *mistakes])) from None
    if mistakes:
        raise RulesFileError(_in_order(mistakes))
    return RuleBook(
        conditions=with_thresholds([condition.built() for condition in rules.conditions]),
        plans={tier: getattr(rules.tiers, tier).built() for tier in Tier},
        oldest_reading=rules.oldest_reading,
    )


def json_schema() -> dict[str, Any]:
    """What a rules file must look like, as JSON Schema (2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | document.RulesFile.model_json_schema(
        by_alias=True
    )


def _in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return sorted(mistakes, key=lambda mistake: mistake.line)


def _read_json(text: bytes) -> tuple[str, Any]:
    def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise RulesFileError([Mistake(_line_of_repetition(written, twice), "", f"`{twice}` stands there twice")])
        return dict(pairs)

    def no_constant(word: str) -> Any:
        line = written[: written.index(word)].count("\n") + 1
        raise RulesFileError([Mistake(line, "", f"{word} is no number that JSON knows")])

    def whole_number(digits: str) -> int:
        # Python refuses to read some that are longer yet, and says no place.
        if len(digits) > MOST_DIGITS:
            line = written[: written.index(digits)].count("\n") + 1
            raise RulesFileError([Mistake(line, "", f"this number has more than {MOST_DIGITS} digits")])
        return int(digits)

    try:
        written = text.decode("utf-8-sig")
        return written, json.loads(
            written, object_pairs_hook=without_repetition, parse_constant=no_constant, parse_int=whole_number
        )
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise RulesFileError([Mistake(line, "", "this is not UTF-8")]) from None
    except json.JSONDecodeError as error:
        raise RulesFileError(
            [Mistake(error.lineno, "", f"this is not JSON: {error.msg}, column {error.colno}")]
        ) from None
    except RecursionError:
        raise RulesFileError([Mistake(1, "", "this is nested too deeply")]) from None


def _line_of_repetition(written: str, name: str) -> int:
    """About where a name stands that an object has twice: where it is used last."""
    return written[: written.rindex(json.dumps(name, ensure_ascii=False))].count("\n") + 1


def _explained(error: ValidationError, lines: Mapping[JSONPath, int]) -> Iterator[Mistake]:
    for found in error.errors(include_url=False, include_input=False):
        path = tuple(step for step in found["loc"] if step not in document.TAGS)
        advice = found["msg"].removeprefix("Value error, ")
        if found["type"] == "missing":
            path, advice = path[:-1], f"`{path[-1]}` is needed here"
        elif found["type"] == "extra_forbidden":
            advice = "there is no such field here"
        elif found["type"] == "model_type":
            advice = "this must be an object: {…}"
        elif found["type"] == "string_pattern_mismatch":
            advice = "use 1 to 64 of A-Z a-z 0-9 . _ : -"
        yield _mistake(lines, path, advice[0].lower() + advice[1:])


def _mistake(lines: Mapping[JSONPath, int], path: JSONPath, advice: str) -> Mistake:
    known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in lines or not length)
    return Mistake(lines.get(known, 1), write_path(path), advice)
