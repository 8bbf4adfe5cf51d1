"""Works off the waveforms that have arrived on all sockets, a slice at a time.

Those that somebody watches are taken in the loop's next turn. The others are gathered for three quarters of a second
and taken together: the frames of one device one after another cost half of what they cost one by one between
the reads of others, which push each other's data out of the processor's caches. However many wait: one turn of
the loop takes them for the time of a slice, a few of each socket in its turn, and between two slices the loop
does everything else. Readings and alerts do not wait for waveforms.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

#: A slice ends at this age. The invariant is 10 ms; the rest is for what the loop has to do besides in the same turn.
SLICE_SECONDS = 0.005

#: How long frames of a socket are gathered, and how often it is looked for those that are due: sixteen of most
#: devices by then. Every look wakes the server while devices send.
GATHER_SECONDS = 0.75
TICK_SECONDS = 0.06

#: Frames of one socket that are taken before others have their turn: all that gather of most devices, since those that
#: were left would be taken one by one.
FRAMES_IN_A_ROW = 20


class Source(Protocol):
    """A socket on which waveforms arrive."""

    def take_waveforms(self, limit: int) -> bool:
        """Take so many of those that wait; answers whether there are more. It must not raise."""
        ...


class Intake:
    """The sockets on which waveforms wait."""

    def __init__(self) -> None:
        self._gathering: deque[tuple[float, Source]] = deque()
        self._is_ticking = False
        self._due: deque[Source] = deque()
        self._is_scheduled = False

    def gather(self, source: Source) -> None:
        """Take what will have arrived on a socket a little later, all together."""
        loop = asyncio.get_running_loop()
        self._gathering.append((loop.time() + GATHER_SECONDS, source))
        if not self._is_ticking:
            self._is_ticking = True
            loop.call_later(TICK_SECONDS, self._tick)

    def add(self, source: Source) -> None:
        """Take what waits on a socket from the loop's next turn on."""
        self._due.append(source)
        self._go_on()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._gathering and self._gathering[0][0] <= now:
            self._due.append(self._gathering.popleft()[1])
        self._is_ticking = bool(self._gathering)
        if self._is_ticking:
            loop.call_later(TICK_SECONDS, self._tick)
        self._go_on()

    def _go_on(self) -> None:
        if self._due and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self._is_scheduled = False
        until = time.perf_counter() + SLICE_SECONDS
        try:
            while self._due:
                source = self._due.popleft()
                if source.take_waveforms(FRAMES_IN_A_ROW):
                    self._due.append(source)
                if time.perf_counter() >= until:
                    break
        finally:
            # Also where a source has failed, against its promise: the others would wait for the next who comes.
            self._go_on()
