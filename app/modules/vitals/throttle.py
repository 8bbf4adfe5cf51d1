"""Keeps a device to what can be taken of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from app.core.direct import DirectReceiver
from app.modules.vitals.inbox import Inbox

#: A device that is too fast is told so once in this time.
SLOW_DOWN_SECONDS = 5.0


class Throttle:
    """Asks a device that is too fast to slow down, and sees to it that no more waits than may.

    A device that has been asked once is held back by TCP, and nothing is lost. One that has to be asked again
    goes on all the same: then its oldest waveforms give way to what comes behind them, numerics among it.

    Args:
        ask: asks the device to slow down.
        drop_oldest: throws the oldest waveforms away, so that there is room.

    Attributes:
        receiver: what reads the connection, where it is read directly; otherwise who reads waits for `room`.
        is_held: whether nothing is to be read.
        times_asked: how often it was asked since it last kept to what we can take.
    """

    __slots__ = ("_ask", "_asked_at", "_drop_oldest", "_inbox", "is_held", "receiver", "room", "times_asked")

    def __init__(self, inbox: Inbox, *, ask: Callable[[], None], drop_oldest: Callable[[], None]) -> None:
        self._inbox = inbox
        self._ask = ask
        self._drop_oldest = drop_oldest
        self._asked_at = -inf
        self.receiver: DirectReceiver | None = None
        self.is_held = False
        self.times_asked = 0
        self.room = asyncio.Event()
        self.room.set()

    def press(self, now: float) -> None:
        """Look at what waits, because it has become more or older."""
        if abs(now - self._asked_at) >= SLOW_DOWN_SECONDS and self._inbox.is_behind(now):
            self._asked_at = now
            self.times_asked += 1
            self._ask()
        if self._inbox.is_full and self.times_asked > 1:
            self._drop_oldest()
        if self._inbox.is_full:
            self.hold()

    def hold(self) -> None:
        """Read nothing more of the connection."""
        if not self.is_held:
            self.is_held = True
            self.room.clear()
            if self.receiver is not None:
                self.receiver.pause()

    def ease(self, *, may_read: bool) -> None:
        """Look at what waits, because it has become less, and read on where there is room and nothing else forbids."""
        if self._inbox.are_few:
            self.times_asked = 0
        if self.is_held and self._inbox.has_room and may_read:
            self.is_held = False
            self.room.set()
            if self.receiver is not None:
                self.receiver.resume()
