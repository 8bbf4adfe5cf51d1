"""Works off the waveforms that have arrived on all sockets, a slice at a time.

As long as they are few they are taken as they arrive, which spares them a queue. However many come at once:
one turn of the loop takes the others for the time of a slice, a few of each socket in its turn, and between
two slices the loop does everything else. Readings and alerts do not wait for waveforms.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

#: A slice ends at this age. The invariant is 10 ms; the rest is for what the loop has to do besides in the same turn.
SLICE_SECONDS = 0.005

#: Frames of all sockets that may be taken as they arrive in this time: about as long as a slice. No turn of the
#: loop is waited for, because waiting for one costs as much as taking a frame.
FRAMES_AT_ONCE = 400
AT_ONCE_SECONDS = 0.01

#: Frames of one socket that are taken before others have their turn.
FRAMES_IN_A_ROW = 8


class Source(Protocol):
    """A socket on which waveforms arrive."""

    def take_waveforms(self, limit: int) -> bool:
        """Take so many of those that wait; answers whether there are more. It must not raise."""
        ...


class Intake:
    """The sockets on which waveforms wait."""

    def __init__(self) -> None:
        self._due: deque[Source] = deque()
        self._is_scheduled = False
        self._left_at_once = FRAMES_AT_ONCE
        self._counts_from = 0.0

    def may_take_at_once(self, now: float) -> bool:
        """Whether a small frame may be taken right now: nobody waits, and there have not been many."""
        if now - self._counts_from >= AT_ONCE_SECONDS:
            self._counts_from, self._left_at_once = now, FRAMES_AT_ONCE
        if self._due or not self._left_at_once:
            return False
        self._left_at_once -= 1
        return True

    def add(self, source: Source) -> None:
        """Take what waits on a socket that is not here yet, from the loop's next turn on."""
        self._due.append(source)
        self._go_on()

    def _go_on(self) -> None:
        if self._due and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self._is_scheduled = False
        until = time.perf_counter() + SLICE_SECONDS
        while self._due:
            source = self._due.popleft()
            if source.take_waveforms(FRAMES_IN_A_ROW):
                self._due.append(source)
            if time.perf_counter() >= until:
                break
        self._go_on()
