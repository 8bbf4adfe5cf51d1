"""A watch that goes on: under other rules, with other limits, after a restart."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.chart import MOST_READINGS
from app.modules.alerts.rules.file import load_rules
from tests.modules.alerts.rules.bedside import NOW
from tests.modules.alerts.rules.course import Course, low, rules


def test_other_rules_go_on_from_the_same_readings() -> None:
    course = Course(rules(low(samples=20))).measure([89] * 9)

    gone = course.watch.adopt(rules(low(samples=10)), spo2_scale=1)

    assert gone == []
    assert course.measure([89]).times == [(9, "moderate")]


def test_a_condition_that_stays_as_it_is_loses_nothing_by_other_rules_beside_it() -> None:
    """Fails where it begins anew with what is kept, which is less (checked so)."""
    slow = low(conditionDelaySeconds=MOST_READINGS + 500)
    course = Course(rules(slow)).measure([89] * (MOST_READINGS + 400))

    course.watch.adopt(rules(slow), spo2_scale=1)

    assert course.measure([89] * 200).times == [(MOST_READINGS + 500, "moderate")]


def test_a_condition_that_other_rules_do_not_know_is_gone() -> None:
    course = Course(rules(low())).measure([89])
    others = load_rules()

    def gone() -> list[str]:
        return [decision.condition.name for decision in course.watch.adopt(others, spo2_scale=1)]

    assert gone() == ["watched"]
    assert gone() == ["watched"], "the first time, the database may have been away"
    course.watch.reported("watched", Tier.MODERATE, is_present=False)
    assert gone() == [], "it has latched"


def test_a_patients_own_limit_takes_the_place_of_the_rules() -> None:
    book = rules(low(samples=2), low(80, "critical")).with_limits({("watched", Tier.MODERATE): 86})

    course = Course(book).measure([88] * 5 + [85] * 2)

    assert course.times == [(6, "moderate")]
    assert book.conditions[0].thresholds == {Tier.MODERATE: {"min": 86}, Tier.CRITICAL: {"min": 80}}


def test_what_was_ruled_on_before_a_start_counts_as_it_did_and_what_was_too_old_then_does_not() -> None:
    """A temperature of this morning is the first of two in a row, if it came this morning."""
    hours_ago = NOW - timedelta(hours=3)
    twice = rules(low(samples=2))
    scored = rules({"tier": "moderate", "when": {"news2Total": 4}}, sign="news2")
    for came_at, expected in ((hours_ago, [(1, "moderate")]), (NOW, [])):
        course, score = Course(twice), Course(scored)
        for it in (course, score):
            it.watch.prime([("spo2", 89, hours_ago, came_at)])
        assert course.at(1, 89).times == expected
        assert score.at(1, 105, "pulse").times == expected


LONG = rules(
    low(80, "critical", samples=3),
    low(conditionDelaySeconds=300, repeated={"times": 3, "withinSeconds": 900}, burden=120),
    clear={"samples": 2, "seconds": 100, "hysteresis": 2},
)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from([75, 85, 89, 91, 96])), min_size=2, max_size=40),
    st.integers(0, 40),
)
def test_a_restart_at_any_moment_changes_nothing_of_what_is_decided(steps: list[tuple[int, int]], cut: int) -> None:
    """Fails where less is read than the rules look at, or where what has ended counts again (checked so, each)."""
    through, seconds, ended = Course(LONG), 0, {}
    readings = []
    for number, (pause, value) in enumerate(steps):
        if number == cut:
            break
        seconds += pause
        at = NOW + timedelta(seconds=seconds)
        readings.append(("spo2", float(value), at, at))
        before = len(through.times)
        if through.at(seconds, value).times[before:] == [(seconds, None)]:
            ended["watched"] = at
    after = Course(LONG)
    kept = LONG.kept["spo2"]
    newest = readings[-kept.samples :]
    recent = [it for it in readings if it[2] >= readings[-1][2] - kept.horizon]
    after.watch.prime(newest if len(newest) > len(recent) else recent, ended=ended)
    if through.times and through.times[-1][1] is not None:
        after.watch.reported("watched", Tier(through.times[-1][1]))
    told = len(through.times)
    for pause, value in steps[cut:]:
        seconds += pause
        through.at(seconds, value)
        after.at(seconds, value)
    assert after.times == through.times[told:]
