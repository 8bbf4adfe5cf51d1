"""Writes each event to everybody who may see it, a slice at a time.

One event for ten thousand subscribers takes a tenth of a second of writing, in which the server would
take no vital sign and no acknowledgement. So the work is cut into slices, between which the loop does
everything else. An alert of high priority does not wait until one of low priority is through: it goes
first, and takes along what its subscribers have not been given yet, because each of them gets every
event in the order of the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.core.metrics import Metrics
from app.modules.alerts.encoding import Wire
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.subscription import Subscription

#: A slice ends at this age. The invariant is 10 ms; the rest is for the one write that is under way,
#: and for what the loop has to do besides in the same turn.
SLICE_SECONDS = 0.005

#: Writes between two looks at the time.
_BATCH = 32

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    """One event on its way to those who read it over one wire."""

    entry: LogEntry
    wire: Wire
    targets: list[Subscription]
    urgency: tuple[int, int]
    done: int = 0


class Fanout:
    """Every event that has been handed in and is not written to everybody yet.

    Args:
        end_expired: ends the subscribers whose token has ended by now. It is called before each batch,
            so that the time of a token need not be looked at for each subscriber.
    """

    def __init__(self, metrics: Metrics, *, end_expired: Callable[[], None]) -> None:
        self._metrics = metrics
        self._end_expired = end_expired
        self._jobs: list[_Job] = []
        self._is_scheduled = False

    def add(self, entry: LogEntry, wire: Wire, targets: list[Subscription]) -> None:
        """Take in an event with its subscribers; `run` begins to write it."""
        self._jobs.append(_Job(entry, wire, targets, (entry.urgency, entry.seq)))

    def through(self, head: int) -> int:
        """The position up to which everything has been written, or left to a queue or to the log."""
        return min((job.entry.seq for job in self._jobs), default=head + 1) - 1

    def run(self) -> None:
        """Write for the time of one slice; what is left then is gone on with by itself."""
        if not self._is_scheduled:
            self._slice()

    def _slice(self) -> None:
        self._is_scheduled = False
        until = time.perf_counter() + SLICE_SECONDS
        while self._jobs:
            job = min(self._jobs, key=lambda job: job.urgency)
            self._carry_on(job, until)
            if job.done >= len(job.targets):
                self._jobs.remove(job)
            if self._jobs and time.perf_counter() >= until:
                # In the loop's next turn, after it has looked at its sockets.
                self._is_scheduled = True
                asyncio.get_running_loop().call_soon(self._slice)
                return

    def _carry_on(self, job: _Job, until: float) -> None:
        frame, seq, targets = job.wire.event(job.entry), job.entry.seq, job.targets
        size = len(frame)
        earlier = sorted({other.entry.seq: other.entry for other in self._jobs if other.entry.seq < seq}.items())
        overtaken = [entry for _, entry in earlier]
        # Each may be given so many events at once.
        batch = max(1, _BATCH // (1 + len(overtaken)))
        written = 0
        while job.done < len(targets):
            # This loop is what delivery costs: for each subscriber one call of the kernel, and next to
            # nothing else. `send` is the socket's own; names that are looked up again and again are local.
            self._end_expired()
            now = time.monotonic()
            for subscription in targets[job.done : job.done + batch]:
                try:
                    if overtaken:
                        subscription.give(overtaken)
                    if subscription.is_ready and subscription.position < seq:
                        subscription.position = seq
                        subscription.sent += 1
                        subscription.touched = now
                        written += 1
                        # Two steps, because an attribute that is called is looked up as a method: more slowly.
                        send = subscription.send
                        try:
                            sent = send(frame)
                        except BlockingIOError:
                            sent = 0
                        if sent != size:
                            subscription.spill(frame[sent:])
                    else:
                        subscription.offer(job.entry)
                except Exception as error:
                    # It may lack this event, so that it must not go on: it comes back with its cursor.
                    if not isinstance(error, OSError):
                        _log.exception("alerts.delivery_failed", transport=job.wire.transport)
                    subscription.sink.abort()
                    subscription.left()
            job.done += batch
            if time.perf_counter() >= until:
                break
        self._metrics.events_delivered.labels(transport=job.wire.transport).inc(written)
