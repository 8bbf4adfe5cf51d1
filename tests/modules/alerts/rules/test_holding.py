"""What holds of a patient: limits and changes, several signs together, scores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.modules.alerts.rules.course import Course, rules


@pytest.mark.parametrize(
    ("when", "values", "expected"),
    [
        ({"outside": [50, 120]}, [60, 121, 60, 49], [(1, "moderate"), (2, None), (3, "moderate")]),
        ({"rise": 20, "withinSeconds": 10}, [60, 70, 79, 80, 80], [(3, "moderate")]),
        ({"rise": 20, "withinSeconds": 10}, [60] + [70] * 9 + [80], [(10, "moderate")]),
        ({"rise": 20, "withinSeconds": 10}, [60] + [70] * 10 + [80], []),
        ({"fall": 20, "withinSeconds": 10}, [90, 100, 80, 60], [(2, "moderate")]),
        ({"change": 20, "withinSeconds": 10}, [90, 70, 70], [(1, "moderate")]),
        ({"change": 20, "withinSeconds": 10}, [70, 90, 90], [(1, "moderate")]),
        ({"any": [{"below": 50}, {"above": 120}]}, [60, 121, 49], [(1, "moderate")]),
        ({"all": [{"below": 60}, {"above": 50}]}, [70, 55, 45], [(1, "moderate"), (2, None)]),
    ],
)  # fmt: skip
def test_a_criterion_holds_when_it_says(when: Any, values: list[float], expected: Any) -> None:
    course = Course(rules({"tier": "moderate", "when": when}, sign="heart_rate")).measure(values, "heart_rate")

    assert course.times == expected


def test_a_change_says_by_how_much() -> None:
    book = rules({"tier": "moderate", "when": {"rise": 20, "withinSeconds": 10}}, sign="heart_rate")

    assert Course(book).measure([60, 85], "heart_rate").reasons == [("heart_rate rose by 25 within 10 s, limit 20",)]


def test_a_combination_looks_at_several_signs_and_only_at_fresh_values() -> None:
    when = {"all": [{"above": 100}, {"vitalType": "spo2", "below": 92, "maxAgeSeconds": 30}]}
    book = rules({"tier": "moderate", "when": when}, sign="heart_rate")

    course = Course(book).at(0, 90, "spo2").at(1, 110, "heart_rate").at(2, 95, "spo2").at(3, 91, "spo2")
    assert course.times == [(1, "moderate"), (2, None), (3, "moderate")]
    assert course.reasons[0] == ("heart_rate above 100", "spo2 below 92")
    assert Course(book).at(0, 90, "spo2").at(31, 110, "heart_rate").times == []


def test_news2_alarms_at_a_total_and_at_a_single_three_on_the_patients_own_scale() -> None:
    total = {"tier": "critical", "when": {"news2Total": 7}}
    single = {"tier": "moderate", "when": {"news2Single": 3}}
    book = rules(total, single, sign="news2")

    course = Course(book).at(0, 110, "pulse").at(1, 22, "respiratory_rate").at(2, 94, "spo2").at(3, 91, "spo2")
    assert course.times == [(3, "moderate")]
    assert course.reasons == [
        ("NEWS2 6 (respiratory_rate 2, spo2 3, pulse 1, not everything measured), limit a single 3",)
    ]
    assert course.at(4, 99, "systolic_bp").times[-1] == (4, "critical")
    hypercapnic = Course(book, spo2_scale=2).at(0, 88, "spo2").at(1, 0, "oxygen_supplement")
    assert hypercapnic.times == []


def test_a_pulse_that_was_counted_hides_no_newer_heart_rate() -> None:
    """A counted pulse goes first, for a minute: it holds for 12 hours otherwise (checked so)."""
    book = rules({"tier": "moderate", "when": {"news2Single": 3}}, sign="news2")

    assert Course(book).at(0, 70, "pulse").at(60, 140, "heart_rate").times == []
    assert Course(book).at(0, 70, "pulse").at(61, 140, "heart_rate").times == [(61, "moderate")]
    assert Course(book).at(0, 70, "heart_rate").at(61, 140, "pulse").times == [(61, "moderate")]


def test_an_observation_that_is_too_old_has_no_part_in_the_score() -> None:
    book = rules({"tier": "moderate", "when": {"news2Total": 4, "maxAgeSeconds": 60}}, sign="news2")

    assert Course(book).at(0, 88, "spo2").at(50, 105, "pulse").times == [(50, "moderate")]
    assert Course(book).at(0, 88, "spo2").at(61, 105, "pulse").times == []
