"""Reads a rules file, and says of each mistake where it stands and what would be right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import nan
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules import document
from app.modules.alerts.rules.book import RuleBook, with_thresholds
from app.modules.alerts.rules.checks import Found, mistakes_of
from app.modules.alerts.rules.places import MOST_DIGITS, Layout, layout_of, without_halves, write_path
from app.modules.alerts.rules.places import Path as JSONPath
from app.modules.alerts.rules.possible import Sign

_NO_SUCH_FIELD: Final = "there is no such field here"


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
    layout = layout_of(written)
    faults = [_mistake(fault.line, fault.path, fault.problem) for fault in layout.faults]
    if layout.is_too_deep:
        raise RulesFileError(_in_order(faults))
    found = list(mistakes_of(values, signs))
    rules = None
    try:
        rules = document.RulesFile.model_validate(values)
    except ValidationError as error:
        found = [*_explained(error), *found]
    unread = {fault.path for fault in layout.faults if fault.is_number}
    mistakes = [
        _mistake(_line_of(path, layout), path, advice)
        for path, advice in found
        if path not in unread or advice == _NO_SUCH_FIELD
    ]
    if rules is None or faults or mistakes:
        raise RulesFileError(_in_order([*faults, *mistakes]))
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
    """The text, and its values; a number that is none, or that is too long to be read, is NaN, which no field takes."""

    def whole_number(digits: str) -> float:
        return int(digits) if len(digits) <= MOST_DIGITS else nan

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {without_halves(key): value for key, value in pairs}

    try:
        written = text.decode("utf-8-sig")
        return written, json.loads(
            written, object_pairs_hook=members, parse_constant=lambda _: nan, parse_int=whole_number
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


def _explained(error: ValidationError) -> Found:
    for found in error.errors(include_url=False, include_input=False):
        path = tuple(step for step in found["loc"] if step not in document.TAGS)
        advice = found["msg"].removeprefix("Value error, ")
        if found["type"] == "missing":
            path, advice = path[:-1], f"`{path[-1]}` is needed here"
        elif found["type"] == "extra_forbidden":
            advice = _NO_SUCH_FIELD
        elif found["type"] == "model_type":
            advice = "this must be an object: {…}"
        elif found["type"] == "string_pattern_mismatch":
            advice = "use 1 to 64 of A-Z a-z 0-9 . _ : -"
        yield path, advice[0].lower() + advice[1:]


def _line_of(path: JSONPath, layout: Layout) -> int:
    """Of what is not there, the line of what it is missing from."""
    known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in layout.lines or not length)
    return layout.lines.get(known, 1)


def _mistake(line: int, path: JSONPath, advice: str) -> Mistake:
    return Mistake(line, _on_one_line(write_path(path)), _on_one_line(advice))


def _on_one_line(text: str) -> str:
    """With everything that no terminal or log can show, such as the end of a line, as JSON writes it."""
    return "".join(it if it.isprintable() else json.dumps(it)[1:-1] for it in text)
