"""PURE: when something that is wrong counts as an alarm.

Nine of ten alarms on a ward mean nothing, and most of those are short. A level may therefore ask for
consecutive samples and for delays; and so that nobody who is ill waits for a delay, what comes again and
again, or is far out, counts sooner. An extreme asks for nothing, and counts at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

#: A value stands for no longer than this where magnitude × duration is summed up over sparse samples.
LONGEST_STAND: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Repetition:
    """So many separate violations count, whatever the delay, where the last begins so long after the first at most."""

    times: int
    within: timedelta


@dataclass(frozen=True)
class Timing:
    """When a violation counts: after all of samples and delays, or by repetition, or by burden.

    Attributes:
        samples: consecutive ones.
        condition_delay: how long it must hold before there is an alarm condition.
        signal_delay: how long that must hold before it is signalled; the two add up.
        repetition: counts at once with the last violation of so many.
        burden: magnitude × duration, in the unit of the sign times seconds, from which on it counts, as
            SatSeconds does for saturation.
    """

    samples: int = 1
    condition_delay: timedelta = timedelta(0)
    signal_delay: timedelta = timedelta(0)
    repetition: Repetition | None = None
    burden: float | None = None

    @cached_property
    def delay(self) -> timedelta:
        return self.condition_delay + self.signal_delay

    @property
    def horizon(self) -> timedelta:
        """How far back a violation is of interest."""
        return max(self.delay, self.repetition.within if self.repetition else timedelta(0))


#: An extreme: its first sample counts.
AT_ONCE: Final = Timing()


class Run:
    """The samples in a row, up to the last one, that violate one level.

    Attributes:
        at: when it was last looked.
    """

    __slots__ = ("_burden", "_last_at", "_starts", "at", "began", "count", "timing")

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.count = 0
        self.began: datetime | None = None
        self.at: datetime | None = None
        self._last_at: datetime | None = None
        self._burden = 0.0
        self._starts: list[datetime] = []

    def step(self, at: datetime, *, violates: bool, excess: float = 0.0) -> None:
        """Take the next sample in; another look at the moment of the last one makes no second sample of it.

        Args:
            excess: how far beyond the limit.
        """
        self.at = at
        if not violates:
            self.count = 0
            self._burden = 0.0
            return
        if self.count == 0:
            self.began = at
            if self.timing.repetition is not None:
                earliest = at - self.timing.repetition.within
                self._starts = [start for start in self._starts if start >= earliest] + [at]
        elif self._last_at == at:
            return
        elif self._last_at is not None:
            self._burden += excess * min(at - self._last_at, LONGEST_STAND).total_seconds()
        self.count += 1
        self._last_at = at

    def counts(self) -> bool:
        """Whether the violation is an alarm."""
        return self.count > 0 and (self._is_long() or self._is_repeated() or self._is_heavy())

    def how_it_counts(self) -> str:
        """How the violation came to count, as a phrase that ends a reason."""
        timing = self.timing
        if self._is_long():
            if timing.delay:
                return f" for {timing.delay.total_seconds():g} s"
            return f" for {timing.samples} samples" if timing.samples > 1 else ""
        if timing.repetition is not None and self._is_repeated():
            times, within = timing.repetition.times, timing.repetition.within
            return f" for the {_ordinal(times)} time within {within.total_seconds():g} s"
        return f", so far that magnitude × duration is {self._burden:.3g}, limit {timing.burden:g}"

    def _is_long(self) -> bool:
        if self.began is None or self.at is None or self.count < self.timing.samples:
            return False
        return not self.timing.delay or self.at - self.began >= self.timing.delay

    def _is_repeated(self) -> bool:
        repetition = self.timing.repetition
        if repetition is None or self.at is None or len(self._starts) < repetition.times:
            return False
        earliest = self.at - repetition.within
        return sum(start >= earliest for start in self._starts) >= repetition.times

    def _is_heavy(self) -> bool:
        return self.timing.burden is not None and self._burden >= self.timing.burden


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
