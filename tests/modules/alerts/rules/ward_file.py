"""A small rules file to change things in, and what is told of it then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.file import RulesFileError, parse_rules
from app.modules.vitals.signs import NUMERICS

Document = dict[str, Any]
Change = Callable[[Document], object]


def document() -> Document:
    """A small rules file without a mistake."""
    return {
        "maxReadingAgeSeconds": 60,
        "tiers": {
            "slight": {"recipients": ["nurse"]},
            "moderate": {"recipients": ["nurse"], "escalation": [{"afterSeconds": 60, "recipients": ["doctor"]}]},
            "critical": {"recipients": ["nurse", "doctor"], "escalation": []},
        },
        "conditions": [
            {
                "name": "heart_rate_high",
                "vitalType": "heart_rate",
                "unit": "/min",
                "clear": {"samples": 10},
                "levels": [
                    {"tier": "moderate", "when": {"above": 120}, "samples": 10},
                    {"tier": "critical", "when": {"above": 180}, "samples": 3},
                ],
            },
            {
                "name": "heart_rate_low",
                "vitalType": "heart_rate",
                "unit": "/min",
                "levels": [{"tier": "critical", "when": {"below": 40}}],
            },
        ],
    }


def parsed(changed: Document) -> RuleBook:
    return parse_rules(json.dumps(changed).encode())


def level(changed: Document, index: int) -> Document:
    found: Document = changed["conditions"][0]["levels"][index]
    return found


def step(changed: Document) -> Document:
    found: Document = changed["tiers"]["moderate"]["escalation"][0]
    return found


def told(*changes: Change) -> list[tuple[str, str]]:
    """The place and the advice of each mistake that these changes make."""
    wrong = document()
    for change in changes:
        change(wrong)
    with pytest.raises(RulesFileError) as refused:
        parse_rules(json.dumps(wrong).encode(), signs=NUMERICS)
    return [(mistake.place, mistake.advice) for mistake in refused.value.mistakes]


def condition(changed: Document, **fields: Any) -> None:
    """Change the first of the conditions, which has `heart_rate` above 120 and 180."""
    changed["conditions"][0].update(fields)


def levels(*whens: Document) -> list[Document]:
    tiers = ["slight", "moderate", "critical"]
    return [{"tier": tier, "when": when} for tier, when in zip(tiers, whens, strict=False)]
