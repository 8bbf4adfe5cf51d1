from __future__ import annotations

from datetime import timedelta

import pytest

from app.modules.strips.strip import Segment, Trace, fits, grid_for, merge, quantise
from tests.modules.strips.curves import at, counts, pack


def segment(first: int, length: int, *, ahead_seconds: float = 0.0, scale: float = 0.005) -> Segment:
    started_at = at(first)
    return Segment(
        started_at, started_at + timedelta(seconds=ahead_seconds), 250.0, scale, 0.0, pack(counts(first, length))
    )


def trace(*segments: Segment, lead: str = "II") -> Trace:
    return Trace("ecg", lead, "mV", segments)


def test_parts_of_two_nodes_become_one_strip_in_which_each_moment_is_once() -> None:
    one = [trace(segment(0, 500), lead="I"), trace(segment(0, 500))]
    two = [trace(segment(400, 600))]
    merged = {trace.lead: trace.segments for trace in merge([one, two])}
    assert [(s.started_at, tuple(s.integers())) for s in merged["II"]] == [(at(0), counts(0, 1000))]
    assert [s.length for s in merged["I"]] == [500]


def test_parts_with_a_gap_between_them_keep_it() -> None:
    (merged,) = merge([[trace(segment(600, 400))], [trace(segment(0, 500))]])
    assert [(s.started_at, s.length) for s in merged.segments] == [(at(0), 500), (at(600), 400)]


def test_no_part_is_no_trace() -> None:
    assert merge([]) == merge([[]]) == ()


@pytest.mark.parametrize(
    ("values", "unit", "grid"),
    [
        ([0.12, 0.14, 0.11], "mV", (1e-4, 0.0)),  # no finer than a tenth of a microvolt
        ([0.0, 0.0], "mV", (1e-4, 0.0)),
        ([3.2767, -3.2767], "mV", (1e-4, 0.0)),
        ([3.2768], "mV", (1e-3, 0.0)),
        ([120.0, -3.5], "uV", (0.1, 0.0)),
        ([4095.0, 0.0], "", (1.0, 0.0)),
        ([0.5, 1.0], "", (1e-4, 0.0)),
        ([100_000.0, 100_050.0], "", (0.01, 100_025.0)),
        ([0.0, 5e-324], "", (1e-12, 0.0)),
    ],
)
def test_values_are_counted_in_powers_of_ten(values: list[float], unit: str, grid: tuple[float, float]) -> None:
    assert grid_for(values, unit) == grid
    assert fits(values, *grid, unit)
    assert Segment(at(0), at(0), 1.0, *grid, quantise(values, *grid)).values() == pytest.approx(values, abs=grid[0])


def test_a_grid_is_left_when_values_outgrow_it_or_shrink_to_a_tenth() -> None:
    assert not fits([3.3], 1e-4, 0.0, "mV")
    assert fits([1.0], 1e-3, 0.0, "mV")
    assert not fits([0.01, 0.02], 1e-3, 0.0, "")
