from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.file import load_rules
from app.modules.alerts.rules.watch import Gone, PatientWatch
from tests.modules.alerts.rules.bedside import NOW, SECOND, SHIPPED, Bedside, tiers


def test_an_alarm_that_was_reported_is_not_reported_again() -> None:
    bedside = Bedside()
    assert tiers(bedside.measure("heart_rate", [190] * 3)) == [Tier.CRITICAL]

    bedside.watch.reported("heart_rate_high", Tier.CRITICAL)

    assert bedside.measure("heart_rate", [190] * 30) == []


def test_an_alarm_that_could_not_be_reported_is_found_again_with_the_next_reading() -> None:
    bedside = Bedside()

    assert tiers(bedside.measure("heart_rate", [190] * 5)) == [Tier.CRITICAL] * 3


def test_an_alarm_that_gets_worse_is_reported_as_worse_and_not_as_milder() -> None:
    bedside = Bedside()
    bedside.watch.reported("heart_rate_high", Tier.MODERATE)

    assert bedside.measure("heart_rate", [130] * 12) == []
    assert tiers(bedside.measure("heart_rate", [190] * 3)) == [Tier.CRITICAL]
    bedside.watch.reported("heart_rate_high", Tier.CRITICAL)
    assert bedside.measure("heart_rate", [130] * 30) == []


def test_a_latched_alarm_is_reported_when_its_condition_returns_and_does_not_go_twice() -> None:
    bedside = Bedside()
    bedside.watch.reported("heart_rate_high", Tier.CRITICAL, is_present=False)

    assert bedside.measure("heart_rate", [100] * 30) == []
    assert tiers(bedside.measure("heart_rate", [190] * 3)) == [Tier.CRITICAL]
    bedside.watch.reported("heart_rate_high", Tier.CRITICAL)
    assert tiers(bedside.measure("heart_rate", [100] * 10)) == [None]


def test_after_an_alarm_has_ended_another_takes_a_whole_window_of_new_readings() -> None:
    """Fails when the readings before count as well (checked so)."""
    bedside = Bedside()
    bedside.measure("heart_rate", [190] * 3)
    bedside.watch.reported("heart_rate_high", Tier.CRITICAL)

    bedside.watch.ended("heart_rate_high")

    assert bedside.measure("heart_rate", [190] * 2) == []
    assert bedside.at(1.5, "heart_rate", 190) == [], "a late one was measured before the end"
    assert tiers(bedside.measure("heart_rate", [190])) == [Tier.CRITICAL]


def test_the_end_of_one_alarm_leaves_the_others_as_they_are() -> None:
    bedside = Bedside()
    bedside.measure("heart_rate", [45] * 9)
    bedside.watch.reported("heart_rate_high", Tier.MODERATE)

    bedside.watch.ended("heart_rate_high")
    bedside.watch.ended("heart_rate_low")

    assert tiers(bedside.measure("heart_rate", [45])) == [Tier.MODERATE], "of this one no alarm had been reported"


def test_readings_from_before_count_and_raise_nothing_themselves() -> None:
    bedside = Bedside()
    moments = [NOW + seconds * SECOND for seconds in range(-9, 1)]
    bedside.watch.prime([("heart_rate", 130, at, at) for at in moments])

    assert tiers(bedside.measure("heart_rate", [130])) == [Tier.MODERATE]


def test_a_reading_counts_where_it_was_measured_and_not_when_it_came() -> None:
    """Fails when readings are appended as they come (checked so)."""
    bedside = Bedside()

    assert bedside.at(1, "heart_rate", 190) == []
    assert bedside.at(3, "heart_rate", 190) == []
    assert bedside.at(2, "heart_rate", 100) == []
    assert bedside.at(4, "heart_rate", 190) == [], "the newest three are 100, 190, 190"
    assert tiers(bedside.at(5, "heart_rate", 190)) == [Tier.CRITICAL]


@given(st.permutations(range(1, 11)))
def test_in_whatever_order_readings_come_the_last_one_completes_the_alarm(order: list[int]) -> None:
    bedside = Bedside()

    decisions = [bedside.at(seconds, "heart_rate", 130) for seconds in order]

    assert [tiers(it) for it in decisions] == [[]] * 9 + [[Tier.MODERATE]]


def test_a_reading_that_is_there_already_counts_once_whatever_it_says() -> None:
    bedside = Bedside()
    bedside.measure("heart_rate", [190, 190])

    assert bedside.at(2, "heart_rate", 190) == []
    assert bedside.at(1, "heart_rate", 60) == []
    assert tiers(bedside.measure("heart_rate", [190])) == [Tier.CRITICAL]


