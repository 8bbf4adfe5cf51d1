"""Silence: what is noticed because nothing comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.modules.alerts.rules.bedside import NOW
from tests.modules.alerts.rules.course import Course, low, rules

SILENCE = {"tier": "slight", "when": {"noReadingForSeconds": 600}}
OR_SILENCE = {"any": [{"below": 90}, {"noReadingForSeconds": 900}]}


def test_silence_is_noticed_without_a_reading_and_ends_with_one() -> None:
    book = rules({"tier": "slight", "when": {"noReadingForSeconds": 30}}, kind="technical")

    course = Course(book).tick(0).at(10, 97).tick(39).tick(40).tick(41).at(50, 97).tick(51)

    assert course.times == [(40, "slight"), (50, None)]
    assert course.reasons == [("no spo2 reading for 30 s",)]


@pytest.mark.parametrize(
    ("level", "counts_at"),
    [
        (low(samples=3), 204),
        (low(conditionDelaySeconds=4), 200),
        (low(samples=10, burden=25), 204),
        ({"tier": "moderate", "when": OR_SILENCE, "samples": 3}, 204),
        ({"tier": "moderate", "when": OR_SILENCE, "signalDelaySeconds": 4}, 200),
    ],
)
def test_time_that_passes_is_no_sample_of_what_was_read(level: dict[str, Any], counts_at: float) -> None:
    """Fails where a look for silence looks at the reading again (checked so)."""
    course = Course(rules(level, SILENCE, clear={"samples": 3, "seconds": 2})).at(0, 88)
    for second in range(1, 200):
        course.tick(second)
    assert course.times == []
    course.at(200, 88).at(204, 88)
    assert course.times == [(counts_at, "moderate")]
    course.at(205, 95)
    for second in range(206, 300):
        course.tick(second)
    assert course.at(300, 95).times[1:] == []
    assert course.at(301, 95).times[1:] == [(301, None)]


def test_a_silence_beside_a_value_counts_as_time_passes() -> None:
    both = {"all": [{"below": 90}, {"vitalType": "respiratory_rate", "noReadingForSeconds": 60}]}
    book = rules({"tier": "moderate", "when": both, "conditionDelaySeconds": 5})
    course = Course(book).at(0, 15, "respiratory_rate").at(30, 88)
    for second in range(31, 80):
        course.tick(second)
    assert course.times == [(65, "moderate")]
    assert course.reasons == [("spo2 below 90", "no respiratory_rate reading for 60 s for 5 s")]


def test_a_silence_that_a_person_has_closed_is_not_raised_again_until_something_has_come() -> None:
    book = rules({"tier": "slight", "when": {"noReadingForSeconds": 30}})
    course = Course(book).at(0, 97).tick(30)

    course.watch.ended("watched")

    assert course.tick(31).tick(100).times == [(30, "slight")]
    assert course.at(110, 97).tick(139).tick(140).times == [(30, "slight"), (140, "slight")]


def test_who_has_been_silent_since_before_a_start_is_noticed_once() -> None:
    """Fails where only the last minutes are known, or what a person has closed is not (checked so, each)."""
    book = rules(SILENCE)
    heard_at = NOW - timedelta(seconds=500)
    for ended, expected in (({}, [(100, "slight")]), ({"watched": NOW}, [])):
        course = Course(book)
        course.watch.prime([("spo2", 97, heard_at - timedelta(seconds=50), heard_at)], ended=ended)
        assert course.tick(99).tick(100).tick(101).times == expected
