from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.vitals.inbox import (
    MANY,
    MOST_BYTES,
    MOST_OTHERS,
    MOST_WAVEFORMS,
    OLD_SECONDS,
    STALE_SECONDS,
    Arrived,
    Inbox,
)
from app.modules.vitals.intake import FRAMES_IN_A_ROW, GATHER_SECONDS, SLICE_SECONDS, Intake
from app.modules.vitals.refusals import MOST_REMEMBERED, Refusals
from tests.servers import until

pytestmark = pytest.mark.anyio


def inbox_with(waveforms: int = 0, others: int = 0, *, size: int = 10, at: float = 0.0) -> Inbox:
    inbox = Inbox()
    for number in range(waveforms + others):
        inbox.put(Arrived(number + 1, b"x" * size, at), is_waveform=number < waveforms)
    return inbox


@pytest.mark.parametrize(
    "inbox",
    [
        inbox_with(MOST_WAVEFORMS + 1),
        inbox_with(0, MOST_OTHERS + 1),
        inbox_with(0, 2, size=MOST_BYTES // 2 + 1),
        inbox_with(2, size=MOST_BYTES // 2 + 1),
    ],
)
def test_an_inbox_is_full_by_number_or_by_size_and_has_room_again_when_half_of_it_is_done(inbox: Inbox) -> None:
    assert inbox.is_full
    was = len(inbox)
    while not inbox.has_room:
        if inbox.waveforms:
            inbox.next_waveforms(1)
        else:
            inbox.done_with(inbox.others[0])
        assert not inbox.is_full
    assert len(inbox) <= (was + 1) // 2
    inbox.clear()
    assert inbox.has_room
    assert len(inbox) == 0


def test_waveforms_that_have_waited_too_long_are_thrown_away_and_nothing_else_is() -> None:
    inbox = inbox_with(2, 2, at=10)
    inbox.put(Arrived(5, b"new", 12), is_waveform=True)
    assert inbox.drop_stale(10 + STALE_SECONDS) == 0
    assert inbox.drop_stale(10.1 + STALE_SECONDS) == inbox.dropped == 2
    assert [arrived.number for arrived in inbox.waveforms] == [5]
    assert len(inbox.others) == 2


@pytest.mark.parametrize("size", [10, 3 * MOST_BYTES // MOST_WAVEFORMS])
def test_the_oldest_waveforms_make_room_and_nothing_else_is_thrown_away(size: int) -> None:
    inbox = inbox_with(MOST_WAVEFORMS + 1, 2, size=size)
    assert inbox.is_full
    dropped = inbox.drop_oldest()
    assert inbox.has_room
    left = [arrived.number for arrived in inbox.waveforms]
    assert left == list(range(dropped + 1, MOST_WAVEFORMS + 2))
    assert (dropped, len(inbox.others), bool(left)) == (inbox.dropped, 2, True)


def test_too_many_others_cost_no_waveform() -> None:
    inbox = inbox_with(3, MOST_OTHERS + 1)
    assert (inbox.drop_oldest(), inbox.is_full) == (0, True)


def test_what_is_no_waveform_after_all_is_put_in_its_place() -> None:
    inbox = inbox_with(0, 4, size=MOST_BYTES // 3)
    earlier, later = inbox.others[1], inbox.others[3]
    for arrived in (later, earlier):
        inbox.done_with(arrived)
    was_full = inbox.is_full
    for arrived in (later, earlier):
        inbox.put_among_others(arrived)
    assert (was_full, inbox.is_full) == (False, True)
    assert [arrived.number for arrived in inbox.others] == [1, 2, 3, 4]


@given(st.permutations(range(1, 30)).flatmap(lambda them: st.tuples(st.just(them), st.integers(0, 29))))
def test_refusals_in_a_row_are_counted_in_the_order_of_arrival(example: tuple[list[int], int]) -> None:
    numbers, many = example
    refusals = Refusals()
    for count, number in enumerate(numbers[:many], 1):
        refused = set(numbers[:count])
        first = next(n for n in range(number, -1, -1) if n - 1 not in refused)
        last = next(n for n in range(number, 31) if n + 1 not in refused)
        assert refusals.add(number) == last - first + 1


def test_refusals_far_apart_are_forgotten() -> None:
    refusals = Refusals()
    assert {refusals.add(number) for number in range(0, 20 * MOST_REMEMBERED, 2)} == {1}
    assert len(refusals._numbers) == MOST_REMEMBERED


def test_a_device_is_too_far_ahead_by_number_or_by_age() -> None:
    assert not inbox_with(MANY).is_behind(0)
    assert inbox_with(MANY, 1).is_behind(0)
    for inbox in (inbox_with(1, 0), inbox_with(0, 1)):
        assert not inbox.is_behind(OLD_SECONDS)
        assert inbox.is_behind(OLD_SECONDS + 0.1)


@dataclass
class Flood:
    """A socket on which so many waveforms wait, each of which takes its time."""

    left: int
    seconds_each: float = 0.0005

    def take_waveforms(self, limit: int) -> bool:
        taken = min(limit, self.left)
        until_then = time.perf_counter() + taken * self.seconds_each
        while time.perf_counter() < until_then:
            pass
        self.left -= taken
        return bool(self.left)


async def test_the_loop_turns_between_two_slices_however_much_waits() -> None:
    intake, flood = Intake(), Flood(400)
    in_a_slice = SLICE_SECONDS / flood.seconds_each + FRAMES_IN_A_ROW
    intake.add(flood)
    while flood.left:
        before = flood.left
        await asyncio.sleep(0)
        assert before - flood.left <= in_a_slice


async def test_who_has_little_does_not_wait_for_who_has_much() -> None:
    intake, flood, little = Intake(), Flood(4000), Flood(FRAMES_IN_A_ROW)
    intake.add(flood)
    await asyncio.sleep(0)
    intake.add(little)
    await until(lambda: not little.left)
    assert flood.left > 2000
    flood.left = 0
    await asyncio.sleep(0)


async def test_who_fails_keeps_nobody_else_from_being_taken() -> None:
    class Failing(Flood):
        def take_waveforms(self, limit: int) -> bool:
            raise RuntimeError("against its promise")

    intake, little = Intake(), Flood(1)
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    intake.add(Failing(1))
    intake.add(little)
    await until(lambda: not little.left)
    assert told == ["against its promise"]


async def test_what_arrives_on_a_socket_is_gathered_for_a_while_unless_it_is_wanted_at_once() -> None:
    intake = Intake()
    gathered, hurried = Flood(1), Flood(1)
    began_at = asyncio.get_running_loop().time()
    intake.gather(gathered)
    intake.add(hurried)
    await asyncio.sleep(0)
    assert (gathered.left, hurried.left) == (1, 0)
    await until(lambda: not gathered.left)
    assert asyncio.get_running_loop().time() >= began_at + GATHER_SECONDS
