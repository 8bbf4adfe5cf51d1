"""Writes to viewers what waits for them, a slice at a time.

However many frames come for however many viewers, and however many connections take frames again at
once: one turn of the loop writes for the time of a slice, and between two the loop does everything else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

import structlog

from app.modules.vitals.viewer import Viewer

#: A slice ends at this age. The invariant is 10 ms; the rest is for what the loop has to do besides in
#: the same turn.
SLICE_SECONDS = 0.005

_log = structlog.get_logger(__name__)


class Fanout:
    """The viewers that have frames to be written, each with one write when its turn comes."""

    def __init__(self) -> None:
        self._due: deque[Viewer] = deque()
        self._is_scheduled = False

    def add(self, viewer: Viewer) -> None:
        """Write what waits for a viewer, from the loop's next turn on."""
        self._due.append(viewer)
        self._go_on()

    def _go_on(self) -> None:
        if self._due and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._is_scheduled = False
        until = time.perf_counter() + SLICE_SECONDS
        while self._due:
            viewer = self._due.popleft()
            try:
                if viewer.write_next():
                    self._due.append(viewer)
            except OSError:
                viewer.break_off()
            except Exception:
                # Its own alone: it is let go of, and the others have their turn.
                _log.exception("vitals.delivery_failed")
                viewer.break_off()
            if time.perf_counter() >= until:
                break
        self._go_on()
