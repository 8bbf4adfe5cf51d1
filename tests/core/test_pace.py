from __future__ import annotations

import asyncio
import itertools
from functools import partial

import pytest

from app.core.pace import REQUESTS_PER_TURN, RequestPace

pytestmark = pytest.mark.anyio


async def test_requests_that_come_at_once_begin_in_order_and_a_few_in_each_turn_of_the_loop() -> None:
    """Fails when `start` begins each request at once (checked so)."""
    pace = RequestPace()
    begun: list[int] = []
    wanted = list(range(5 * REQUESTS_PER_TURN + 3))
    for number in wanted:
        pace.start(partial(begun.append, number))

    in_turns = [0, len(begun)]
    while len(begun) < len(wanted):
        await asyncio.sleep(0)
        in_turns.append(len(begun))

    assert begun == wanted
    assert all(later - earlier <= REQUESTS_PER_TURN for earlier, later in itertools.pairwise(in_turns))


async def test_a_request_that_comes_alone_begins_at_once_and_leaves_nothing_behind() -> None:
    pace = RequestPace()
    begun: list[int] = []
    for number in range(3):
        pace.start(partial(begun.append, number))
        assert begun == list(range(number + 1))
        for _ in range(3):
            await asyncio.sleep(0)
    assert len(begun) == 3
