"""A patient who is measured once a second, and what one condition makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.file import parse_rules
from app.modules.alerts.rules.watch import Gone, PatientWatch, Present
from tests.modules.alerts.rules.bedside import NOW

TIERS = {tier: {"recipients": ["nurse"]} for tier in Tier}


def rules(*levels: dict[str, Any], sign: str = "spo2", **condition: Any) -> RuleBook:
    """One condition, `watched`, with these levels."""
    written = {"name": "watched", "vitalType": sign, "unit": "", "levels": list(levels), **condition}
    return parse_rules(json.dumps({"tiers": TIERS, "conditions": [written]}).encode())


def low(limit: float = 90, tier: str = "moderate", **timing: Any) -> dict[str, Any]:
    return {"tier": tier, "when": {"below": limit}, **timing}


class Course:
    """What a watch decides as seconds pass, and what comes of it is acted on."""

    def __init__(self, book: RuleBook, **options: Any) -> None:
        self.watch = PatientWatch(book, **options)
        self.seconds = -1.0
        self.decisions: list[tuple[float, str | None, tuple[str, ...]]] = []

    def measure(self, values: Sequence[float], sign: str = "spo2", *, step: float = 1) -> Course:
        """Each decision as (second, tier or none for gone, reasons)."""
        for value in values:
            self.seconds += step
            self.at(self.seconds, value, sign)
        return self

    def at(self, seconds: float, value: float, sign: str = "spo2") -> Course:
        at = NOW + timedelta(seconds=seconds)
        self._act(seconds, self.watch.observe(sign, value, at, now=at))
        return self

    def tick(self, seconds: float) -> Course:
        self._act(seconds, self.watch.tick(NOW + timedelta(seconds=seconds)))
        return self

    def _act(self, seconds: float, decisions: Sequence[Present | Gone]) -> None:
        for decision in decisions:
            name = decision.condition.name
            if isinstance(decision, Present):
                self.watch.reported(name, decision.finding.tier)
                self.decisions.append((seconds, decision.finding.tier, decision.finding.reasons))
            else:
                self.watch.ended(name)
                self.decisions.append((seconds, None, ()))

    @property
    def times(self) -> list[tuple[float, str | None]]:
        return [(seconds, tier) for seconds, tier, _ in self.decisions]

    @property
    def reasons(self) -> list[tuple[str, ...]]:
        return [reasons for _, tier, reasons in self.decisions if tier is not None]
