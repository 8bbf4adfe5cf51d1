"""Whatever comes, a watch decides as one that is simple, slow and never forgets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.modules.alerts.lifecycle import Plan, Tier
from app.modules.alerts.rules.book import Clearing, Condition, Level, RuleBook
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.timing import Timing
from app.modules.alerts.rules.watch import PatientWatch, Present
from tests.modules.alerts.rules.bedside import NOW, SECOND, Bedside, limit_of, tiers


def plain(name: str, vital_type: str, side: Direction, levels: list[tuple[Tier, float, int]], clear: int) -> Condition:
    """A condition with nothing but limits and samples."""
    written = tuple(Level(tier, Limit(vital_type, side, limit), Timing(samples)) for tier, limit, samples in levels)
    return Condition(name, vital_type, "", written, Clearing(clear))


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
