from __future__ import annotations

import json
import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.core.roles import Role
from app.modules.alerts.lifecycle import EscalationStep, Plan, Tier
from app.modules.alerts.rules.book import Clearing, Level
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.file import json_schema, load_rules
from app.modules.alerts.rules.timing import Timing
from app.modules.vitals.signs import NUMERICS
from tests.conftest import ROOT
from tests.modules.alerts.rules.ward_file import document, parsed


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


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
    assert (high.name, high.vital_type, high.unit) == ("heart_rate_high", "heart_rate", "/min")
    assert (high.clearing, low.clearing) == (Clearing(10), Clearing(1))
    assert low.levels == (Level(Tier.CRITICAL, Limit("heart_rate", Direction.BELOW, 40), Timing()),)


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


def test_the_shipped_conditions_are_on_what_is_measured_and_in_its_unit() -> None:
    assert load_rules(signs=NUMERICS) == load_rules()


LIMITS = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=3, unique=True)


@given(LIMITS, st.sampled_from(["above", "below"]), st.randoms(use_true_random=False))
def test_levels_are_taken_in_any_order_as_long_as_the_worse_lie_further_out(
    limits: list[float], direction: str, chance: random.Random
) -> None:
    limits.sort(reverse=direction == "below")
    levels = [{"tier": tier, "when": {direction: limit}} for tier, limit in zip(Tier, limits, strict=False)]
    chance.shuffle(levels)
    written = document()
    written["conditions"] = [document()["conditions"][0] | {"levels": levels}]

    read = [level.criterion for level in parsed(written).conditions[0].levels]
    assert [it.limit for it in read if isinstance(it, Limit)] == limits[::-1]


def test_the_published_schema_is_the_one_that_files_are_read_by() -> None:
    """`tocsin rules schema` writes it."""
    published = json.loads((ROOT / "docs/alert-rules.schema.json").read_text())

    assert published == json_schema()
