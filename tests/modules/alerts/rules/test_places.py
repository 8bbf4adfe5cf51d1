from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.rules.places import Path, lines_of, write_path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), part),
    max_leaves=20,
)


def paths_of(value: Any, path: Path = ()) -> list[Path]:
    """Every value's path, in the order in which an indented text has them."""
    if isinstance(value, dict):
        return [path, *(deeper for key, part in value.items() for deeper in paths_of(part, (*path, key)))]
    if isinstance(value, list):
        return [path, *(deeper for index, part in enumerate(value) for deeper in paths_of(part, (*path, index)))]
    return [path]


def ends(value: Any) -> int:
    """Lines that a value has besides those on which values begin: its closing bracket's."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return bool(parts) + sum(ends(part) for part in parts)


@given(JSON)
def test_every_value_is_found_on_the_line_where_it_begins(value: Any) -> None:
    """In an indented text each value begins on a line of its own, in order."""
    text = json.dumps(value, indent=1)

    found = lines_of(text)

    assert list(found) == paths_of(value)
    lines = list(found.values())
    assert lines == sorted(set(lines))
    assert text.count("\n") + 1 == len(lines) + ends(value)


def test_a_path_is_written_as_people_write_it() -> None:
    assert write_path(("conditions", 0, "levels", 12, "when")) == "conditions[0].levels[12].when"
    assert write_path(()) == ""
