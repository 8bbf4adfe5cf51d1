"""A patient whose vital signs are measured, and watched by some rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import Level, RuleBook
from app.modules.alerts.rules.criteria import Limit
from app.modules.alerts.rules.file import load_rules
from app.modules.alerts.rules.watch import Decision, PatientWatch, Present

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

SHIPPED = load_rules()


def limit_of(level: Level) -> Limit:
    assert isinstance(level.criterion, Limit)
    return level.criterion


class Bedside:
    """One patient's watch, and a device that measures once a second."""

    def __init__(self, rules: RuleBook = SHIPPED) -> None:
        self.watch = PatientWatch(rules)
        self.seconds = 0

    def measure(self, vital_type: str, values: Iterable[float]) -> list[Decision]:
        """The decisions that these readings lead to, of which nothing is acted on."""
        decisions = []
        for value in values:
            self.seconds += 1
            decisions += self.at(self.seconds, vital_type, value)
        return decisions

    def at(self, seconds: float, vital_type: str, value: float, *, age_seconds: float = 0) -> list[Decision]:
        measured_at = NOW + seconds * SECOND
        return self.watch.observe(vital_type, value, measured_at, now=measured_at + age_seconds * SECOND)


def tiers(decisions: Sequence[Decision]) -> list[Tier | None]:
    """The tiers that were found; none stands for a condition that is gone."""
    return [it.finding.tier if isinstance(it, Present) else None for it in decisions]
