"""The search for how many patients a core carries, against cores that carry a known number."""

from __future__ import annotations

import pytest

from bench.scenarios.ward import FINE_ENOUGH, MOST_SERVER_SHARE, Search


def found(carried: int, *, start: int = 200, most: int = 1000, overhead: float = 0.0) -> tuple[int, list[int]]:
    """The largest number that held, and all that were tried, on a core that is full with so many."""
    held = 0
    tried: list[int] = []
    search = Search(start, most)
    for patients in search:
        assert len(tried) < 20, f"no end: {tried}"
        tried.append(patients)
        share = overhead + (MOST_SERVER_SHARE - overhead) * patients / carried
        holds = patients < carried
        held = max(held, patients if holds else 0)
        search.learn(patients, holds=holds, server_share=share)
    return held, tried


@pytest.mark.parametrize("carried", [3, 40, 180, 430, 700, 1001])
@pytest.mark.parametrize("overhead", [0.0, 0.2])
def test_it_comes_near_to_what_the_core_carries(carried: int, overhead: float) -> None:
    held, tried = found(carried, overhead=overhead)
    assert held < carried
    assert held >= (1 - 3 * FINE_ENOUGH) * (carried - 1) - 1, tried
    assert len(tried) <= 10


def test_no_attempt_has_more_than_the_most() -> None:
    held, tried = found(5000, most=1000)
    assert held == max(tried) == 1000
    assert len(tried) == 2


def test_nothing_is_tried_twice() -> None:
    _, tried = found(430, overhead=0.3)
    assert len(tried) == len(set(tried))


def test_a_core_that_carries_nobody_ends_the_search() -> None:
    held, tried = found(1, start=100)
    assert held == 0
    assert tried[-1] == 1
