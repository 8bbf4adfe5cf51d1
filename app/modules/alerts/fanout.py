"""Writes each event to everybody who may see it, a slice at a time.

One event for ten thousand subscribers takes a twentieth of a second of writing, in which the server would
take no vital sign and no acknowledgement. So the work is cut into slices, between which the loop does
everything else. An alert of high priority does not wait until one of low priority is through: those whom
it is for are served first, with what they have not been given yet, because each of them gets every event
in the order of the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from app.core.metrics import Metrics
from app.modules.alerts.cohort import Cohort
from app.modules.alerts.schemas import LogEntry

#: A slice ends at this age. The invariant is 10 ms; the rest is for the one batch that is under way,
#: and for what the loop has to do besides in the same turn.
SLICE_SECONDS = 0.005


class Fanout:
    """Every cohort that has not been given everything yet.

    Args:
        end_expired: ends the subscribers whose token has ended by now. It is called before each slice,
            so that the time of a token need not be looked at for each subscriber.

    Attributes:
        head: the number up to which entries have been handed in.
    """

    def __init__(self, metrics: Metrics, *, end_expired: Callable[[], None]) -> None:
        self.head = 0
        self._metrics = metrics
        self._end_expired = end_expired
        self._due: list[tuple[int, int, int, Cohort]] = []
        self._numbers = count()
        self._is_scheduled = False

    def add(self, entry: LogEntry, cohorts: list[Cohort]) -> None:
        """Take in the next event with those who may see it; `run` begins to write it."""
        self.head = entry.seq
        urgency = entry.urgency
        for cohort in cohorts:
            cohort.add(entry)
            if cohort.is_behind:
                # It stands here once for each event, until everybody in its circle has that one.
                heappush(self._due, (urgency, entry.seq, next(self._numbers), cohort))

    def run(self) -> None:
        """Write for the time of one slice; what is left then is gone on with by itself."""
        if not self._is_scheduled:
            self._slice()

    def _slice(self) -> None:
        self._is_scheduled = False
        self._end_expired()
        until = time.perf_counter() + SLICE_SECONDS
        while self._due:
            _, seq, _, cohort = self._due[0]
            if cohort.has_given(seq):
                heappop(self._due)
                continue
            written = cohort.write_batch(time.monotonic(), head=self.head)
            self._metrics.events_delivered.labels(transport=cohort.wire.transport).inc(written)
            if time.perf_counter() >= until:
                # In the loop's next turn, after it has looked at its sockets.
                self._is_scheduled = True
                asyncio.get_running_loop().call_soon(self._slice)
                return
