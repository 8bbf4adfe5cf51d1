"""What could hold, and what could end, beside every value tried one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.rules.chart import Chart, Series, View
from app.modules.alerts.rules.criteria import Combination, Criterion, Direction, Limit, NoReading
from app.modules.alerts.rules.possible import ANYTHING, MOST_BOXES, Boxes, Possible, Quantity
from app.modules.vitals.signs import Numeric

SIGNS = {"a": Numeric("", frozenset(), 0, 6), "b": Numeric("", frozenset(), 2, 4)}
AT = datetime(2026, 3, 1, tzinfo=UTC)

#: Between limits that are whole numbers, and margins that are halves, nothing lies that these do not meet.
VALUES = [(a / 4, b / 4) for a, b in product(range(25), range(8, 17))]

limits = st.builds(Limit, st.sampled_from("ab"), st.sampled_from(Direction), st.integers(-1, 7).map(float))
criteria = st.recursive(
    limits,
    lambda part: st.builds(
        Combination, st.lists(part, min_size=2, max_size=3).map(tuple), needs_all=st.booleans()
    ),
    max_leaves=6,
)  # fmt: skip


def seen(values: tuple[float, float]) -> View:
    chart = Chart({"a": Series(), "b": Series()})
    for series, value in zip(chart.series.values(), values, strict=True):
        series.insert(AT, value)
    return View(chart, AT)


def inside(boxes: Boxes, values: tuple[float, float]) -> bool:
    spans = [
        [(box.get(Quantity(sign)), value) for sign, value in zip("ab", values, strict=True)] for box in boxes
    ]  # fmt: skip
    return any(
        all(
            span is None
            or not span.meet(span._replace(low=value, high=value, is_above_low=False, is_below_high=False)).is_empty
            for span, value in box
        )
        for box in spans
    )


@given(criteria, st.sampled_from([0.0, 0.5, 1.0, 2.5]))
def test_it_is_possible_exactly_where_some_value_does_it(criterion: Criterion, hysteresis: float) -> None:
    """Fails with limits that count as beyond themselves, and with the ranges of the signs left out (checked so)."""
    holding = Possible(SIGNS).holds(criterion)
    back = Possible(SIGNS).is_back(criterion, hysteresis)
    views = {values: seen(values) for values in VALUES}
    for values, view in views.items():
        assert criterion.holds(view) is inside(holding, values)
        assert criterion.is_back(view, hysteresis) is inside(back, values)
    assert bool(holding) is any(criterion.holds(view) for view in views.values())
    assert bool(back) is any(criterion.is_back(view, hysteresis) for view in views.values())


@pytest.mark.parametrize(
    ("limit", "hysteresis", "is_possible"),
    [(49.8, 0.2, True), (99.9, 0.1, False), (95, 5, True), (95, 5.1, False), (-1e10, 1e10, True)],
)
def test_what_is_back_is_reckoned_to_the_last_digit_as_readings_are(
    limit: float, hysteresis: float, *, is_possible: bool
) -> None:
    """100 - 99.9 is a little less than 0.1: an alarm with this limit would not end at 100."""
    signs = {"a": Numeric("", frozenset(), -1e9, 50 if limit == 49.8 else 100)}
    low = Limit("a", Direction.BELOW, limit)
    assert bool(Possible(signs).is_back(low, hysteresis)) is is_possible
    assert low.is_within(signs["a"].highest, hysteresis) is is_possible


def test_a_value_counts_no_more_after_a_silence_as_long_as_it_may_be_old() -> None:
    silence = NoReading("a", timedelta(seconds=60))
    for max_age, is_possible in ((60, False), (61, True), (None, True)):
        limit = Limit("a", Direction.BELOW, 3, timedelta(seconds=max_age) if max_age else None)
        both = Combination((silence, limit), needs_all=True)
        assert bool(Possible(SIGNS).holds(both)) is is_possible


def test_where_there_are_too_many_ways_it_is_left_open() -> None:
    """And in no time: all of them would be more than there are atoms."""
    either = [
        Combination(tuple(NoReading(f"{sign}{number}", timedelta(1)) for number in range(16)), needs_all=False)
        for sign in range(100)
    ]
    assert len(Possible(SIGNS).holds(either[0])) == 16 <= MOST_BOXES
    assert Possible(SIGNS).holds(Combination(tuple(either), needs_all=True))
    assert Possible(SIGNS).holds(Combination(tuple(either[:2]), needs_all=True)) == ANYTHING
