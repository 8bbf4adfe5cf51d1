"""PURE: what other modules may know of the rules: which limits there are, and how those of people go over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.adjustment import (
    Adjustable,
    Adjusted,
    Adjustment,
    InForce,
    Layer,
    PassedOver,
    adjustable_limits,
    lay_over,
)
from app.modules.alerts.rules.book import (
    LevelsOutOfOrder,
    LimitKey,
    LimitsCrossed,
    NoWayBack,
    RuleBook,
    check_way_back,
)
from app.modules.alerts.rules.criteria import Direction

__all__ = [
    "Adjustable",
    "Adjusted",
    "Adjustment",
    "AlarmSettings",
    "AlarmSettingsReader",
    "Direction",
    "InForce",
    "Layer",
    "LevelsOutOfOrder",
    "LimitKey",
    "LimitsCrossed",
    "NoWayBack",
    "PassedOver",
    "RuleBook",
    "Tier",
    "adjustable_limits",
    "check_way_back",
    "lay_over",
]


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """What people have set for one patient, or for the unit that the patient lies on.

    Attributes:
        limits: where they are not those of the rules file.
        spo2_scale: of NEWS2.
    """

    limits: Mapping[LimitKey, float] = field(default_factory=dict)
    spo2_scale: int = 1


class AlarmSettingsReader(Protocol):
    """Knows what people have set; the limits module is one."""

    async def settings_of(self, patient_id: str) -> AlarmSettings: ...
