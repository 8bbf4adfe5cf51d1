from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Plan, Tier
from app.modules.alerts.rules.book import Clearing, Condition, Level, RuleBook
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.file import load_rules
from app.modules.alerts.rules.timing import Repetition, Timing
from app.modules.alerts.rules.watch import Decision, Gone, PatientWatch, Present

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

SHIPPED = load_rules()

THREE_IN_A_MINUTE = Repetition(3, 60 * SECOND)

#: condition, vital sign, unit, side, samples until it is gone and by what margin; of each level tier, limit, timing.
CONDITIONS: list[tuple[str, str, str, str, Clearing, list[tuple[str, float, Timing]]]] = [
    (
        "heart_rate_high", "heart_rate", "/min", "above", Clearing(10, hysteresis=3),
        [("critical", 180, Timing(3)), ("moderate", 120, Timing(10, repetition=THREE_IN_A_MINUTE, burden=300))],
    ),
    (
        "heart_rate_low", "heart_rate", "/min", "below", Clearing(10, hysteresis=2),
        [("critical", 40, Timing(3)), ("moderate", 50, Timing(10, repetition=THREE_IN_A_MINUTE))],
    ),
    (
        "spo2_low", "spo2", "%", "below", Clearing(10, hysteresis=1),
        [("critical", 80, Timing(1)), ("moderate", 90, Timing(10, repetition=THREE_IN_A_MINUTE, burden=50))],
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


def limit_of(level: Level) -> Limit:
    assert isinstance(level.criterion, Limit)
    return level.criterion


LEVELS = [(condition, level) for condition in SHIPPED.conditions for level in condition.levels]


def beyond(level: Level) -> float:
    limit = limit_of(level)
    return limit.limit + (0.1 if limit.direction is Direction.ABOVE else -0.1)


def described(value: Condition | Level) -> str:
    return value.name if isinstance(value, Condition) else value.tier


class Bedside:
    """One patient's watch, and a device that measures once a second."""

    def __init__(self, rules: RuleBook = SHIPPED) -> None:
        self.watch = PatientWatch(rules)
        self.seconds = 0

    def measure(self, vital_type: str, values: Iterable[float]) -> list[Decision]:
        """The decisions that these readings lead to, of which nothing is acted on."""
        decisions = []
        for value in values:
            self.seconds += 1
            decisions += self.at(self.seconds, vital_type, value)
        return decisions

    def at(self, seconds: float, vital_type: str, value: float, *, age_seconds: float = 0) -> list[Decision]:
        measured_at = NOW + seconds * SECOND
        return self.watch.observe(vital_type, value, measured_at, now=measured_at + age_seconds * SECOND)


def tiers(decisions: Sequence[Decision]) -> list[Tier | None]:
    """The tiers that were found; none stands for a condition that is gone."""
    return [it.finding.tier if isinstance(it, Present) else None for it in decisions]


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
    bedside.watch.prime([("heart_rate", 130, NOW + seconds * SECOND) for seconds in range(-9, 1)], now=NOW)

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
    bedside.watch.prime([("pulse", 300, NOW)], now=NOW)

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


def plain(name: str, vital_type: str, side: Direction, levels: list[tuple[Tier, float, int]], clear: int) -> Condition:
    """A condition with nothing but limits and samples."""
    written = tuple(Level(tier, Limit(vital_type, side, limit), Timing(samples)) for tier, limit, samples in levels)
    return Condition(name, vital_type, "", written, Clearing(clear))


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
    started_anew.prime([("spo2", 97, NOW + 50 * SECOND)], now=NOW)

    for it in (watch, started_anew):
        assert tiers(it.observe("spo2", 70, NOW + SECOND, now=NOW + SECOND)) == [Tier.CRITICAL]


HIGH = plain("high", "x", Direction.ABOVE, [(Tier.CRITICAL, 20, 2), (Tier.MODERATE, 10, 3)], clear=2)
LOW = plain("low", "x", Direction.BELOW, [(Tier.SLIGHT, 0, 2)], clear=4)
OTHER = plain("other", "y", Direction.ABOVE, [(Tier.MODERATE, 10, 1)], clear=1)
SMALL = RuleBook((HIGH, LOW, OTHER), {tier: Plan(frozenset()) for tier in Tier}, oldest_reading=10 * SECOND)


class NaiveWatch:
    """Keeps every reading for ever and asks of the newest n whether all of them violate."""

    def __init__(self) -> None:
        self.readings: dict[str, dict[int, float]] = {"x": {}, "y": {}}
        self.open: dict[str, tuple[Tier, bool]] = {}
        self.counts_after = {condition.name: -1 for condition in SMALL.conditions}

    def observe(self, vital_type: str, value: float, seconds: int, age_seconds: int) -> list[tuple[str, Tier | None]]:
        readings = self.readings[vital_type]
        conditions = [condition for condition in SMALL.conditions if condition.vital_type == vital_type]
        longest = max(max(it.clearing.samples, *(level.timing.samples for level in it.levels)) for it in conditions)
        is_later = [at > seconds for at in readings]
        if age_seconds > 10 or seconds in readings or sum(is_later) >= longest:
            return []
        readings[seconds] = value
        decided = [(condition.name, self.decide(condition)) for condition in conditions]
        return [(name, tier) for name, tier in decided if tier != "nothing"]  # type: ignore[misc]

    def decide(self, condition: Condition) -> Tier | str | None:
        readings = self.readings[condition.vital_type]
        values = [readings[at] for at in sorted(readings) if at > self.counts_after[condition.name]]
        known_tier, is_present = self.open.get(condition.name, (None, False))
        sign = 1 if limit_of(condition.levels[0]).direction is Direction.ABOVE else -1
        for level in condition.levels:
            samples, limit = level.timing.samples, limit_of(level).limit
            newest = values[-samples:]
            if len(newest) == samples and all((value - limit) * sign > 0 for value in newest):
                is_worse = known_tier is None or list(Tier).index(level.tier) > list(Tier).index(known_tier)
                return level.tier if is_worse or not is_present else "nothing"
        newest = values[-condition.clearing.samples :]
        mildest = limit_of(condition.levels[-1]).limit
        is_normal = len(newest) == condition.clearing.samples and all((v - mildest) * sign <= 0 for v in newest)
        return None if is_present and is_normal else "nothing"

    def end(self, condition: Condition) -> None:
        if self.open.pop(condition.name, None) and self.readings[condition.vital_type]:
            self.counts_after[condition.name] = max(self.readings[condition.vital_type])


OBSERVATIONS = st.tuples(
    st.sampled_from(["x", "x", "x", "y"]),
    st.sampled_from([-5, 0, 5, 10, 15, 20, 25, 25]),
    st.integers(0, 30),
    st.sampled_from([0, 0, 0, 10, 11]),
    st.sampled_from(["act", "act", "act", "latch", "fail"]),
)
ENDS = st.sampled_from(SMALL.conditions)
OPEN_AT_START = st.dictionaries(
    st.sampled_from([condition.name for condition in SMALL.conditions]),
    st.tuples(st.sampled_from(Tier), st.booleans()),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(OBSERVATIONS | ENDS, max_size=60), st.booleans(), OPEN_AT_START)
def test_a_watch_decides_as_somebody_would_who_looks_at_all_readings_anew(
    steps: list[tuple[str, float, int, int, str] | Condition],
    is_in_order: bool,
    open_at_start: dict[str, tuple[Tier, bool]],
) -> None:
    """Checked by changing the length of the series, its order, its duplicates, and each comparison."""
    watch, naive = PatientWatch(SMALL), NaiveWatch()
    for name, (tier, is_present) in open_at_start.items():
        watch.reported(name, tier, is_present=is_present)
        naive.open[name] = (tier, is_present)
    for number, step in enumerate(steps):
        if isinstance(step, Condition):
            watch.ended(step.name)
            naive.end(step)
            continue
        vital_type, value, seconds, age_seconds, outcome = step
        seconds = number if is_in_order else seconds
        measured_at = NOW + seconds * SECOND

        decisions = watch.observe(vital_type, value, measured_at, now=measured_at + age_seconds * SECOND)

        told = [(it.condition.name, tier) for it, tier in zip(decisions, tiers(decisions), strict=True)]
        assert told == naive.observe(vital_type, value, seconds, age_seconds)
        if outcome == "fail":
            continue
        for decision in decisions:
            condition = decision.condition
            if isinstance(decision, Present):
                watch.reported(condition.name, decision.finding.tier)
                naive.open[condition.name] = (decision.finding.tier, True)
            elif outcome == "latch":
                tier = naive.open[condition.name][0]
                watch.reported(condition.name, tier, is_present=False)
                naive.open[condition.name] = (tier, False)
            else:
                watch.ended(condition.name)
                naive.end(condition)


@settings(deadline=None)
@given(st.lists(st.integers(-5, 25), max_size=80), st.booleans())
def test_nothing_is_reported_twice_without_a_change(values: list[int], latches: bool) -> None:
    bedside = Bedside(SMALL)
    told: dict[str, list[Tier | None]] = {"high": [], "low": []}
    for value in values:
        for decision in bedside.measure("x", [value]):
            name, [tier] = decision.condition.name, tiers([decision])
            told[name].append(tier)
            if tier is not None:
                bedside.watch.reported(name, tier)
            elif latches:
                last = told[name][-2]
                assert last is not None
                bedside.watch.reported(name, last, is_present=False)
            else:
                bedside.watch.ended(name)

    for course in told.values():
        assert course[:1] != [None], "what was never there is not gone"
        for earlier, later in pairwise(course):
            assert (earlier is None) != (later is None) or (earlier and later and later.is_worse_than(earlier))


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