def test_a_reading_older_than_all_that_count_changes_nothing() -> None:
    """Fails when it is taken in, or when more than a window is kept (checked with each)."""
    bedside = Bedside()
    assert bedside.measure("diastolic_bp", [45] * 4) != []

    assert bedside.at(0, "diastolic_bp", 45) == [], "even where what was found is still to be reported"
    assert bedside.measure("diastolic_bp", [45]) != []


def test_an_open_alarm_goes_after_a_whole_window_even_when_nothing_was_measured_before() -> None:
    """As after a start: fails when fewer samples than it takes are enough (checked so)."""
    bedside = Bedside()
    bedside.watch.reported("heart_rate_high", Tier.MODERATE)

    assert bedside.measure("heart_rate", [100] * 9) == []
    assert tiers(bedside.measure("heart_rate", [100])) == [None]


@pytest.mark.parametrize(("age_seconds", "counts"), [(0, True), (120, True), (120.001, False), (-30, True)])
def test_a_reading_that_is_too_old_alarms_nobody(age_seconds: float, *, counts: bool) -> None:
    """Fails without the comparison, and with `>=` (checked with each)."""
    bedside = Bedside()

    assert bool(bedside.at(1, "spo2", 70, age_seconds=age_seconds)) is counts


def test_a_reading_that_is_too_old_does_not_end_an_alarm() -> None:
    bedside = Bedside()
    bedside.watch.reported("systolic_bp_low", Tier.CRITICAL)

    assert bedside.at(1, "systolic_bp", 120, age_seconds=121) == []
    assert tiers(bedside.at(2, "systolic_bp", 120)) == [None]


def test_a_vital_sign_without_a_condition_is_passed_over() -> None:
    bedside = Bedside()
    bedside.watch.prime([("pulse", 300, NOW, NOW)])

    assert bedside.measure("pulse", [300] * 30) == []


def test_one_reading_may_end_one_condition_and_begin_another() -> None:
    bedside = Bedside()
    bedside.watch.reported("systolic_bp_high", Tier.CRITICAL)
    bedside.watch.reported("systolic_bp_low", Tier.MODERATE)

    decisions = bedside.measure("systolic_bp", [60])

    assert [(it.condition.name, tier) for it, tier in zip(decisions, tiers(decisions), strict=True)] == [
        ("systolic_bp_high", None),
        ("systolic_bp_low", Tier.CRITICAL),
    ]


@pytest.mark.parametrize("ahead_seconds", [0, 2, 59])
def test_a_clock_that_was_ahead_and_is_set_right_hides_nothing(ahead_seconds: float) -> None:
    """Fails when a reading of the future is taken to be measured then (checked so)."""
    watch = PatientWatch(SHIPPED)
    for second in range(30):
        now = NOW + second * SECOND
        watch.observe("spo2", 97, now + ahead_seconds * SECOND, now=now)

    assert tiers(watch.observe("spo2", 70, NOW + 30 * SECOND, now=NOW + 30 * SECOND)) == [Tier.CRITICAL]


def test_a_device_whose_clock_is_ahead_hides_nothing_of_another() -> None:
    """Neither before this node has started again nor after it (checked by taking out either)."""
    watch, started_anew = PatientWatch(SHIPPED), PatientWatch(SHIPPED)
    watch.observe("spo2", 97, NOW + 50 * SECOND, now=NOW)
    started_anew.prime([("spo2", 97, NOW + 50 * SECOND, NOW)])

    for it in (watch, started_anew):
        assert tiers(it.observe("spo2", 70, NOW + SECOND, now=NOW + SECOND)) == [Tier.CRITICAL]


def test_late_news_of_an_earlier_alert_do_not_end_a_newer_one() -> None:
    """Otherwise the newer one would never be reported as gone. Checked by matching the condition alone."""
    watch = PatientWatch(load_rules())
    for second in range(10):
        watch.observe("spo2", 79, NOW + timedelta(seconds=second), now=NOW)
    watch.reported("spo2_low", Tier.CRITICAL, alert_id="newer")
    watch.ended("spo2_low", "earlier")
    gone = [
        decision
        for second in range(10, 20)
        for decision in watch.observe("spo2", 97, NOW + timedelta(seconds=second), now=NOW)
    ]
    assert [type(decision) for decision in gone] == [Gone]
    watch.ended("spo2_low", "newer")
    assert watch.alert_of("spo2_low") == ""
