"""The page on settings has all that there are, with their defaults, and says what the code says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from app.core.config import ENVIRONMENT_PREFIX, SETTINGS_FILE, Settings, load_settings
from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "settings.md"

_ROW = re.compile(rf"^\| `({ENVIRONMENT_PREFIX}\w+)` \| (.*?) \| (.*?) \| (.*) \|$", re.MULTILINE)


def test_the_page_on_settings_has_each_with_its_default_its_range_and_what_it_does() -> None:
    shown = _ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert {row[0] for row in shown} == {row[0] for row in rows()}
    assert shown == list(rows())


def test_the_example_of_a_file_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SETTINGS_FILE).write_text(blocks(PAGE, "toml")[0])
    monkeypatch.chdir(tmp_path)

    assert load_settings().retention_days == 365


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, default, what it may be, what it does."""
    for name, field in Settings.model_fields.items():
        yield ENVIRONMENT_PREFIX + name.upper(), default(field), allowed(field), str(field.description)


def default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return "not set"
    # As one would write it: `true`, and no separators in numbers.
    return (
        f"`{str(value).lower() if isinstance(value, bool) else f'{value:.10g}' if isinstance(value, float) else value}`"
    )


def allowed(field: FieldInfo) -> str:
    """The words, or the bounds, of a setting."""
    if get_origin(field.annotation) is Literal:
        return " ".join(f"`{word}`" for word in get_args(field.annotation))
    bounds = {
        words: value
        for metadata in field.metadata
        for attribute, words in (("gt", "above"), ("ge", "from"), ("le", "to"))
        if (value := getattr(metadata, attribute, None)) is not None
    }
    return " ".join(f"{words} {value}" for words, value in bounds.items())
