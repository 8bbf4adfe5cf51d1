"""Limits of people laid over those of the rules: any limits, on rules of any two or three tiers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.adjustment import Adjusted, Adjustment, Layer, adjustable_limits, lay_over
from app.modules.alerts.rules.book import LimitKey, check_way_back, crossings
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.file import load_rules, parse_rules
from app.modules.vitals.signs import NUMERICS

SHIPPED = load_rules()
KNOWN = {it.key: it for it in adjustable_limits(SHIPPED)}

SPO2, CRITICAL_SPO2 = ("spo2_low", Tier.MODERATE), ("spo2_low", Tier.CRITICAL)


def adjustment(key: LimitKey, limit: float) -> Adjustment:
    of = KNOWN[key]
    return Adjustment(*key, of.vital_type, of.direction, limit)


def laid(adjusted: Adjusted) -> dict[LimitKey, tuple[float, Layer]]:
    return {it.of.key: (it.limit, it.layer) for it in adjusted.in_force}


def left_out(adjusted: Adjusted) -> list[tuple[LimitKey, Layer]]:
    return [(it.adjustment.key, it.layer) for it in adjusted.passed_over]


def layers(most: int) -> st.SearchStrategy[list[Adjustment]]:
    """For some limits of the rules a number near theirs, so that some are in order and some are not."""
    return st.dictionaries(st.sampled_from(sorted(KNOWN)), st.integers(-most, most)).map(
        lambda chosen: [adjustment(key, KNOWN[key].limit + by) for key, by in chosen.items()]
    )


@given(unit=layers(25), patient=layers(25))
def test_each_limit_is_the_patients_else_the_units_else_that_of_the_rules(
    unit: list[Adjustment], patient: list[Adjustment]
) -> None:
    adjusted = lay_over(SHIPPED, unit=unit, patient=patient)
    passed_over = set(left_out(adjusted))
    expected = {key: (it.limit, Layer.RULES) for key, it in KNOWN.items()}
    for layer, adjustments in ((Layer.UNIT, unit), (Layer.PATIENT, patient)):
        expected |= {it.key: (it.limit, layer) for it in adjustments if (it.key, layer) not in passed_over}
    for (condition, tier), layer in passed_over:
        # Of a condition a layer holds as a whole or not at all.
        assert laid(adjusted)[condition, tier][1] is not layer
    of_whole_layers = {(condition, layer) for (condition, _), layer in passed_over}
    for key, (limit, layer) in laid(adjusted).items():
        assert (key[0], layer) not in of_whole_layers
        assert expected[key] == (limit, layer)


@given(unit=layers(25), patient=layers(25))
def test_what_is_in_force_is_always_in_order(unit: list[Adjustment], patient: list[Adjustment]) -> None:
    """Fails when the layers are merged without looking (checked so): `with_limits` refuses them."""
    adjusted = lay_over(SHIPPED, unit=unit, patient=patient)
    book = SHIPPED.with_limits(adjusted.limits)
    in_force = laid(adjusted)
    for condition in book.conditions:
        for worse, milder in pairwise(condition.levels):
            assert isinstance(worse.criterion, Limit)
            assert isinstance(milder.criterion, Limit)
            assert worse.criterion.direction.violates(worse.criterion.limit, milder.criterion.limit)
            assert in_force[condition.name, worse.tier][0] == worse.criterion.limit


@given(patient=layers(25))
def test_nothing_of_a_patient_is_passed_over_without_a_word(patient: list[Adjustment]) -> None:
    adjusted = lay_over(SHIPPED, patient=patient)
    told = set(left_out(adjusted))
    for it in patient:
        assert (laid(adjusted)[it.key] == (it.limit, Layer.PATIENT)) is not ((it.key, Layer.PATIENT) in told)


def test_where_the_unit_is_in_the_way_the_patients_own_holds() -> None:
    """The unit's moderate limit has been moved to where the patient's critical one is."""
    adjusted = lay_over(SHIPPED, unit=[adjustment(SPO2, 83)], patient=[adjustment(CRITICAL_SPO2, 84)])
    assert (laid(adjusted)[SPO2], laid(adjusted)[CRITICAL_SPO2]) == ((90, Layer.RULES), (84, Layer.PATIENT))
    (out,) = adjusted.passed_over
    assert (out.adjustment.limit, out.layer) == (83, Layer.UNIT)
    assert out.reason == "the limit of `critical` (84) must be below that of `moderate` (83)"


def test_a_unit_limit_that_the_patients_own_covers_is_not_told_as_passed_over() -> None:
    adjusted = lay_over(
        SHIPPED, unit=[adjustment(SPO2, 92), adjustment(CRITICAL_SPO2, 91)], patient=[adjustment(SPO2, 88)]
    )
    assert left_out(adjusted) == [(CRITICAL_SPO2, Layer.UNIT)]


def test_a_patients_limit_that_fits_neither_the_rules_nor_the_unit_is_told_and_the_units_holds() -> None:
    adjusted = lay_over(SHIPPED, unit=[adjustment(CRITICAL_SPO2, 82)], patient=[adjustment(CRITICAL_SPO2, 95)])
    assert laid(adjusted)[CRITICAL_SPO2] == (82, Layer.UNIT)
    assert left_out(adjusted) == [(CRITICAL_SPO2, Layer.PATIENT)]


def test_a_limit_that_fits_is_kept_although_one_of_another_condition_does_not() -> None:
    heart = ("heart_rate_high", Tier.MODERATE)
    adjusted = lay_over(SHIPPED, patient=[adjustment(heart, 130), adjustment(CRITICAL_SPO2, 95)])
    assert laid(adjusted)[heart] == (130, Layer.PATIENT)
    assert left_out(adjusted) == [(CRITICAL_SPO2, Layer.PATIENT)]


def test_what_the_rules_no_longer_have_or_have_on_the_other_side_is_told_with_its_reason() -> None:
    other = parse_rules(
        b"""{"tiers": {"slight": {"recipients": ["nurse"]}, "moderate": {"recipients": ["nurse"]},
                       "critical": {"recipients": ["nurse"]}},
             "conditions": [
               {"name": "spo2_low", "vitalType": "spo2", "unit": "%",
                "levels": [{"tier": "moderate", "when": {"below": 91}}]},
               {"name": "rr", "vitalType": "respiratory_rate", "unit": "/min",
                "levels": [{"tier": "moderate", "when": {"above": 25}}, {"tier": "critical", "when": {"rise": 9,
                            "withinSeconds": 60}}]}]}"""
    )
    stored = [
        adjustment(SPO2, 88),
        adjustment(CRITICAL_SPO2, 82),
        Adjustment("rr", Tier.MODERATE, "respiratory_rate", Direction.BELOW, 9),
        Adjustment("rr", Tier.CRITICAL, "respiratory_rate", Direction.ABOVE, 40),
    ]
    adjusted = lay_over(other, patient=stored)
    assert adjusted.limits == {SPO2: 88}
    assert [(it.adjustment, it.reason) for it in adjusted.passed_over] == [
        (stored[1], "the rules have no such limit any more"),
        (stored[2], "it was set for respiratory_rate below a limit, which this is no longer"),
        (stored[3], "the rules have no such limit any more"),
    ]


LOW, HIGH = ("heart_rate_low", Tier.MODERATE), ("heart_rate_high", Tier.MODERATE)


def crossed(low: float, high: float) -> str:
    return (
        f"no value would be normal: `heart_rate_low` alarms below {low:g}, `heart_rate_high` above {high:g}"
    )  # fmt: skip


def test_where_limits_of_the_unit_and_of_the_patient_cross_the_patients_hold() -> None:
    """Fails when only tiers of one condition are compared (checked so): each layer is in order by itself."""
    adjusted = lay_over(SHIPPED, unit=[adjustment(LOW, 110)], patient=[adjustment(HIGH, 100)])
    assert (laid(adjusted)[LOW], laid(adjusted)[HIGH]) == ((50, Layer.RULES), (100, Layer.PATIENT))
    (out,) = adjusted.passed_over
    assert (out.adjustment.key, out.layer, out.reason) == (LOW, Layer.UNIT, crossed(110, 100))


def test_limits_of_one_layer_that_cross_are_both_passed_over_and_the_rest_of_it_holds() -> None:
    """None of two that contradict each other is more right."""
    patient = [adjustment(LOW, 110), adjustment(HIGH, 100), adjustment(SPO2, 88)]
    adjusted = lay_over(SHIPPED, unit=[adjustment(HIGH, 130)], patient=patient)
    assert adjusted.limits == {SPO2: 88, HIGH: 130}
    assert sorted(left_out(adjusted)) == [(HIGH, Layer.PATIENT), (LOW, Layer.PATIENT)]
    assert {it.reason for it in adjusted.passed_over} == {crossed(110, 100)}


def test_a_limit_that_crosses_one_of_the_rules_is_passed_over() -> None:
    adjusted = lay_over(SHIPPED, patient=[adjustment(LOW, 121)])
    assert (adjusted.limits, left_out(adjusted)) == ({}, [(LOW, Layer.PATIENT)])


def test_a_limit_from_which_no_value_would_be_back_is_passed_over() -> None:
    adjusted = lay_over(SHIPPED, unit=[adjustment(SPO2, 99.5)], patient=[adjustment(CRITICAL_SPO2, 82)], signs=NUMERICS)
    assert adjusted.limits == {CRITICAL_SPO2: 82}
    assert [(it.adjustment.key, it.reason) for it in adjusted.passed_over] == [
        (SPO2, "with a hysteresis of 1 no value of `spo2` would be normal again")
    ]


@given(unit=layers(120), patient=layers(120))
def test_whatever_is_set_each_sign_has_values_that_are_normal(
    unit: list[Adjustment], patient: list[Adjustment]
) -> None:
    adjusted = lay_over(SHIPPED, unit=unit, patient=patient, signs=NUMERICS)
    book = SHIPPED.with_limits(adjusted.limits)
    assert not list(crossings((condition.name, condition.levels) for condition in book.conditions))
    for condition in book.conditions:
        check_way_back(condition, NUMERICS)
    told = set(left_out(adjusted))
    for it in patient:
        assert (laid(adjusted)[it.key] == (it.limit, Layer.PATIENT)) is not ((it.key, Layer.PATIENT) in told)
