from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.metrics import Metrics
from app.modules.vitals.devices import Devices
from app.modules.vitals.sequence import FAR, MOST_MISSING, Break, Sequence


def told(numbers: list[int]) -> tuple[Sequence, Counter[Break]]:
    sequence = Sequence()
    counts: Counter[Break] = Counter()
    for number in numbers:
        if noticed := sequence.note(number):
            counts[noticed[0]] += noticed[1]
    return sequence, counts


@pytest.mark.parametrize(
    ("numbers", "missing", "late", "breaks"),
    [
        ([], 0, 0, {}),
        ([0, 1, 2], 0, 0, {}),
        ([7, 8], 0, 0, {}),
        ([0, 3], 2, 0, {Break.GAP: 2}),
        ([0, 3, 1], 1, 1, {Break.GAP: 2, Break.LATE: 1}),
        ([0, 3, 1, 1], 1, 1, {Break.GAP: 2, Break.LATE: 1, Break.REPEATED: 1}),
        ([0, 0], 0, 0, {Break.REPEATED: 1}),
        ([5, 6, 5, 7], 0, 0, {Break.REPEATED: 1}),
        ([5, 6, 0, 1], 0, 0, {Break.RESTART: 1}),
        ([5, 8, 0, 6], 2 + 5, 0, {Break.GAP: 2 + 5, Break.RESTART: 1}),
        ([50_000, 1, 2], 0, 0, {Break.RESTART: 1}),
        ([0, FAR + 2, FAR + 3], 0, 0, {Break.RESTART: 1}),
    ],
)
def test_numbers_tell_what_is_missing_late_repeated_or_begun_anew(
    numbers: list[int], missing: int, late: int, breaks: dict[Break, int]
) -> None:
    sequence, counts = told(numbers)
    assert (sequence.missing, sequence.late, dict(counts)) == (missing, late, breaks)
    assert sequence.has_begun == bool(numbers)


@given(st.sets(st.integers(1, 198)), st.lists(st.integers(0, 8), min_size=200, max_size=200))
def test_whatever_is_lost_and_delayed_is_counted_once(lost: set[int], delays: list[int]) -> None:
    sent = [number for number in range(200) if number not in lost]
    # The first and the last come in their places, so that nothing is missing outside of what is counted.
    order = sorted(sent[1:-1], key=lambda number: number + delays[number])
    numbers = [sent[0], *order, sent[-1]]
    late, newest = 0, -1
    for number in numbers:
        late += number < newest
        newest = max(newest, number)
    sequence, counts = told(numbers)
    assert (sequence.missing, sequence.late) == (len(lost), late)
    assert counts[Break.GAP] == len(lost) + late
    assert counts[Break.REPEATED] == counts[Break.RESTART] == 0


@given(st.lists(st.integers(0, 2**53), max_size=50))
def test_no_numbers_make_it_remember_much(numbers: list[int]) -> None:
    sequence, _ = told(numbers)
    assert len(sequence._open) <= MOST_MISSING


def test_a_device_goes_on_counting_on_its_next_connection_and_what_it_loses_is_counted() -> None:
    metrics = Metrics()
    devices = Devices(metrics, limit=2)
    for number in (0, 1, 4, 3, 3):
        devices.of("u", "P1").note(number)
    devices.of("u", "P2").note(9)
    devices.of("u", "P1").note(5)
    values = {
        name: metrics.registry.get_sample_value(f"tocsin_vitals_{name}_total")
        for name in ("frames_missing", "frames_reordered", "frames_repeated", "sequence_restarts")
    }
    assert values == {"frames_missing": 2, "frames_reordered": 1, "frames_repeated": 1, "sequence_restarts": 0}
    known = devices.of("u", "P1")
    devices.of("u", "P3")
    assert devices.of("u", "P1") is known
    assert not devices.of("u", "P2").sequence.has_begun


def test_that_a_device_is_there_is_told_no_more_often_than_is_asked_for() -> None:
    device = Devices(Metrics()).of("u", "P1")
    told = [now for now in (10.0, 10.5, 10.99, 11.0, 11.5, 13.0) if device.is_news(now, 1)]
    assert told == [10.0, 11.0, 13.0]
