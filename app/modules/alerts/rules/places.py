"""PURE: on which line of a JSON text each of its values stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

#: From the document down to a value: keys of objects, and places in lists.
Path = tuple[str | int, ...]

_TOKEN: Final = re.compile(r'\s*(?:(?P<mark>[{}\[\]:,])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s{}\[\]:,"]+))')


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, on which each value of a JSON text begins; of a member of an object, its key."""
    tokens = ((match.start(match.lastgroup or 0), match) for match in _TOKEN.finditer(text))
    found: dict[Path, int] = {}
    _walk(text, iter(tokens), (), found)
    return found


def write_path(path: Path) -> str:
    """A path as people write it: `conditions[0].levels[1].samples`."""
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f".{step}" if written else step
    return written


def _walk(text: str, tokens: Iterator[tuple[int, re.Match[str]]], path: Path, found: dict[Path, int]) -> str:
    """Note the value that begins with the next token, and answer that token."""
    start, token = next(tokens)
    mark = token["mark"] or ""
    if mark == "]":
        return mark  # a list without anything in it
    found.setdefault(path, text.count("\n", 0, start) + 1)
    if mark == "[":
        index = 0
        while _walk(text, tokens, (*path, index), found) != "]" and next(tokens)[1]["mark"] == ",":
            index += 1
    elif mark == "{":
        for start, key in tokens:
            if key["mark"] == "}":
                break
            if key["mark"] == ",":
                continue
            member = (*path, json.loads(key["text"]))
            found[member] = text.count("\n", 0, start) + 1
            next(tokens)
            _walk(text, tokens, member, found)
    return mark
