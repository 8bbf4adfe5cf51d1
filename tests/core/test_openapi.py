"""What a client that is made from the description of the interface would stumble over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.main import interface

DOCUMENT = interface().openapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]

#: What may hold anything: what other systems put into an alert, and a schema in place of what it is of.
ANYTHING = {"context", "Response Schema Api V1 Rules Schema Get"}


def parts(part: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a document, with the name of the field that it describes."""
    if isinstance(part, dict):
        yield part.get("title", name) if "schema" in name else name, part
        for key, value in part.items():
            yield from parts(value, name if key in {"anyOf", "items", "properties"} else key)
    elif isinstance(part, list):
        for value in part:
            yield from parts(value, name)


def test_nothing_is_described_as_anything_but_what_may_be_anything() -> None:
    """Fails when an answer is a `dict`, or a list of no one knows what (both checked so)."""
    for name, part in parts([DOCUMENT["paths"], {key: it for key, it in SCHEMAS.items() if key != "Problem"}]):
        is_open = part.get("type") == "object" and not part.keys() & {"properties", "$ref"}
        if is_open and part.get("additionalProperties", True) in (True, {}):
            assert name in ANYTHING, part
        if part.get("type") == "array":
            assert part.get("items") or part.get("prefixItems"), (name, part)
        for field, described in part.get("properties", {}).items() if part.get("type") == "object" else ():
            assert described.keys() & {"type", "$ref", "anyOf", "oneOf", "const", "enum"}, (name, field)


def test_answers_that_are_told_apart_by_a_field_always_have_it() -> None:
    """Fails when a field with a default is described as one that may be missing (checked so)."""
    found = [part["discriminator"] for _, part in parts(DOCUMENT["paths"]) if "discriminator" in part]
    assert found
    for discriminator in found:
        for reference in discriminator["mapping"].values():
            assert discriminator["propertyName"] in SCHEMAS[reference.rpartition("/")[2]]["required"]


@pytest.mark.parametrize("name", ["AlertEventView", "StreamOpened", "StreamScope", "StreamReady", "StreamClosing"])
def test_every_message_of_a_stream_has_a_name_of_its_own(name: str) -> None:
    assert SCHEMAS[name]["required"]
    assert f"#/components/schemas/{name}" in str(DOCUMENT["paths"]["/api/v1/alerts/stream"]["get"]["responses"])
