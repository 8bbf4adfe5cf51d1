"""PURE: on which line of a JSON text each of its values stands, and what of it a reader of JSON would pass over."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: From the document down to a value: keys of objects, and places in lists.
Path = tuple[str | int, ...]

#: Of a whole number; the longest that a file could need has five.
MOST_DIGITS: Final = 100

#: Lists and objects inside each other; those of a criterion inside another one are two.
DEEPEST: Final = 100

_TOKEN: Final = re.compile(r'\s*(?:(?P<mark>[{}\[\]:,])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s{}\[\]:,"]+))')
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]+")
_CONSTANTS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What no JSON may hold although readers take it: its line, its path, and what is wrong.

    Attributes:
        is_number: whether it is a number that cannot be read.
    """

    line: int
    path: Path
    problem: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands in a JSON text.

    Attributes:
        lines: the line, from 1, on which each value begins; of a member of an object, its key, and the last of them
            where one stands there twice.
        faults: in the order of the text.
        is_too_deep: whether it is nested so deeply that what is further down has been left out.
    """

    lines: Mapping[Path, int]
    faults: tuple[Fault, ...] = ()
    is_too_deep: bool = False


@dataclass(slots=True)
class _Open:
    """A list or an object that has not ended yet: which member comes, and the keys that it has."""

    path: Path
    is_list: bool
    step: str | int | None = None
    keys: set[str] = field(default_factory=set)


def layout_of(text: str) -> Layout:
    """Where everything stands in a text that is JSON, but for what `Fault` tells."""
    lines: dict[Path, int] = {}
    faults: list[Fault] = []
    open_: list[_Open] = []
    line, counted_to = 1, 0
    for match in _TOKEN.finditer(text):
        start = match.start(match.lastgroup or 0)
        line, counted_to = line + text.count("\n", counted_to, start), start
        mark, inner = match["mark"], open_[-1] if open_ else None
        if mark in ("]", "}"):
            open_.pop()
        elif mark == ",":
            assert inner is not None
            inner.step = inner.step + 1 if isinstance(inner.step, int) else None
        elif inner is not None and not inner.is_list and inner.step is None:
            key = inner.step = without_halves(json.loads(match["text"]))
            lines[*inner.path, key] = line
            if key in inner.keys:
                faults.append(Fault(line, (*inner.path, key), f"`{key}` stands there twice"))
            inner.keys.add(key)
        elif mark != ":":
            path: Path = () if inner is None or inner.step is None else (*inner.path, inner.step)
            if inner is None or inner.is_list:
                lines[path] = line
            if mark is not None:
                open_.append(_Open(path, is_list=mark == "[", step=0 if mark == "[" else None))
                if len(open_) > DEEPEST:
                    return Layout(lines, (*faults, Fault(line, path, "this is nested too deeply")), is_too_deep=True)
            elif problem := _problem_of(match["word"] or ""):
                faults.append(Fault(line, path, problem, is_number=True))
    return Layout(lines, tuple(faults))


def write_path(path: Path) -> str:
    """A path as people write it: `conditions[0].levels[1].samples`."""
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f".{step}" if written else step
    return written


def without_halves(text: str) -> str:
    """With halves of surrogate pairs, which only an escape can write and no UTF-8 can, as the escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _problem_of(word: str) -> str | None:
    if word in _CONSTANTS:
        return f"{word} is no number that JSON knows"
    if len(word) > MOST_DIGITS and _WHOLE_NUMBER.fullmatch(word):
        return f"this number has more than {MOST_DIGITS} digits"
    return None
