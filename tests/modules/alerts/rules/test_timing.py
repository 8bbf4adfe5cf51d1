"""When a violation counts, on a patient who is measured once a second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.chart import MOST_READINGS
from app.modules.alerts.rules.file import load_rules, parse_rules
from app.modules.alerts.rules.watch import Gone, PatientWatch, Present

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

TIERS = {tier: {"recipients": ["nurse"]} for tier in Tier}


def rules(*levels: dict[str, Any], sign: str = "spo2", **condition: Any) -> RuleBook:
    """One condition, `watched`, with these levels."""
    written = {"name": "watched", "vitalType": sign, "unit": "", "levels": list(levels), **condition}
    return parse_rules(json.dumps({"tiers": TIERS, "conditions": [written]}).encode())


def low(limit: float = 90, tier: str = "moderate", **timing: Any) -> dict[str, Any]:
    return {"tier": tier, "when": {"below": limit}, **timing}


class Course:
    """What a watch decides as seconds pass, and what comes of it is acted on."""

    def __init__(self, book: RuleBook, **options: Any) -> None:
        self.watch = PatientWatch(book, **options)
        self.seconds = -1.0
        self.decisions: list[tuple[float, str | None, tuple[str, ...]]] = []

    def measure(self, values: Sequence[float], sign: str = "spo2", *, step: float = 1) -> Course:
        """Each decision as (second, tier or none for gone, reasons)."""
        for value in values:
            self.seconds += step
            self.at(self.seconds, value, sign)
        return self

    def at(self, seconds: float, value: float, sign: str = "spo2") -> Course:
        at = NOW + timedelta(seconds=seconds)
        self._act(seconds, self.watch.observe(sign, value, at, now=at))
        return self

    def tick(self, seconds: float) -> Course:
        self._act(seconds, self.watch.tick(NOW + timedelta(seconds=seconds)))
        return self

    def _act(self, seconds: float, decisions: Sequence[Present | Gone]) -> None:
        for decision in decisions:
            name = decision.condition.name
            if isinstance(decision, Present):
                self.watch.reported(name, decision.finding.tier)
                self.decisions.append((seconds, decision.finding.tier, decision.finding.reasons))
            else:
                self.watch.ended(name)
                self.decisions.append((seconds, None, ()))

    @property
    def times(self) -> list[tuple[float, str | None]]:
        return [(seconds, tier) for seconds, tier, _ in self.decisions]

    @property
    def reasons(self) -> list[tuple[str, ...]]:
        return [reasons for _, tier, reasons in self.decisions if tier is not None]


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


def test_silence_is_noticed_without_a_reading_and_ends_with_one() -> None:
    book = rules({"tier": "slight", "when": {"noReadingForSeconds": 30}}, kind="technical")

    course = Course(book).tick(0).at(10, 97).tick(39).tick(40).tick(41).at(50, 97).tick(51)

    assert course.times == [(40, "slight"), (50, None)]
    assert course.reasons == [("no spo2 reading for 30 s",)]


SILENCE = {"tier": "slight", "when": {"noReadingForSeconds": 600}}


OR_SILENCE = {"any": [{"below": 90}, {"noReadingForSeconds": 900}]}


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


def test_a_silence_that_a_person_has_closed_is_not_raised_again_until_something_has_come() -> None:
    book = rules({"tier": "slight", "when": {"noReadingForSeconds": 30}})
    course = Course(book).at(0, 97).tick(30)

    course.watch.ended("watched")

    assert course.tick(31).tick(100).times == [(30, "slight")]
    assert course.at(110, 97).tick(139).tick(140).times == [(30, "slight"), (140, "slight")]


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


def test_who_has_been_silent_since_before_a_start_is_noticed_once() -> None:
    """Fails where only the last minutes are known, or what a person has closed is not (checked so, each)."""
    book = rules(SILENCE)
    heard_at = NOW - timedelta(seconds=500)
    for ended, expected in (({}, [(100, "slight")]), ({"watched": NOW}, [])):
        course = Course(book)
        course.watch.prime([("spo2", 97, heard_at - timedelta(seconds=50), heard_at)], ended=ended)
        assert course.tick(99).tick(100).tick(101).times == expected
