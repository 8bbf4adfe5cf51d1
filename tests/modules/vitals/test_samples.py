from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.modules.vitals.samples import Counts, Numbers

_FINITE = st.floats(-1e12, 1e12)


@given(st.lists(_FINITE, min_size=1, max_size=40))
@example([1e12, -1e12])
@example([5e-324, 0.0])
@example([3.0, 3.0])
def test_numbers_become_counts_that_are_right_to_half_a_step(row: list[float]) -> None:
    counts = Numbers((tuple(row),)).counts()
    (scale,) = counts.scales
    assert math.isfinite(scale)
    assert scale != 0
    values = counts.values()
    # A step that is smaller than a double is exact to has no half.
    slack = max(map(abs, row)) * 1e-12 + 5e-324
    assert all(abs(sent - got) <= scale / 2 * (1 + 1e-9) + slack for sent, got in zip(row, values, strict=True))


def test_what_does_not_change_is_kept_exactly() -> None:
    assert Numbers(((0.1, 0.1),)).counts().values() == [0.1, 0.1]


@given(st.lists(st.integers(-32768, 32767), min_size=2, max_size=20), st.floats(-1e3, 1e3).filter(bool))
def test_counts_are_planar_and_each_lead_has_its_worth(counts: list[int], scale: float) -> None:
    half = len(counts) // 2
    data = struct.pack(f"<{2 * half}h", *counts[: 2 * half])
    samples = Counts(data, (scale, 2.0), (0.0, -1.0))
    assert samples.length == half
    assert samples.values(0) == [count * scale + 0.0 for count in counts[:half]]
    assert samples.values(1) == [count * 2.0 - 1.0 for count in counts[half : 2 * half]]
    assert samples.counts() is samples


@pytest.mark.parametrize("scale", [0.001, 0.005, 1 / 200, 0.00244140625, 3.0, 250.0, 5e-324, 1e-300, 1e8, -0.01])
def test_rounding_moves_no_sample_by_a_hundredth_of_a_count(scale: float) -> None:
    samples = Counts(struct.pack("<5h", -32768, -1, 0, 570, 32767), (scale,), (0.0,))
    for exact, rounded in zip(samples.values(), samples.rounded(), strict=True):
        assert abs(exact - rounded) <= abs(scale) / 100
