"""Reads a rules file, and says of each mistake where it stands and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from app.core.roles import AUDIENCE_ROLES, Role
from app.modules.alerts.lifecycle import EscalationStep, Plan, Tier
from app.modules.alerts.rules import Condition, Direction, Level, RuleBook

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Samples = Annotated[int, msgspec.Meta(ge=1, le=1000)]

#: At most a day: whoever writes more has mistaken the unit.
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class RulesFileError(Exception):
    """A rules file that cannot be used; its text names the place, and what would be right."""


class _Step(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    after_seconds: Seconds
    recipients: Annotated[list[Role], msgspec.Meta(min_length=1)]


class _Tier(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    recipients: Annotated[list[Role], msgspec.Meta(min_length=1)]
    escalation: list[_Step] = []


class _Tiers(msgspec.Struct, forbid_unknown_fields=True):
    """Every tier says who is told."""

    slight: _Tier
    moderate: _Tier
    critical: _Tier


class _Level(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    tier: Tier
    limit: float
    samples: Samples


class _Condition(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    name: Name
    vital_type: Name
    unit: str
    direction: Direction
    levels: Annotated[list[_Level], msgspec.Meta(min_length=1)]
    clear_samples: Samples


class _RulesFile(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    tiers: _Tiers
    conditions: list[_Condition]
    max_reading_age_seconds: Seconds = 120.0


def load_rules(path: Path | None = None, *, units: Mapping[str, str] | None = None) -> RuleBook:
    """The rules of a file, or the shipped ones.

    Args:
        units: the vital signs that are measured, each with its unit; a condition on any other could
            never be met, and is refused.

    Raises:
        RulesFileError: the file is missing or wrong.
    """
    try:
        text = path.read_bytes() if path else (files(__package__) / "default_rules.json").read_bytes()
    except OSError as error:
        raise RulesFileError(f"{path}: {error.strerror}") from None
    try:
        rules = parse_rules(text)
        if units is not None:
            _check_units(rules, units)
        return rules
    except RulesFileError as error:
        raise RulesFileError(f"{path or 'default_rules.json'}: {error}") from None


def parse_rules(text: bytes) -> RuleBook:
    """The rules that this JSON document describes.

    Raises:
        RulesFileError: it is no JSON, or breaks a rule about rules; the first mistake is named.
    """
    try:
        document = msgspec.json.decode(text, type=_RulesFile)
    except msgspec.DecodeError as error:
        raise RulesFileError(str(error)) from None
    names = [condition.name for condition in document.conditions]
    for index, condition in enumerate(document.conditions):
        if names.index(condition.name) != index:
            raise RulesFileError(f"conditions[{index}].name: `{condition.name}` is used twice")
        _check_levels(condition, f"conditions[{index}].levels")
    return RuleBook(
        conditions=tuple(_condition(condition, document.conditions) for condition in document.conditions),
        plans={tier: _plan(getattr(document.tiers, tier), f"tiers.{tier}") for tier in Tier},
        oldest_reading=timedelta(seconds=document.max_reading_age_seconds),
    )


def _check_levels(condition: _Condition, place: str) -> None:
    """A worse tier must lie further out, or it could never be reached."""
    is_further: Callable[[float, float], bool] = condition.direction.violates
    ordered = sorted(condition.levels, key=lambda level: list(Tier).index(level.tier))
    for milder, worse in pairwise(ordered):
        if milder.tier is worse.tier:
            raise RulesFileError(f"{place}: the tier `{worse.tier}` stands there twice")
        if not is_further(worse.limit, milder.limit):
            raise RulesFileError(
                f"{place}: the limit of `{worse.tier}` ({worse.limit:g}) must be {condition.direction} "
                f"that of `{milder.tier}` ({milder.limit:g})"
            )


def _check_units(rules: RuleBook, units: Mapping[str, str]) -> None:
    for index, condition in enumerate(rules.conditions):
        unit = units.get(condition.vital_type)
        if unit is None:
            known = ", ".join(sorted(units))
            raise RulesFileError(f"conditions[{index}].vitalType: `{condition.vital_type}` is none of {known}")
        if condition.unit != unit:
            raise RulesFileError(f"conditions[{index}].unit: {condition.vital_type} is measured in `{unit}`")


def _plan(tier: _Tier, place: str) -> Plan:
    for roles in (tier.recipients, *(step.recipients for step in tier.escalation)):
        for role in roles:
            if role not in AUDIENCE_ROLES:
                raise RulesFileError(f"{place}: `{role}` receives no alerts")
    return Plan(
        recipients=frozenset(tier.recipients),
        steps=tuple(
            EscalationStep(timedelta(seconds=step.after_seconds), frozenset(step.recipients))
            for step in tier.escalation
        ),
    )


def _condition(condition: _Condition, siblings: list[_Condition]) -> Condition:
    levels = sorted(condition.levels, key=lambda level: list(Tier).index(level.tier), reverse=True)
    return Condition(
        name=condition.name,
        vital_type=condition.vital_type,
        unit=condition.unit,
        direction=condition.direction,
        levels=tuple(Level(level.tier, level.limit, level.samples) for level in levels),
        clear_samples=condition.clear_samples,
        thresholds={level.tier: _threshold(condition.vital_type, level.tier, siblings) for level in condition.levels},
    )


def _threshold(vital_type: str, tier: Tier, conditions: list[_Condition]) -> dict[str, float]:
    """The limits of a vital sign at one tier, on both sides where both have one."""
    limits = {
        condition.direction: level.limit
        for condition in conditions
        if condition.vital_type == vital_type
        for level in condition.levels
        if level.tier is tier
    }
    sides = (("min", Direction.BELOW), ("max", Direction.ABOVE))
    return {side: limits[direction] for side, direction in sides if direction in limits}
