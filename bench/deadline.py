"""A point in time by which something has to be done, so that nothing waits for ever."""

from __future__ import annotations

import time


class OverdueError(Exception):
    """Something was not done in time; the text says what."""


class Deadline:
    """Counts from its making."""

    def __init__(self, seconds: float, what: str) -> None:
        self._at = time.monotonic() + seconds
        self._seconds = seconds
        self._what = what

    @property
    def left(self) -> float:
        return max(0.0, self._at - time.monotonic())

    def check(self, so_far: str = "") -> None:
        """
        Raises:
            OverdueError: the time is up.
        """
        if self.left == 0:
            raise OverdueError(f"{self._what} took longer than {self._seconds:g} s{so_far and f' ({so_far})'}")
