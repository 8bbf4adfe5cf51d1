from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.rules.places import Fault, Path, layout_of, write_path

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

    found = layout_of(text).lines

    assert list(found) == paths_of(value)
    lines = list(found.values())
    assert lines == sorted(set(lines))
    assert text.count("\n") + 1 == len(lines) + ends(value)


def test_a_key_that_stands_twice_is_found_in_its_object_and_what_it_holds_is_where_it_stands_last() -> None:
    text = '{"b": 1,\n"a": [{"x": 1},\n{"x": 1,\n"\\u0078": [\n2]}],\n"a": [\n3]}'

    found = layout_of(text)

    assert found.faults == (
        Fault(4, ("a", 1, "x"), "`x` stands there twice"),
        Fault(6, ("a",), "`a` stands there twice"),
    )
    assert (found.lines["a",], found.lines["a", 0]) == (6, 7)


def test_numbers_that_no_json_may_hold_are_found_where_they_stand() -> None:
    text = f'{{"a": "NaN",\n"b": [1e999, NaN,\n-Infinity],\n"c": {"1" * 101}, "d": {"1" * 100}, "e": 0.{"1" * 101}}}'

    assert layout_of(text).faults == (
        Fault(2, ("b", 1), "NaN is no number that JSON knows", is_number=True),
        Fault(3, ("b", 2), "-Infinity is no number that JSON knows", is_number=True),
        Fault(4, ("c",), "this number has more than 100 digits", is_number=True),
    )


@pytest.mark.parametrize("text", ["[" * 50_000 + "]" * 50_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_however_deep_a_text_is_its_places_are_found_up_to_a_depth(text: str) -> None:
    found = layout_of(text)
    assert found.is_too_deep
    assert found.faults[-1].problem == "this is nested too deeply"


def test_a_path_is_written_as_people_write_it() -> None:
    assert write_path(("conditions", 0, "levels", 12, "when")) == "conditions[0].levels[12].when"
    assert write_path(()) == ""
