"""PURE: one wheel for the timers of many thousand connections.

A timer per connection costs an object and a place in the loop's heap for each, and is moved with each
event that is sent. Here an item lies in the slot of the moment when it is to be looked at next; whoever
looks at it finds out what is due, and puts it back. So sending costs a number, and moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class TimerWheel(Generic[Item]):
    """Holds items until their time has come; never gives one out early, and late by less than one slot.

    An item whose time is a whole number of slots is given out exactly then.
    """

    def __init__(self, *, slot_seconds: float, now: float) -> None:
        self._slot_seconds = slot_seconds
        self._slots: dict[int, set[Item]] = {}
        self._next = int(now / slot_seconds)

    def put(self, item: Item, at: float) -> int:
        """Hold an item until `at`; the answer is its slot, for `take_out`."""
        slot = max(math.ceil(at / self._slot_seconds), self._next)
        self._slots.setdefault(slot, set()).add(item)
        return slot

    def take_out(self, item: Item, slot: int) -> None:
        """Forget an item, if it is still there."""
        items = self._slots.get(slot)
        if items is not None:
            items.discard(item)
            if not items:
                del self._slots[slot]

    def due(self, now: float) -> list[Item]:
        """Give out every item whose time has come."""
        last = int(now / self._slot_seconds)
        found = [item for slot in range(self._next, last + 1) for item in self._slots.pop(slot, ())]
        self._next = max(self._next, last + 1)
        return found

    def __len__(self) -> int:
        return sum(len(items) for items in self._slots.values())
