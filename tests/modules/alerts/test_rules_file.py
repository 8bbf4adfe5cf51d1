from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.roles import Role
from app.modules.alerts.lifecycle import EscalationStep, Plan, Tier
from app.modules.alerts.rules import Level, RuleBook
from app.modules.alerts.rules_file import RulesFileError, load_rules, parse_rules
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
                "direction": "above",
                "clearSamples": 10,
                "levels": [
                    {"tier": "moderate", "limit": 120, "samples": 10},
                    {"tier": "critical", "limit": 180, "samples": 3},
                ],
            },
            {
                "name": "heart_rate_low",
                "vitalType": "heart_rate",
                "unit": "/min",
                "direction": "below",
                "clearSamples": 1,
                "levels": [{"tier": "critical", "limit": 40, "samples": 1}],
            },
        ],
    }


def parsed(changed: Document) -> RuleBook:
    return parse_rules(json.dumps(changed).encode())


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def level(changed: Document, index: int) -> Document:
    found: Document = changed["conditions"][0]["levels"][index]
    return found


def step(changed: Document) -> Document:
    found: Document = changed["tiers"]["moderate"]["escalation"][0]
    return found


def test_who_is_told_by_default_is_what_the_table_of_the_clinicians_says() -> None:
    """tier; at once; if nobody has acknowledged; then. Fails when one role or second differs (checked so)."""
    first = frozenset({Role.PATIENT, Role.CAREGIVER, Role.NURSE})

    assert load_rules().plans == {
        Tier.SLIGHT: Plan(first),
        Tier.MODERATE: Plan(
            first,
            (
                EscalationStep(seconds(60), frozenset({Role.DOCTOR})),
                EscalationStep(seconds(120), frozenset({Role.DISPATCHER})),
            ),
        ),
        Tier.CRITICAL: Plan(
            first | {Role.DOCTOR},
            (
                EscalationStep(seconds(30), frozenset({Role.DISPATCHER, Role.HOSPITAL})),
                EscalationStep(seconds(60), frozenset({Role.FIRST_RESPONDER})),
            ),
        ),
    }


def test_a_rules_file_is_read_as_it_is_written() -> None:
    rules = parsed(document())

    assert rules.oldest_reading == seconds(60)
    assert rules.plans[Tier.MODERATE] == Plan(
        frozenset({Role.NURSE}), (EscalationStep(seconds(60), frozenset({Role.DOCTOR})),)
    )
    high, low = rules.conditions
    assert (high.name, high.vital_type, high.unit, high.direction, high.clear_samples) == (
        "heart_rate_high",
        "heart_rate",
        "/min",
        "above",
        10,
    )
    assert low.levels == (Level(Tier.CRITICAL, 40, 1),)


def test_the_worst_level_comes_first_whatever_the_order_in_the_file() -> None:
    turned = document()
    turned["conditions"][0]["levels"].reverse()

    assert parsed(turned) == parsed(document())
    assert [it.tier for it in parsed(document()).conditions[0].levels] == [Tier.CRITICAL, Tier.MODERATE]


def test_an_alert_shows_the_limits_of_its_tier_on_both_sides_where_both_have_one() -> None:
    high, low = parsed(document()).conditions

    assert high.thresholds == {Tier.MODERATE: {"max": 120}, Tier.CRITICAL: {"min": 40, "max": 180}}
    assert low.thresholds == {Tier.CRITICAL: {"min": 40, "max": 180}}
    assert list(high.thresholds[Tier.CRITICAL]) == ["min", "max"]


def test_a_reading_may_be_two_minutes_old_where_the_file_does_not_say() -> None:
    unsaid = document()
    del unsaid["maxReadingAgeSeconds"]

    assert parsed(unsaid).oldest_reading == seconds(120)


