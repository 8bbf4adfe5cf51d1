"""What a scenario found, in a form that is printed, written as JSON and rendered as markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.progress import say


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are text, as they are to be read."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was to be shown. `holds` is none where there is no target, or nothing to compare with."""

    claim: str
    target: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "MISSED", None: "–"}[self.holds]


@dataclass(slots=True)
class Result:
    """The outcome of one scenario.

    Attributes:
        failures: what makes the run a failed one: an event lost, doubled or out of order, or a server that broke.
        notes: what a reader has to know besides.
        raw: the numbers of every single round.
    """

    scenario: str
    options: dict[str, Any]
    tables: list[Table] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Result:
        tables = [Table(**table) for table in document["tables"]]
        checks = [Check(**check) for check in document["checks"]]
        return cls(**{**document, "tables": tables, "checks": checks})

    def failed(self, where: str, error: BaseException) -> None:
        """Enter that a server broke, and say so at once."""
        self.failures.append(f"{where}: {type(error).__name__}: {error}")
        say(f"FAILED {self.failures[-1]}")

    def check_at_most(self, claim: str, value: float | None, limit: float, unit: str = "") -> None:
        """Enter a claim that holds where a value is no greater than its limit."""
        holds = None if value is None else value <= limit
        self.checks.append(Check(claim, f"≤ {limit:g}{unit}", _shown(value, unit), holds))

    def check_at_least(self, claim: str, value: float | None, limit: float, unit: str = "") -> None:
        """Enter a claim that holds where a value is no smaller than its limit."""
        holds = None if value is None else value >= limit
        self.checks.append(Check(claim, f"≥ {limit:g}{unit}", _shown(value, unit), holds))

    def tell(self, claim: str, value: float | None, unit: str = "") -> None:
        """Enter a value for which there is no target."""
        self.checks.append(Check(claim, "none", _shown(value, unit), None))


def _shown(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"{value:.2f}{unit}" if abs(value) < 100 else f"{value:,.0f}{unit}"
