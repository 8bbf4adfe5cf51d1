"""The fan-out on its own: the real manager, and connections that take their time, or raise, or are too late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.roles import Role
from app.modules.alerts.cohort import BATCH, MOST_BYTES
from app.modules.alerts.encoding import ClosingReason
from tests.modules.alerts.fan import DOCTOR, NURSE, SLOW_SECONDS, Fan, seqs

pytestmark = pytest.mark.anyio


async def test_an_event_for_many_is_written_in_slices_between_which_the_loop_does_everything_else() -> None:
    """Fails when the age of a slice is not looked at (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(300)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    await fan.until_written(300)

    assert all(sink.taken == [1] for sink in sinks)
    assert fan.most_writes_in_a_turn() <= BATCH


async def test_events_that_come_together_go_to_each_in_one_write() -> None:
    """Fails when a write holds one event (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(3)]

    fan.publish(*["low"] * 100)
    await fan.until_written(300)

    assert all(sink.taken == list(range(1, 101)) for sink in sinks)
    assert len(fan.turns_of_writes) == 3


async def test_a_write_holds_so_much_and_no_more_however_much_comes_together() -> None:
    """A slow connection keeps what it has not taken of one. Fails when its length is not looked at (checked so)."""
    fan = Fan()
    sink = fan.subscriber()

    fan.publish(*["low"] * 1000)
    await fan.until_written(1000)

    assert sink.taken == list(range(1, 1001))
    assert MOST_BYTES / 2 < max(map(len, sink.chunks)) <= MOST_BYTES


async def test_an_event_that_comes_while_another_is_on_its_way_is_given_together_with_it_where_that_is_possible() -> (
    None
):
    """Fails when those who have neither are given one after the other (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    begun = len(fan.written)
    assert 0 < begun < 200
    fan.publish("high")
    await fan.until_written(2 * 200)

    assert all(sink.taken == [1, 2] for sink in sinks)
    assert len(fan.turns_of_writes) == 200 + begun


async def test_high_priority_for_others_does_not_wait_until_low_priority_is_through() -> None:
    """Fails when the cohorts are served in the order of the events' numbers (checked so)."""
    fan = Fan()
    for _ in range(200):
        fan.subscriber()
    doctors = [fan.subscriber(DOCTOR) for _ in range(5)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    begun = len(fan.written)
    fan.publish("high", to=Role.DOCTOR)
    await fan.until_written(205)

    assert [seq for _, seq in fan.written[begun : begun + 5]] == [2] * 5
    assert all(sink.taken == [2] for sink in doctors)


@pytest.mark.parametrize("error", [ConnectionResetError(), RuntimeError("a mistake of ours")], ids=repr)
async def test_one_whose_connection_raises_touches_no_other_and_is_cut_off_rather_than_left_with_a_gap(
    error: Exception,
) -> None:
    """Fails when an error in the innermost loop is not caught there, and when one that is no `OSError` is
    only logged: its subscriber then goes on after the event that it was not given (checked so).
    """
    fan = Fan()
    errors = [error]

    def break_down(chunk: bytes) -> None:
        if seqs(chunk) and errors:
            raise errors.pop()

    before = [fan.subscriber() for _ in range(10)]
    broken = fan.subscriber(taking=break_down)
    after = [fan.subscriber() for _ in range(10)]

    fan.publish("low")
    fan.publish("low")
    await fan.until_written(40)

    assert all(sink.taken == [1, 2] for sink in before + after)
    assert (broken.taken, broken.is_cut_off) == ([], True)
    assert fan.manager.open_count() == 20


async def test_an_expired_token_gets_no_event_even_before_anybody_has_looked_at_the_time() -> None:
    """The timer wheel does not turn here. Fails when the fan-out does not compare the expiry (checked so)."""
    fan = Fan()
    brief, lasting = fan.subscriber(lifetime=timedelta(seconds=1)), fan.subscriber()

    fan.publish("low")
    fan.clock.advance(timedelta(seconds=1))
    fan.publish("high")

    assert (brief.taken, lasting.taken) == ([1], [1, 2])
    assert fan.lives[0].closing == "token_expired"
    assert fan.manager.open_count() == 1


async def test_one_who_has_read_further_in_the_log_than_the_fan_out_is_not_given_what_it_has() -> None:
    """Fails when such a one stands with those who are level (checked so)."""
    fan = Fan()
    level, ahead = fan.subscriber(), fan.subscriber(position=2)

    fan.publish("low", "low", "low")
    fan.publish("low")

    assert (level.taken, ahead.taken) == ([1, 2, 3, 4], [3, 4])
    assert fan.lives[1].place is not None, "once it is level, it stands with the others"


async def test_high_priority_for_others_waits_for_one_round_at_most_of_those_for_whom_more_keeps_coming() -> None:
    """Fails when a cohort is served until it has everything, however much keeps coming for it (checked so)."""
    fan = Fan()
    for _ in range(300):
        fan.subscriber()
    doctor = fan.subscriber(DOCTOR)
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("high")
    fan.publish("high", to=Role.DOCTOR)
    turns = 0
    while not doctor.taken and turns < 100:
        if turns % 2:
            fan.publish("low")
        await asyncio.sleep(0)
        turns += 1

    assert turns <= 2 * 300 / BATCH


async def test_what_one_cohort_was_given_early_does_not_put_it_first_afterwards() -> None:
    """Fails when the place in the order of what has been given is kept (checked so)."""
    fan = Fan()
    for _ in range(BATCH):
        fan.subscriber()
    doctor = fan.subscriber(DOCTOR)
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("high", "high")
    fan.publish("low")
    fan.publish("high", to=Role.DOCTOR)
    await fan.until_written(3 * BATCH + 1)

    order = [seq for _, seq in fan.written]
    assert order.index(4) < order.index(3)
    assert doctor.taken == [4]


async def test_one_who_comes_while_event_follows_event_stands_with_the_others_after_one_round() -> None:
    """Fails when nobody is let in before everybody has everything (checked so)."""
    fan = Fan()
    for _ in range(300):
        fan.subscriber()
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    fan.subscriber()
    newcomer = fan.lives[-1]
    places = [newcomer.place]
    for _ in range(300 // BATCH + 1):
        fan.publish("low")
        await asyncio.sleep(0)

    places.append(newcomer.place)
    assert places == [None, 300]
    assert newcomer.cohort.is_behind, "events were on their way all the time"


async def test_who_comes_and_goes_while_nothing_happens_leaves_no_place_behind() -> None:
    """Fails when gaps are closed with events alone (checked so)."""
    fan = Fan()
    fan.subscriber()
    for _ in range(1000):
        fan.subscriber()
        fan.lives.pop().left()

    assert fan.lives[0].cohort.places < 100


async def test_an_error_while_one_is_given_the_rest_of_a_frame_touches_no_other() -> None:
    """Fails when it is not caught where the rest is given (checked so)."""
    fan = Fan()
    broken, blocked, *others = [fan.subscriber() for _ in range(200)]
    broken.close_room()
    blocked.close_room()
    broken.breaks_on_writing = True

    fan.publish("low")
    blocked.make_room()
    await fan.until_written(199)

    assert (broken.taken, broken.is_cut_off) == ([], True)
    assert all(sink.taken == [1] for sink in (blocked, *others))


async def test_a_stream_that_is_closed_while_an_event_is_on_its_way_gets_nothing_after_its_last_words() -> None:
    """Fails when closing leaves a subscription ready (checked so)."""
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    (closed, its_sink) = next((life, sink) for life, sink in zip(fan.lives, sinks, strict=True) if not sink.taken)
    closed.close(ClosingReason.ACCESS_CHANGED)
    await fan.until_written(199)

    assert its_sink.taken == []
    assert b"access_changed" in its_sink.last_words
    assert sum(sink.taken == [1] for sink in sinks) == 199


async def test_a_patient_who_is_no_longer_covered_while_an_event_is_on_its_way_is_not_told_of() -> None:
    """Fails when a change of rights leaves a subscription ready at its old position (checked so)."""
    fan = Fan()
    both = replace(NURSE, patient_ids=frozenset({"P1", "P2"}))
    sinks = [fan.subscriber(both) for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low")
    (changed, its_sink) = next((life, sink) for life, sink in zip(fan.lives, sinks, strict=True) if not sink.taken)
    changed.rescope(replace(NURSE, patient_ids=frozenset({"P2"})))
    await fan.until_written(199)

    assert its_sink.taken == []
    fan.publish("low", patient_id="P2")
    await fan.until_written(399)
    assert its_sink.taken == [2]


async def test_the_position_of_a_quiet_client_stays_behind_what_is_still_being_written() -> None:
    """A client that keeps the cursor of such a keepalive would lose the event. Fails when one in the
    circle counts as having reached the head (checked so).
    """
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(200)]
    fan.seconds_per_write = SLOW_SECONDS

    fan.publish("low", "low")
    unserved = [life for life in fan.lives if life.reached() == 0]
    assert unserved
    for life in unserved:
        life.keep_alive()
        assert life.reached() == 0
    await fan.until_written(400)

    assert all(sink.taken == [1, 2] for sink in sinks)
    fan.lives[0].keep_alive()
    assert fan.lives[0].reached() == 2
