"""PURE: what people have set for a patient or for a unit, and what a change makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.core.roles import Role
from app.modules.alerts.rules.schemas import Adjustment

DEFAULT_SPO2_SCALE = 1


class Kind(StrEnum):
    """What limits are set for."""

    PATIENT = "patient"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Holder:
    """The patient, or the unit, that limits are set for."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Who:
    """A person who sets limits, in the role that allows it."""

    user_id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class SetLimit:
    """A limit, and the number of the change that set it."""

    adjustment: Adjustment
    change: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set now.

    Attributes:
        version: the number of the last change; 0 where nothing has ever been set.
        spo2_scale: of NEWS2; of a patient alone.
        spo2_change: the number of the change that set it, where somebody has.
    """

    version: int = 0
    limits: tuple[SetLimit, ...] = ()
    spo2_scale: int = DEFAULT_SPO2_SCALE
    spo2_change: int | None = None

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        return tuple(it.adjustment for it in self.limits)

    @property
    def changes(self) -> frozenset[int]:
        """The numbers of the changes that have set what is set now."""
        spo2_change = {self.spo2_change} if self.spo2_change else set()
        return frozenset({it.change for it in self.limits} | spo2_change)

    def changed(self, number: int, adjustments: Iterable[Adjustment], spo2_scale: int | None = None) -> Settings:
        """Exactly these limits, and another scale where one is named; what stays as it was keeps who has set it."""
        kept = {it.adjustment: it.change for it in self.limits}
        limits = tuple(SetLimit(it, kept.get(it, number)) for it in adjustments)
        if spo2_scale is None or spo2_scale == self.spo2_scale:
            return replace(self, version=number, limits=limits)
        return Settings(number, limits, spo2_scale, number)

    def is_same_as(self, other: Settings) -> bool:
        """Whether the same limits and the same scale are set, whoever has set them."""
        return set(self.adjustments) == set(other.adjustments) and self.spo2_scale == other.spo2_scale

    def record(self, kind: Kind, unit: str | None) -> dict[str, Any]:
        """What the audit keeps of it."""
        limits = [{"condition": it.condition, "tier": it.tier, "limit": it.limit} for it in self.adjustments]
        return {"limits": limits} | ({"spo2Scale": self.spo2_scale, "unit": unit} if kind is Kind.PATIENT else {})


NOTHING_SET = Settings()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the audit.

    Attributes:
        before: what was set, as `Settings.record` writes it.
        after: the same, of what is set from then on.
    """

    number: int
    holder: Holder
    at: datetime
    by: Who
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
