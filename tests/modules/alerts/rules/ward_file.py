"""A small rules file to change things in."""

from __future__ import annotations

import json
from typing import Any

from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.file import parse_rules

Document = dict[str, Any]


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
