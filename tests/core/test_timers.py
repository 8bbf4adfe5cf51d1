"""The timer wheel against the simplest thing that could do the same: a list that is looked through."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.core.timers import TimerWheel

#: Times are multiples of a sixteenth, which are exact as floats, so that no comparison hangs on rounding.
SLOT_SECONDS = 0.25
MOMENTS = st.integers(0, 80).map(lambda sixteenths: sixteenths / 16)


class WheelAndList(RuleBasedStateMachine):
    """`held` is what the wheel ought to hold: item → (slot, the moment that it is to be looked at)."""

    @initialize(start=MOMENTS)
    def begin(self, start: float) -> None:
        self.now = self.looked_at = start
        self.wheel: TimerWheel[int] = TimerWheel(slot_seconds=SLOT_SECONDS, now=start)
        self.held: dict[int, tuple[int, float]] = {}
        self.items = 0

    @rule(in_seconds=st.integers(-16, 80).map(lambda sixteenths: sixteenths / 16))
    def put(self, in_seconds: float) -> None:
        at = max(0.0, self.now + in_seconds)
        self.items += 1
        self.held[self.items] = (self.wheel.put(self.items, at), max(at, self.looked_at))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def take_out(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(self.held)))
        slot, _ = self.held.pop(item)
        self.wheel.take_out(item, slot)
        self.wheel.take_out(item, slot)

    @rule(seconds=MOMENTS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def look(self) -> None:
        self.looked_at = self.now
        found = self.wheel.due(self.now)
        assert len(found) == len(set(found))
        for item in found:
            _, at = self.held.pop(item)
            assert at <= self.now, "given out early"
        overdue = [item for item, (_, at) in self.held.items() if at + SLOT_SECONDS <= self.now]
        assert overdue == [], "given out later than one slot after its time"

    @invariant()
    def nothing_else_is_held(self) -> None:
        if hasattr(self, "wheel"):
            assert len(self.wheel) == len(self.held)


def test_an_item_is_never_given_out_early_nor_later_than_one_slot() -> None:
    """Fails when an item is put into the slot of its own time rather than the next one, when what lies in
    the past goes into a slot that is over, and when a slot that was skipped is not looked at (checked so).
    """
    run_state_machine_as_test(WheelAndList, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


def test_an_item_that_is_taken_out_leaves_nothing_behind() -> None:
    wheel: TimerWheel[str] = TimerWheel(slot_seconds=1, now=0)
    slot = wheel.put("a", 5)
    wheel.put("b", 5)

    wheel.take_out("a", slot)
    wheel.take_out("never there", slot + 7)

    assert wheel.due(100) == ["b"]
    assert len(wheel) == 0
    assert wheel._slots == {}
