"""Auto-limits: what readings suggest, how far out at most, and when nothing is suggested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median_low

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.modules.alerts.rules.schemas import Direction
from app.modules.limits.suggestions import FEWEST_READINGS, MARGINS, Measured, Suggestion, suggest
from tests.modules.limits.bed import LIMITS, limits_at, now, one, open_alerts, put, send
from tests.servers import RunningServer

ABOVE, BELOW = Direction.ABOVE, Direction.BELOW
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def measured(values: Sequence[float], hours: float = 4) -> Measured:
    return Measured(tuple(sorted(Counter(values).items())), START, START + hours * HOUR)


def suggested(sign: str, direction: Direction, values: Sequence[float], **more: float) -> Suggestion:
    worse = [more["worse"]] if "worse" in more else []
    scale = int(more.get("spo2_scale", 1))
    return suggest(sign, direction, measured(values), asked_for=4 * HOUR, spo2_scale=scale, worse=worse)


@pytest.mark.parametrize(
    ("sign", "direction", "values", "expected"),
    [
        ("heart_rate", ABOVE, [80] * 100, 100),  # × 1.25, as the manuals named in the file have it
        ("heart_rate", BELOW, [80] * 100, 64),
        ("pulse", ABOVE, [61] * 100, 77),  # 76.25, rounded away from the patient
        ("pulse", BELOW, [61] * 100, 48),
        ("respiratory_rate", ABOVE, [16] * 100, 24),
        ("respiratory_rate", BELOW, [18] * 100, 9),
        ("spo2", BELOW, [98] * 100, 93),
        ("systolic_bp", ABOVE, [120] * 100, 142),  # 120 × 0.86 + 38 = 141.2
        ("systolic_bp", BELOW, [120] * 100, 91),  # 120 × 0.68 + 10 = 91.6
        ("diastolic_bp", ABOVE, [80] * 100, 101),
        ("diastolic_bp", BELOW, [80] * 100, 60),
        ("mean_bp", ABOVE, [90] * 100, 113),
        ("mean_bp", BELOW, [90] * 100, 69),
        ("temperature", ABOVE, [36.8] * 100, 37.3),
        ("temperature", BELOW, [36.8] * 100, 36.3),
        # What the patient does once in twenty readings stays within, whatever the factor says.
        ("heart_rate", ABOVE, [80] * 95 + [118] * 5, 118),
        ("heart_rate", BELOW, [80] * 95 + [58] * 5, 58),
        # What happened once in a hundred does not.
        ("heart_rate", ABOVE, [80] * 99 + [139], 100),
        # The share counts readings, and 8 are few: each of them is usual.
        ("systolic_bp", ABOVE, [120] * 7 + [165], 165),
    ],
)
def test_a_limit_lies_by_the_signs_margin_beyond_the_median_and_beyond_what_is_usual(
    sign: str, direction: Direction, values: list[float], expected: float
) -> None:
    assert suggested(sign, direction, values) == Suggestion(expected)


@pytest.mark.parametrize(
    ("sign", "direction", "values", "expected"),
    [
        ("heart_rate", ABOVE, [130] * 100, 140),
        ("heart_rate", BELOW, [45] * 100, 40),
        ("spo2", BELOW, [92] * 100, 90),
        ("respiratory_rate", ABOVE, [22] * 100, 30),
        ("temperature", ABOVE, [38.8] * 100, 39),
    ],
)
def test_no_limit_lies_beyond_the_safe_bound(
    sign: str, direction: Direction, values: list[float], expected: float
) -> None:
    assert suggested(sign, direction, values) == Suggestion(expected, is_bounded=True)


def test_a_limit_lies_within_that_of_a_worse_tier() -> None:
    assert suggested("respiratory_rate", ABOVE, [20] * 100, worse=28) == Suggestion(27, is_bounded=True)
    assert suggested("heart_rate", BELOW, [52] * 100, worse=44.5) == Suggestion(45.5, is_bounded=True)
    refused = suggested("heart_rate", BELOW, [52] * 100, worse=52)
    assert refused == Suggestion(None, "the limit of a worse tier leaves no room beyond the usual value, 52")


def test_spo2_on_scale_2_may_go_lower() -> None:
    assert suggested("spo2", BELOW, [89] * 100, spo2_scale=2) == Suggestion(85, is_bounded=True)
    refused = suggested("spo2", BELOW, [89] * 100)
    assert refused == Suggestion(None, "the usual value, 89, is not within 90 to 100: a person must decide")


def test_nothing_is_suggested_from_too_little() -> None:
    few, short = measured([80] * (FEWEST_READINGS - 1)), measured([80] * 100, hours=1.9)
    for readings, reason in (
        (None, "there are no readings of that time"),
        (few, "there are only 7 readings of that time; it takes 8"),
        (short, "the readings do not span 50% of that time"),
    ):
        assert suggest("heart_rate", ABOVE, readings, asked_for=4 * HOUR) == Suggestion(None, reason)


def test_nothing_is_suggested_for_signs_and_sides_that_have_no_margin() -> None:
    for sign, direction in (("spo2", ABOVE), ("consciousness", ABOVE), ("oxygen_supplement", ABOVE)):
        assert suggested(sign, direction, [90] * 100).refusal == "nothing is suggested for this sign on this side"


SIGNS = st.sampled_from([(s, d) for s, m in MARGINS.items() for d in Direction if (m.low, m.high)[d is ABOVE]])
ANY_READINGS = st.lists(st.integers(20, 230).map(float), min_size=FEWEST_READINGS, max_size=60)


def readings_of(sign: str, data: st.DataObject) -> list[float]:
    """Readings of which most are within what suggestions are made for."""
    margins = MARGINS[sign]
    span = margins.highest - margins.lowest
    tenths = st.integers(int((margins.lowest - span / 4) * 10), int((margins.highest + span / 4) * 10))
    return data.draw(st.lists(tenths.map(lambda it: it / 10), min_size=FEWEST_READINGS, max_size=60))


@given(of=SIGNS, data=st.data())
def test_a_suggestion_is_never_narrower_than_the_usual_readings_unless_it_is_bounded(
    of: tuple[str, Direction], data: st.DataObject
) -> None:
    """At most one reading in fifty lies beyond it. Fails when the margin alone decides (checked so)."""
    values = readings_of(of[0], data)
    found = suggested(*of, values)
    assume(found.limit is not None)
    assert found.limit is not None
    beyond = sum(of[1].violates(value, found.limit) for value in values)
    assert beyond <= len(values) / 50 or found.is_bounded
    assert not of[1].violates(median_low(values), found.limit)


@given(of=SIGNS, data=st.data(), worse=st.none() | st.integers(0, 250).map(float))
def test_a_suggestion_is_never_beyond_the_safe_bound_nor_beyond_a_worse_tier(
    of: tuple[str, Direction], data: st.DataObject, worse: float | None
) -> None:
    """Fails when either bound is taken out (checked so)."""
    sign, direction = of
    values = readings_of(sign, data)
    found = suggested(sign, direction, values, **({} if worse is None else {"worse": worse}))
    if found.limit is None:
        assert found.refusal
        return
    margins = MARGINS[sign]
    assert margins.lowest <= found.limit <= margins.highest
    if worse is not None:
        assert direction.violates(worse, found.limit)


@given(of=SIGNS, data=st.data())
def test_higher_readings_never_suggest_a_lower_limit(of: tuple[str, Direction], data: st.DataObject) -> None:
    values = readings_of(of[0], data)
    shifts = data.draw(st.lists(st.integers(0, 100), min_size=len(values), max_size=len(values)))
    higher = [round(value + shift / 10, 1) for value, shift in zip(values, shifts, strict=True)]
    low, high = suggested(*of, values).limit, suggested(*of, higher).limit
    assume(low is not None)
    assume(high is not None)
    assert low is not None
    assert high is not None
    assert low <= high


@given(values=ANY_READINGS, share=st.floats(0.01, 0.99))
def test_a_quantile_is_the_nearest_rank(values: list[float], share: float) -> None:
    found = measured(values).quantile(share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-3
    assert sum(value < found for value in values) < share * len(values) + 1e-3


@pytest.mark.anyio
async def test_the_readings_of_the_last_hours_suggest_limits_that_hold_only_when_a_person_sets_them(
    ward: RunningServer,
) -> None:
    first_at = now(ward) - 3 * HOUR
    await put(ward, "nurse", one("heart_rate_high", "critical", 150), one("temperature_high", "slight", 38.4))
    before = await limits_at(ward)
    await send(ward, "heart_rate", [100] * 140 + [118] * 10, first_at=first_at, every=timedelta(minutes=1))
    await send(ward, "spo2", [95, 96, 97, 98] * 33, first_at=first_at, every=timedelta(minutes=1))
    await send(ward, "systolic_bp", [120] * 5, first_at=first_at, every=timedelta(minutes=30))
    answer = (await ward.call("GET", LIMITS + "/suggestions", "nurse")).json()
    found = {it["condition"]: it for it in answer["suggestions"]}
    heart = found["heart_rate_high"]
    assert (heart["tier"], heart["limit"], heart["suggested"], heart["source"]) == ("moderate", 120, 125, "rules")
    assert (heart["beyondLimit"], heart["beyondSuggested"], heart["bounded"]) == (0, 0, False)
    summary = heart["readings"]
    assert datetime.fromisoformat(summary.pop("firstAt")) == first_at
    assert datetime.fromisoformat(summary.pop("lastAt")) == first_at + 149 * timedelta(minutes=1)
    assert summary == {
        "count": 150, "lowest": 100, "usualLowest": 100, "median": 100, "usualHighest": 118, "highest": 118,
    }  # fmt: skip
    assert found["spo2_low"]["suggested"] == 91
    assert found["systolic_bp_high"]["reason"] == "there are only 5 readings of that time; it takes 8"
    assert found["temperature_high"]["reason"] == "there are no readings of that time"
    assert await limits_at(ward) == before
    assert await open_alerts(ward) == []

    applied = await ward.call("PUT", LIMITS, "nurse", answer["proposal"])
    assert applied.status_code == 200, applied.text
    after = await limits_at(ward)
    assert after == before | {
        ("heart_rate_high", "moderate"): (125, "patient"),
        ("heart_rate_low", "moderate"): (80, "patient"),
        ("spo2_low", "moderate"): (91, "patient"),
    }
    stale = answer["proposal"] | {"limits": []}
    assert (await ward.call("PUT", LIMITS, "nurse", stale)).status_code == 409


@pytest.mark.anyio
async def test_older_readings_than_those_asked_for_suggest_nothing(ward: RunningServer) -> None:
    first_at = now(ward) - 6 * HOUR
    await send(ward, "heart_rate", [100] * 61, first_at=first_at, every=timedelta(minutes=1))
    for hours, reason in ((4, "there are no readings of that time"), (13, "the readings do not span 50% of that time")):
        answer = (await ward.call("GET", f"{LIMITS}/suggestions?hours={hours}", "nurse")).json()
        assert {it["reason"] for it in answer["suggestions"] if it["vitalType"] == "heart_rate"} == {reason}
    answer = (await ward.call("GET", f"{LIMITS}/suggestions?hours=25", "nurse")).json()
    assert answer["errors"][0]["field"] == "hours"
