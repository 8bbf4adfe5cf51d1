"""How long a connection that takes nothing is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.core.sinks import Sink


class Patience:
    """Says once that a sink has taken nothing for so long; what it takes meanwhile begins the time anew."""

    __slots__ = ("_on_lost", "_seconds", "_sink", "_stuck_since", "_timer", "_unsent_bytes")

    def __init__(self, sink: Sink, seconds: float, on_lost: Callable[[], None]) -> None:
        self._sink = sink
        self._seconds = seconds
        self._on_lost = on_lost
        self._stuck_since = 0.0
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Count from now on."""
        self.stop()
        self._note_progress()
        self._look_again()

    def stop(self) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note_progress(self) -> None:
        self._stuck_since = asyncio.get_running_loop().time()
        self._unsent_bytes = self._sink.unsent_bytes()

    def _look_again(self) -> None:
        # Halves, so that progress in the middle puts the end off by little more than it is worth.
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 2, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._sink.unsent_bytes() != self._unsent_bytes:
            self._note_progress()
        elif asyncio.get_running_loop().time() >= self._stuck_since + self._seconds:
            self._on_lost()
            return
        self._look_again()
