"""The rules that are shipped, each limit and each count of samples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import Clearing, Condition, Level
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.timing import Repetition, Timing
from app.modules.alerts.rules.watch import Gone, Present
from tests.modules.alerts.rules.bedside import SECOND, SHIPPED, Bedside, limit_of

THREE_IN_A_MINUTE = Repetition(3, 60 * SECOND)

#: condition, vital sign, unit, side, samples until it is gone and by what margin; of each level tier, limit, timing.
CONDITIONS: list[tuple[str, str, str, str, Clearing, list[tuple[str, float, Timing]]]] = [
    (
        "heart_rate_high", "heart_rate", "/min", "above", Clearing(10, hysteresis=3),
        [("critical", 180, Timing(3)), ("moderate", 120, Timing(10, repetition=THREE_IN_A_MINUTE, burden=160))],
    ),
    (
        "heart_rate_low", "heart_rate", "/min", "below", Clearing(10, hysteresis=2),
        [("critical", 40, Timing(3)), ("moderate", 50, Timing(10, repetition=THREE_IN_A_MINUTE, burden=80))],
    ),
    (
        "spo2_low", "spo2", "%", "below", Clearing(10, hysteresis=1),
        [("critical", 80, Timing(1)), ("moderate", 90, Timing(10, repetition=THREE_IN_A_MINUTE, burden=40))],
    ),
    (
        "respiratory_rate_high", "respiratory_rate", "/min", "above", Clearing(10, hysteresis=1),
        [("moderate", 30, Timing(10)), ("slight", 24, Timing(60))],
    ),
    (
        "respiratory_rate_low", "respiratory_rate", "/min", "below", Clearing(10, hysteresis=1),
        [("critical", 5, Timing(5)), ("moderate", 8, Timing(10))],
    ),
    (
        "systolic_bp_high", "systolic_bp", "mmHg", "above", Clearing(hysteresis=5),
        [("critical", 219, Timing(1)), ("moderate", 160, Timing(2))],
    ),
    (
        "systolic_bp_low", "systolic_bp", "mmHg", "below", Clearing(hysteresis=3),
        [("critical", 70, Timing(1)), ("moderate", 90, Timing(2))],
    ),
    ("diastolic_bp_high", "diastolic_bp", "mmHg", "above", Clearing(hysteresis=3), [("moderate", 90, Timing(2))]),
    ("diastolic_bp_low", "diastolic_bp", "mmHg", "below", Clearing(hysteresis=3), [("moderate", 50, Timing(2))]),
    ("mean_bp_high", "mean_bp", "mmHg", "above", Clearing(hysteresis=3), [("moderate", 110, Timing(2))]),
    ("mean_bp_low", "mean_bp", "mmHg", "below", Clearing(hysteresis=2), [("moderate", 60, Timing(2))]),
    (
        "temperature_high", "temperature", "Cel", "above", Clearing(hysteresis=0.2),
        [("moderate", 39, Timing(1)), ("slight", 38, Timing(2))],
    ),
    ("temperature_low", "temperature", "Cel", "below", Clearing(hysteresis=0.2), [("moderate", 35, Timing(1))]),
]  # fmt: skip


LEVELS = [(condition, level) for condition in SHIPPED.conditions for level in condition.levels]


def beyond(level: Level) -> float:
    limit = limit_of(level)
    return limit.limit + (0.1 if limit.direction is Direction.ABOVE else -0.1)


def described(value: Condition | Level) -> str:
    return value.name if isinstance(value, Condition) else value.tier


@pytest.mark.parametrize(("name", "vital_type", "unit", "side", "clearing", "levels"), CONDITIONS)
def test_the_shipped_conditions_have_these_limits(
    name: str, vital_type: str, unit: str, side: str, clearing: Clearing, levels: list[tuple[str, float, Timing]]
) -> None:
    condition = next(it for it in SHIPPED.conditions if it.name == name)

    assert (condition.vital_type, condition.unit, condition.clearing) == (vital_type, unit, clearing)
    assert condition.levels == tuple(
        Level(Tier(tier), Limit(vital_type, Direction(side), limit), timing) for tier, limit, timing in levels
    )


def test_no_condition_is_shipped_that_is_not_pinned_here() -> None:
    assert [condition.name for condition in SHIPPED.conditions] == [row[0] for row in CONDITIONS]
    assert timedelta(seconds=120) == SHIPPED.oldest_reading


@pytest.mark.parametrize(("condition", "level"), LEVELS, ids=described)
def test_one_sample_fewer_does_not_alarm_and_enough_do(condition: Condition, level: Level) -> None:
    """Fails when a level takes one sample more or fewer (checked with each)."""
    bedside = Bedside()
    value, samples = beyond(level), level.timing.samples

    assert bedside.measure(condition.vital_type, [value] * (samples - 1)) == []
    [decision] = bedside.measure(condition.vital_type, [value])

    assert isinstance(decision, Present)
    assert decision.condition is condition
    finding = decision.finding
    assert (finding.tier, finding.unit, finding.vitals_window) == (level.tier, condition.unit, (value,) * samples)
    counted = f" for {samples} samples" if samples > 1 else ""
    limit = limit_of(level)
    assert finding.reasons == (f"{condition.vital_type} {limit.direction} {limit.limit:g}{counted}",)
    side = "max" if limit.direction is Direction.ABOVE else "min"
    assert finding.threshold is not None
    assert finding.threshold[side] == limit.limit


@pytest.mark.parametrize(("condition", "level"), LEVELS, ids=described)
def test_a_value_on_the_limit_does_not_alarm(condition: Condition, level: Level) -> None:
    """Fails with `>=` and `<=` (checked with each)."""
    assert Bedside().measure(condition.vital_type, [limit_of(level).limit] * level.timing.samples) == []


@pytest.mark.parametrize(("condition", "level"), [it for it in LEVELS if it[1].timing.samples > 1], ids=described)
def test_samples_that_are_interrupted_are_not_consecutive(condition: Condition, level: Level) -> None:
    some = [beyond(level)] * (level.timing.samples - 1)
    normal = limit_of(condition.levels[-1]).limit

    assert Bedside().measure(condition.vital_type, [*some, normal, *some]) == []


@pytest.mark.parametrize("condition", SHIPPED.conditions, ids=described)
def test_a_condition_is_gone_after_enough_samples_within_every_limit(condition: Condition) -> None:
    """Back by the margin is normal. Fails with one sample more or fewer (checked with each)."""
    bedside, worst, mildest = Bedside(), condition.levels[0], condition.levels[-1]
    bedside.measure(condition.vital_type, [beyond(worst)] * worst.timing.samples)
    bedside.watch.reported(condition.name, worst.tier)

    limit, margin = limit_of(mildest), condition.clearing.hysteresis
    normal = limit.limit - margin if limit.direction is Direction.ABOVE else limit.limit + margin
    within = [normal] * (condition.clearing.samples - 1)
    assert bedside.measure(condition.vital_type, [*within, limit.limit, *within]) == []
    assert bedside.measure(condition.vital_type, [normal]) == [Gone(condition)]


@pytest.mark.parametrize("value", [("heart_rate", 140.5), ("heart_rate", 39.5), ("spo2", 84.5)], ids=str)
@pytest.mark.parametrize(
    "seconds", [range(11), range(0, 9, 2), range(0, 11, 5), (0, 6, 8), (0, 8), (0, 1, 3, 4, 6, 7, 9, 10)], ids=str
)
def test_who_is_far_out_for_ten_seconds_alarms_also_where_readings_are_missing(
    value: tuple[str, float], seconds: Sequence[int]
) -> None:
    """Fails with a burden of 165 in place of 160, of 45 in place of 40, and of 85 in place of 80 (checked so, each)."""
    bedside = Bedside()
    assert any(bedside.at(second, *value) for second in seconds)
