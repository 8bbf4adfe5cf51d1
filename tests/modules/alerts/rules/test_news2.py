"""Every cell of the table (Royal College of Physicians, 2017), at both of its edges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.alerts.rules.news2 import Observations, Score, score

#: parameter, SpO2 scale, other observations; and of each cell the lowest and highest value, and its points.
CELLS: list[tuple[str, int, dict[str, float], list[tuple[float, float, int]]]] = [
    ("respiratory_rate", 1, {}, [(0, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 150, 3)]),
    ("spo2", 1, {}, [(0, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)]),
    ("spo2", 1, {"oxygen": 2}, [(0, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)]),
    ("spo2", 2, {"oxygen": 0}, [(0, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 100, 0)]),
    ("spo2", 2, {}, [(0, 83, 3), (84, 85, 2), (86, 87, 1), (88, 100, 0)]),
    (
        "spo2",
        2,
        {"oxygen": 0.5},
        [(0, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 94, 1), (95, 96, 2), (97, 100, 3)],
    ),
    ("oxygen", 1, {}, [(0, 0, 0), (0.1, 100, 2)]),
    ("systolic_bp", 1, {}, [(0, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 400, 3)]),
    ("pulse", 1, {}, [(0, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 350, 3)]),
    ("consciousness", 1, {}, [(0, 0, 0), (1, 1, 3), (2, 2, 3), (3, 3, 3), (4, 4, 3)]),
    ("temperature", 1, {}, [(10, 35.0, 3), (35.1, 36.0, 1), (36.1, 38.0, 0), (38.1, 39.0, 1), (39.1, 50, 2)]),
]


@pytest.mark.parametrize(
    ("parameter", "scale", "others", "value", "points"),
    [
        (parameter, scale, others, value, points)
        for parameter, scale, others, cells in CELLS
        for lowest, highest, points in cells
        for value in (lowest, highest)
    ],
)
def test_a_cell_of_the_table_has_these_points(
    parameter: str, scale: int, others: dict[str, Any], value: float, points: int
) -> None:
    scored = score(Observations(**{**others, parameter: value}), spo2_scale=scale)

    assert scored.points[parameter] == points


@pytest.mark.parametrize(
    ("parameter", "value", "points"),
    [("spo2", 91.4, 3), ("spo2", 91.5, 2), ("temperature", 38.04, 0), ("temperature", 38.05, 1), ("pulse", 130.5, 3)],
)
def test_between_two_cells_a_value_is_rounded_as_it_would_be_charted(parameter: str, value: float, points: int) -> None:
    assert score(Observations(**{parameter: value})).points[parameter] == points


def test_the_worst_of_everything_is_twenty_and_a_well_patient_is_zero() -> None:
    worst = score(Observations(30, 80, 1, 80, 140, 4, 34))
    well = score(Observations(14, 98, 0, 120, 70, 0, 37))

    assert (worst.total, worst.highest, worst.is_complete) == (20, 3, True)
    assert (well.total, well.highest, well.is_complete) == (0, 0, True)


VALUES = {
    "respiratory_rate": st.floats(0, 150),
    "spo2": st.floats(0, 100),
    "oxygen": st.sampled_from([0.0, 1.0, 15.0]),
    "systolic_bp": st.floats(0, 400),
    "pulse": st.floats(0, 350),
    "consciousness": st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0]),
    "temperature": st.floats(10, 50),
}


@given(st.fixed_dictionaries(VALUES), st.sets(st.sampled_from(sorted(VALUES))), st.sampled_from([1, 2]))
def test_what_was_not_measured_never_adds_to_the_total(seen: dict[str, float], missing: set[str], scale: int) -> None:
    """So that an alarm at a total of 7 is never raised for a patient whose whole score is less."""
    whole = score(Observations(**seen), spo2_scale=scale)
    part = score(Observations(**{name: value for name, value in seen.items() if name not in missing}), spo2_scale=scale)

    assert 0 <= part.total <= whole.total <= 20
    assert part.highest <= whole.highest <= 3
    assert part.is_complete is not bool(missing)


def test_nothing_measured_is_no_points() -> None:
    assert score(Observations()) == Score({})
    assert (Score({}).total, Score({}).highest) == (0, 0)
