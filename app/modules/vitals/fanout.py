"""Writes to viewers what waits for them, a slice at a time.

However many frames come for however many viewers, and however many connections take frames again at
once: one turn of the loop writes for the time of a slice, and between two the loop does everything else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

#: A slice ends at this age. The invariant is 10 ms; the rest is for what the loop has to do besides in
#: the same turn.
SLICE_SECONDS = 0.005


class Writer(Protocol):
    """A viewer, or several, for whom something waits."""

    def write_next(self) -> bool:
        """Write a little, and answer whether there is more; never raises."""
        ...


class Fanout:
    """Those who have something to write, a little of it each when their turn comes."""

    def __init__(self) -> None:
        self._due: deque[Writer] = deque()
        self._is_scheduled = False

    def add(self, writer: Writer) -> None:
        """Have it write from the loop's next turn on."""
        self._due.append(writer)
        self._go_on()

    def _go_on(self) -> None:
        if self._due and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._is_scheduled = False
        until = time.perf_counter() + SLICE_SECONDS
        while self._due:
            writer = self._due.popleft()
            if writer.write_next():
                self._due.append(writer)
            if time.perf_counter() >= until:
                break
        self._go_on()