@pytest.mark.parametrize(
    ("change", "place", "advice"),
    [
        (lambda it: it.pop("tiers"), "", "missing required field `tiers`"),
        (lambda it: it.update(tier={}), "", "unknown field `tier`"),
        (lambda it: it.update(maxReadingAgeSeconds=0), "$.maxReadingAgeSeconds", "> 0"),
        (lambda it: it.update(maxReadingAgeSeconds=86_401), "$.maxReadingAgeSeconds", "<= 86400"),
        (lambda it: it["tiers"].pop("slight"), "$.tiers", "missing required field `slight`"),
        (lambda it: it["tiers"].update(fatal={"recipients": ["nurse"]}), "$.tiers", "unknown field `fatal`"),
        (lambda it: it["tiers"]["slight"].update(recipients=[]), "$.tiers.slight.recipients", "length >= 1"),
        (lambda it: it["tiers"]["slight"].update(recipients=["cook"]), "$.tiers.slight.recipients[0]", "'cook'"),
        (lambda it: it["tiers"]["slight"].update(recipients=["device"]), "tiers.slight", "`device` receives no"),
        (lambda it: it["tiers"]["slight"].update(escalate=[]), "$.tiers.slight", "unknown field `escalate`"),
        (lambda it: step(it).update(recipients=["device"]), "tiers.moderate", "`device` receives no"),
        (lambda it: step(it).update(recipients=[]), "$.tiers.moderate.escalation[0].recipients", "length >= 1"),
        (lambda it: step(it).update(afterSeconds=-1), "$.tiers.moderate.escalation[0].afterSeconds", "> 0"),
        (lambda it: step(it).update(afterSeconds=1e300), "$.tiers.moderate.escalation[0].afterSeconds", "<= 86400"),
        (lambda it: step(it).update(afterSeconds="60"), "$.tiers.moderate.escalation[0].afterSeconds", "got `str`"),
        (lambda it: step(it).update(after=60), "$.tiers.moderate.escalation[0]", "unknown field `after`"),
        (lambda it: level(it, 1).update(sample=3), "$.conditions[0].levels[1]", "unknown field `sample`"),
        (lambda it: it["conditions"][1].update(type="x"), "$.conditions[1]", "unknown field `type`"),
        (lambda it: it["conditions"][1].pop("unit"), "$.conditions[1]", "missing required field `unit`"),
        (lambda it: it["conditions"][1].update(name="a b"), "$.conditions[1].name", "matching regex"),
        (lambda it: it["conditions"][1].update(name="heart_rate_high"), "conditions[1].name", "used twice"),
        (lambda it: it["conditions"][1].update(direction="left"), "$.conditions[1].direction", "'left'"),
        (lambda it: it["conditions"][1].update(clearSamples=0), "$.conditions[1].clearSamples", ">= 1"),
        (lambda it: it["conditions"][1].update(levels=[]), "$.conditions[1].levels", "length >= 1"),
        (lambda it: level(it, 1).update(samples=0), "$.conditions[0].levels[1].samples", ">= 1"),
        (lambda it: level(it, 1).update(samples=1001), "$.conditions[0].levels[1].samples", "<= 1000"),
        (lambda it: level(it, 1).update(samples=2.5), "$.conditions[0].levels[1].samples", "got `float`"),
        (lambda it: level(it, 1).update(limit=None), "$.conditions[0].levels[1].limit", "got `null`"),
        (lambda it: level(it, 1).update(tier="moderate"), "conditions[0].levels", "`moderate` stands there twice"),
        (
            lambda it: level(it, 1).update(limit=110),
            "conditions[0].levels",
            "limit of `critical` (110) must be above that of `moderate` (120)",
        ),
        (lambda it: level(it, 1).update(limit=120), "conditions[0].levels", "must be above"),
        (
            lambda it: it["conditions"][1]["levels"].append({"tier": "slight", "limit": 39, "samples": 1}),
            "conditions[1].levels",
            "limit of `critical` (40) must be below that of `slight` (39)",
        ),
    ],
)
def test_a_mistake_is_explained_with_its_place(change: Change, place: str, advice: str) -> None:
    """Each check was taken out once: its row fails."""
    wrong = document()
    change(wrong)

    with pytest.raises(RulesFileError) as refused:
        parsed(wrong)

    assert place in str(refused.value)
    assert advice in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"tiers": "\xff"}', b'{"tiers": {}, "conditions": [1e400]}'],
    ids=["nothing", "half", "list", "null", "no UTF-8", "too large"],
)
def test_a_text_that_is_no_rules_file_is_refused(text: bytes) -> None:
    with pytest.raises(RulesFileError):
        parse_rules(text)


def test_an_error_begins_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ward.json"
    with pytest.raises(RulesFileError, match=r"ward\.json: No such file or directory$"):
        load_rules(path)

    path.write_text("{}")
    with pytest.raises(RulesFileError, match=r"ward\.json: .*missing required field `tiers`"):
        load_rules(path)

    path.write_text(json.dumps(document()))
    assert load_rules(path) == parsed(document())


def test_the_shipped_conditions_are_on_what_is_measured_and_in_its_unit() -> None:
    measured = {name: sign.unit for name, sign in NUMERICS.items()}

    assert load_rules(units=measured) == load_rules()


@pytest.mark.parametrize(
    ("units", "mistake"),
    [
        ({"spo2": "%", "pulse": "/min"}, r"conditions\[0\]\.vitalType: `heart_rate` is none of pulse, spo2"),
        ({"heart_rate": "Hz"}, r"conditions\[0\]\.unit: heart_rate is measured in `Hz`"),
    ],
    ids=["vital sign", "unit"],
)
def test_a_condition_that_could_never_be_met_is_refused(units: dict[str, str], mistake: str, tmp_path: Path) -> None:
    path = tmp_path / "ward.json"
    path.write_text(json.dumps(document()))

    assert load_rules(path, units={"heart_rate": "/min"}) == parsed(document())
    with pytest.raises(RulesFileError, match=rf"ward\.json: {mistake}$"):
        load_rules(path, units=units)


LIMITS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=3, unique=True)


@given(LIMITS, st.sampled_from(["above", "below"]), st.randoms(use_true_random=False))
def test_levels_are_taken_in_any_order_as_long_as_the_worse_lie_further_out(
    limits: list[float], direction: str, chance: random.Random
) -> None:
    limits.sort(reverse=direction == "below")
    levels = [{"tier": tier, "limit": limit, "samples": 1} for tier, limit in zip(Tier, limits, strict=False)]
    chance.shuffle(levels)
    written = document()
    written["conditions"] = [document()["conditions"][0] | {"direction": direction, "levels": levels}]

    assert [it.limit for it in parsed(written).conditions[0].levels] == limits[::-1]
