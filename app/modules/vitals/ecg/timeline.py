"""PURE: frames of one set of leads put on one line of time, at a rate that is cheap to analyse."""

from __future__ import annotations

from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.modules.vitals.ecg.millivolts import to_millivolts
from app.modules.vitals.samples import Samples

#: Beats are looked for in so much signal: the length on which template matching was validated
#: (Orphanidou et al. 2015, doi:10.1109/JBHI.2014.2338351), and still five beats at 30 /min.
WINDOW_SECONDS: Final = 10.0

#: A missing frame is waited for until so much signal has come after it.
PATIENCE_SECONDS: Final = 0.5

#: A hole up to this long is drawn over and marked; after a longer one the line begins anew.
LONGEST_HOLE_SECONDS: Final = 1.0

#: A time stamp may be so far from what the count of samples says, or half a frame if that is less.
JITTER_SECONDS: Final = 0.025

#: How much of that is put down to the clocks, which drift, and not to chance.
FOLLOWED: Final = 0.1

#: Late frames that come one after the other for so long are the present: the device's clock was put back.
CLOCK_PUT_BACK_SECONDS: Final = 5.0

#: Samples are averaged, two or more to one, as long as at least so many a second are left.
LOWEST_KEPT_HZ: Final = 200.0


class Timeline:
    """The last ten seconds of some leads, complete up to the newest whole second.

    Seconds are counted in samples from where the line began: where they end depends on the samples
    alone, and not on how they were cut into frames or when those came.
    """

    def __init__(self, sample_rate_hz: float, leads: int, begins_at: float, *, millivolts: float = 1.0) -> None:
        self._taken_hz = sample_rate_hz
        self._millivolts = millivolts
        self._averaged = max(1, int(sample_rate_hz // LOWEST_KEPT_HZ))
        self.rate_hz = sample_rate_hz / self._averaged
        self.leads = leads
        self._second = round(self.rate_hz)
        self._waiting: list[tuple[float, Samples]] = []
        self._late_seconds = 0.0
        #: Counts every beginning, so that nothing is measured from one line to another.
        self.number = 0
        self._next = begins_at
        #: When a frame came last, by our own clock: those of two devices differ.
        self.heard_at = -inf
        self._begin()

    def _begin(self) -> None:
        self._rest = np.empty((self.leads, 0), np.float32)
        self._kept = np.empty((self.leads, 0), np.float32)
        self._is_drawn = np.empty(0, np.bool_)
        self._end = 0
        self._looked_at = 0
        self.number += 1

    def add(self, started_at: float, samples: Samples) -> None:
        """Take a frame, in whatever order they come."""
        self._waiting.append((started_at, samples))

    def is_like(self, sample_rate_hz: float, millivolts: float) -> bool:
        """Whether frames of this rate and unit go onto this line."""
        return sample_rate_hz == self._taken_hz and millivolts == self._millivolts

    @property
    def ends_at(self) -> float:
        """Up to when there is signal, in seconds of the epoch."""
        return self._next

    @property
    def window_end(self) -> int:
        """The end of the newest whole second, in kept samples since the line began."""
        return self._end - self._end % self._second

    @property
    def second_at(self) -> float:
        """When the newest whole second ended."""
        return self.time_of(self.window_end)

    @property
    def is_due(self) -> bool:
        """Whether a second has become complete since `window` was called."""
        return self.window_end > self._looked_at

    @property
    def due_at(self) -> float:
        """When the next second will be complete."""
        return self.time_of(self.window_end + self._second)

    def time_of(self, index: float) -> float:
        """When a kept sample was taken, in seconds of the epoch."""
        return self._next - (self._end - index) / self.rate_hz - self._rest.shape[1] / self._taken_hz

    def window(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The ten seconds, or as much as there is, up to `window_end`, and which samples were drawn over a hole."""
        self._looked_at = self.window_end
        stop = self._kept.shape[1] - (self._end - self.window_end)
        start = max(0, stop - round(WINDOW_SECONDS * self.rate_hz))
        return self._kept[:, start:stop], self._is_drawn[start:stop]

    def advance(self) -> None:
        """Put what has come onto the line, as far as it is complete or not worth waiting for."""
        self._waiting.sort(key=lambda frame: frame[0])
        run: list[Samples] = []
        consumed = 0
        for started_at, samples in self._waiting:
            length_seconds = samples.length / self._taken_hz
            ahead_seconds = started_at - self._next
            if abs(ahead_seconds) > min(JITTER_SECONDS, length_seconds / 2):
                if ahead_seconds < 0 and self._end and self._late_seconds < CLOCK_PUT_BACK_SECONDS:
                    self._late_seconds += length_seconds
                    consumed += 1
                    continue
                newest_at = self._waiting[-1][0]
                if 0 < ahead_seconds <= LONGEST_HOLE_SECONDS and newest_at - self._next < PATIENCE_SECONDS:
                    break
                self._append(run)
                run = []
                if 0 < ahead_seconds <= LONGEST_HOLE_SECONDS:
                    self._draw_over(round(ahead_seconds * self._taken_hz), samples)
                else:
                    self._begin()
                self._next, ahead_seconds = started_at, 0.0
            self._late_seconds = 0.0
            # The stamps are followed as a whole, and not each of them: what jitters would look like holes.
            self._next += length_seconds + FOLLOWED * ahead_seconds
            run.append(samples)
            consumed += 1
        self._append(run)
        del self._waiting[:consumed]

    def _draw_over(self, missing: int, after: Samples) -> None:
        """Join the two sides of a hole by a straight line, so that the filters see no step."""
        newest = self._rest[:, -1:] if self._rest.shape[1] else self._kept[:, -1:]
        until = to_millivolts([after], self.leads, self._millivolts)[:, :1]
        line = newest + (until - newest) * np.linspace(0.0, 1.0, missing, dtype=np.float32)
        self._put(line.astype(np.float32), is_drawn=True)

    def _append(self, run: list[Samples]) -> None:
        if run:
            self._put(to_millivolts(run, self.leads, self._millivolts), is_drawn=False)

    def _put(self, values: NDArray[np.float32], *, is_drawn: bool) -> None:
        """Keep samples, averaged down; those that do not fill a mean wait for the next ones."""
        if self._rest.shape[1]:
            values = np.concatenate((self._rest, values), axis=1)
        count = values.shape[1] // self._averaged
        # A copy, because a view would keep all the samples that it was cut from.
        self._rest = values[:, count * self._averaged :].copy()
        if self._averaged > 1:
            phases = [values[:, phase : count * self._averaged : self._averaged] for phase in range(self._averaged)]
            values = sum(phases[1:], phases[0]) / np.float32(self._averaged)
        longest = round((WINDOW_SECONDS + 1) * self.rate_hz)
        self._kept = np.concatenate((self._kept, values), axis=1)[:, -longest:]
        self._is_drawn = np.concatenate((self._is_drawn, np.full(count, is_drawn)))[-longest:]
        self._end += count
