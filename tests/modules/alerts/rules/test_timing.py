"""When a violation counts, on a patient who is measured once a second."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.rules.watch import PatientWatch
from tests.modules.alerts.rules.bedside import NOW
from tests.modules.alerts.rules.course import Course, low, rules


def test_without_delays_a_level_counts_at_once() -> None:
    assert Course(rules(low())).measure([95, 89, 95]).times == [(1, "moderate"), (2, None)]


def test_a_condition_delay_and_a_signal_delay_add_up() -> None:
    course = Course(rules(low(conditionDelaySeconds=4, signalDelaySeconds=3))).measure([95] + [89] * 20)

    assert course.times == [(8, "moderate")]
    assert course.reasons == [("spo2 below 90 for 7 s",)]


def test_a_delay_begins_anew_when_the_value_was_normal_in_between() -> None:
    assert Course(rules(low(conditionDelaySeconds=5))).measure([89] * 5 + [90] + [89] * 5).times == []


def test_a_delay_is_measured_in_time_and_not_in_samples() -> None:
    assert Course(rules(low(conditionDelaySeconds=5))).measure([89] * 50, step=0.1).times == []
    assert Course(rules(low(conditionDelaySeconds=5))).measure([89] * 2, step=6).times == [(11, "moderate")]


def test_samples_and_a_delay_must_both_be_fulfilled() -> None:
    book = rules(low(samples=3, conditionDelaySeconds=5))

    assert Course(book).measure([89] * 10, step=0.5).times == []
    assert Course(book).measure([89] * 3, step=10).times == [(29, "moderate")]


def test_an_extreme_has_no_delay_whatever_the_milder_level_asks_for() -> None:
    book = rules(low(conditionDelaySeconds=15), low(80, "critical"))

    assert Course(book).measure([95, 79]).times == [(1, "critical")]


def test_the_third_separate_violation_within_a_minute_counts_whatever_the_delay() -> None:
    book = rules(low(conditionDelaySeconds=15, repeated={"times": 3, "withinSeconds": 60}))
    dip = [89] * 2 + [95] * 18

    course = Course(book).measure(dip * 2 + [89])

    assert course.times == [(40, "moderate")]
    assert course.reasons == [("spo2 below 90 for the third time within 60 s",)]


def test_violations_that_are_too_far_apart_or_not_separate_do_not_add_up() -> None:
    book = rules(low(conditionDelaySeconds=15, repeated={"times": 3, "withinSeconds": 60}))

    assert Course(book).measure(([89] * 2 + [95] * 29) * 4).times == []
    assert Course(book).measure(([89] * 2 + [95] * 28) * 3).times[:1] == [(60, "moderate")]
    assert Course(book).measure([89] * 14 + [95]).times == []


def test_what_is_far_out_counts_sooner_than_what_is_near() -> None:
    """As SatSeconds: 50 %·s are 25 s of 88 %, and 5 s of 80 %."""
    book = rules(low(conditionDelaySeconds=60, burden=50))

    assert Course(book).measure([88] * 40).times == [(25, "moderate")]
    deep = Course(book).measure([80] * 40)
    assert deep.times == [(5, "moderate")]
    assert deep.reasons == [("spo2 below 90, so far that magnitude × duration is 50, limit 50",)]


@pytest.mark.parametrize("value", [80, 110])
def test_two_limits_have_a_burden_on_either_side(value: float) -> None:
    outside = {"tier": "moderate", "when": {"outside": [90, 100]}, "conditionDelaySeconds": 60, "burden": 50}

    assert Course(rules(outside)).measure([value] * 40).times == [(5, "moderate")]


def test_a_burden_is_forgotten_when_the_value_is_normal_again() -> None:
    book = rules(low(conditionDelaySeconds=60, burden=50))

    assert Course(book).measure(([80] * 5 + [95]) * 10).times == []


def test_a_value_that_was_measured_once_does_not_stand_for_hours() -> None:
    """Otherwise two pressures an hour apart would be a burden of 3,600 times their excess."""
    book = rules(low(conditionDelaySeconds=7200, burden=200))

    assert Course(book).measure([80, 80], step=3600).times == []


def test_with_hysteresis_a_value_at_the_limit_does_not_end_an_alarm() -> None:
    book = rules(low(), clear={"samples": 2, "hysteresis": 2})

    assert Course(book).measure([89, 90, 91, 90, 91, 92, 91, 92, 92]).times == [(0, "moderate"), (8, None)]


def test_a_condition_is_gone_when_it_was_normal_for_long_enough() -> None:
    book = rules(low(), clear={"samples": 1, "seconds": 10})

    assert Course(book).measure([89] + [95] * 5 + [89] + [95] * 20).times == [(0, "moderate"), (17, None)]


@given(
    st.lists(st.sampled_from([79, 85, 89, 91, 95]), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_in_whatever_order_readings_come_they_lead_to_the_same_in_the_end(values: list[float], chance: Any) -> None:
    book = rules(
        low(conditionDelaySeconds=6, repeated={"times": 3, "withinSeconds": 20}, burden=30),
        low(80, "critical", samples=2),
        clear={"samples": 3, "hysteresis": 1},
    )
    in_order, shuffled = PatientWatch(book), PatientWatch(book)
    readings = [(NOW + timedelta(seconds=second), value) for second, value in enumerate(values)]
    decided: list[Any] = []
    for at, value in readings:
        decided = list(in_order.observe("spo2", value, at, now=at))
    # What is kept reaches back over the longest time that any level looks at.
    late = readings[-20:-1]
    chance.shuffle(late)
    for at, value in [*readings[:-20], *late]:
        shuffled.observe("spo2", value, at, now=readings[-1][0])

    last_at, last = readings[-1]
    found = shuffled.observe("spo2", last, last_at, now=last_at)

    if len(values) <= 20:
        assert found == decided


def test_what_comes_late_changes_no_beginning_of_what_was_before_it() -> None:
    """Three dips, of which the first began more than a minute before the third. Fails where no more is kept than a rule
    looks at: the first dip then begins in its middle (checked so)."""
    book = rules(low(conditionDelaySeconds=15, repeated={"times": 3, "withinSeconds": 60}))
    values = dict.fromkeys(range(66), 96.0) | dict.fromkeys((*range(9), 30, 65), 88.0)
    course = Course(book)
    for second, value in values.items():
        course.at(second, value)
    assert course.times == []
    assert course.at(64.5, 96).times == []
