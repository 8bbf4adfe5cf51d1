"""`tocsin openapi`: the description of the interface, for those who make a client from it."""

from __future__ import annotations

import json

from app.main import interface


def document() -> str:
    """The OpenAPI document as JSON; the same interface gives the same text."""
    return json.dumps(interface().openapi(), indent=2, sort_keys=True, ensure_ascii=False)
