"""PURE: the heart rate as a bedside monitor shows it, from the newest RR intervals."""

from __future__ import annotations

from collections import deque
from typing import Final

#: So many intervals are averaged, without the longest and the shortest (design/clinical: as monitors do it).
AVERAGED: Final = 12

#: Where the last three are all longer than this, the heart is slow, and the mean of the last four is nearer to it.
SLOW_SECONDS: Final = 1.2

#: Fewer intervals than this are no rate yet.
FEWEST: Final = 4

#: An interval that ended longer ago than this says nothing about now: 12 of 1.2 s are 14.4 s.
OLDEST_SECONDS: Final = 20.0


class HeartRate:
    """The newest RR intervals, and the rate that they make."""

    def __init__(self) -> None:
        self._intervals: deque[tuple[float, float]] = deque(maxlen=AVERAGED)

    def add(self, ended_at: float, seconds: float) -> None:
        """Take one more interval; they come in order."""
        self._intervals.append((ended_at, seconds))

    def at(self, moment: float) -> float | None:
        """The rate per minute; none while there are too few intervals of the last 20 s."""
        recent = [seconds for ended_at, seconds in self._intervals if moment - ended_at <= OLDEST_SECONDS]
        if len(recent) < FEWEST:
            return None
        is_slow = min(recent[-3:]) > SLOW_SECONDS
        averaged = recent[-4:] if is_slow else sorted(recent)[1:-1]
        return 60.0 * len(averaged) / sum(averaged)
