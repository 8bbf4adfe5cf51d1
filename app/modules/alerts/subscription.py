"""One subscriber's course: opened, snapshot or replay, ready, live, and why it ended.

No task belongs to it. Whatever happens brings it on from where it stands: its opening, a connection that
takes more, a page of the log that has been read, a change of its rights. So an idle subscriber is a few
hundred bytes, and a live one costs a write per event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from app.core.access import Scope
from app.core.sinks import Sink
from app.modules.alerts.cohort import Cohort
from app.modules.alerts.encoding import (
    Closing,
    ClosingReason,
    Keepalive,
    Message,
    NotRecovered,
    Opened,
    Ready,
    Scoped,
)
from app.modules.alerts.feed import Feed
from app.modules.alerts.schemas import Cursor, LogEntry, LogPage

if TYPE_CHECKING:
    from app.modules.alerts.manager import AlertConnectionManager

_log = structlog.get_logger(__name__)

#: Of a snapshot or a replay so much may wait for the connection, so that it comes in few writes.
ENOUGH_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Start:
    """Where a subscriber begins in the log.

    Attributes:
        newcomers: patients who came into view only after `position`, and whose open alerts the
            client has never been sent.
    """

    position: int
    recovered: bool
    reason: NotRecovered | None = None
    wants_snapshot: bool = True
    newcomers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Showing:
    """A snapshot under way: the open alerts of these patients (none: of all that are covered), after a position."""

    patient_ids: frozenset[str] | None
    after: int = 0


class Subscription(Feed[LogEntry]):
    """A reader of the log: what it may see, how far it has come, and when its right ends.

    Attributes:
        cohort: those who see the same as this one.
        place, entered_at: where it stands in the cohort's circle, if it does, and after how many events it
            came there. While it does, `position`, `sent` and `touched` are those of when it came.
        expires_at: when its token ends, in whole seconds of POSIX time, as tokens tell it.
        expiry_slot: where it lies in the manager's wheel of tokens.
        touched: when it was last written to, as `time.monotonic` counts.
        showing: the snapshot that it is to be given next, before anything else.
        unsent_bytes, stuck_since: how a paused connection looked when it last made progress.
        slot: where it lies in the manager's timer wheel.
        user_id: whose it is, for the limit on how many one user may have.
    """

    __slots__ = (
        "_is_joining",
        "_is_waiting",
        "_manager",
        "_newcomers",
        "_tells_scope",
        "closing",
        "cohort",
        "entered_at",
        "expires_at",
        "expiry_slot",
        "is_open",
        "on_end",
        "opened_at",
        "place",
        "scope",
        "sent",
        "showing",
        "sink",
        "slot",
        "stuck_since",
        "touched",
        "unsent_bytes",
        "user_id",
        "wire",
    )

    def __init__(
        self,
        manager: AlertConnectionManager,
        scope: Scope,
        cohort: Cohort,
        start: Start,
        *,
        sink: Sink,
        user_id: str,
        expires_at: datetime,
        queue_limit: int,
        now: float,
    ) -> None:
        super().__init__(start.position, queue_limit=queue_limit)
        self._manager = manager
        self._newcomers = start.newcomers
        self._tells_scope = True
        self._is_joining = True
        self._is_waiting = False
        self.showing: Showing | None = None
        if not start.recovered and start.wants_snapshot:
            self.showing, self._newcomers = Showing(None), frozenset()
        self.sink = sink
        self.wire = cohort.wire
        self.scope = scope
        self.cohort = cohort
        self.place: int | None = None
        self.entered_at = 0
        self.user_id = user_id
        self.expires_at = int(expires_at.timestamp())
        self.closing: ClosingReason | None = None
        self.is_open = True
        self.on_end: Callable[[], None] | None = None
        self.sent = 0
        self.opened_at = self.touched = self.stuck_since = now
        self.unsent_bytes = 0
        self.slot = self.expiry_slot = 0

    def begin(self, start: Start) -> None:
        """Say that the stream is open, and give the client what it has come for."""
        if self.sink.is_paused:
            self.pause()
        self._write(self.wire.message(Opened(self._cursor(), start.recovered, start.reason)))
        self.proceed()

    def proceed(self) -> None:
        """Go on as far as the connection, and what is in memory, allow."""
        self._go_on()
        if self.is_live:
            self.cohort.enter(self, head=self._manager.head)

    def block(self) -> None:
        missing = self.cohort.step_aside(self, head=self._manager.head)
        super().block()
        for entry in missing:
            self.offer(entry)

    def fall_behind(self) -> None:
        self.cohort.leave(self, head=self._manager.head)
        super().fall_behind()

    def reached(self) -> int:
        """The position up to which it has been given everything that it may see."""
        if self.place is not None:
            return self.cohort.position_of(self.place, head=self._manager.head)
        return self.settle(self._manager.head) if self.is_ready else self.position

    def last_written(self) -> float:
        """When it was last written to, as `time.monotonic` counts."""
        return self.touched if self.place is None else max(self.touched, self.cohort.touched)

    def pause(self) -> None:
        """The connection takes nothing for now."""
        self.stuck_since, self.unsent_bytes = self._manager.now(), self.sink.unsent_bytes()
        self.block()

    def resume(self) -> None:
        """The connection takes bytes again."""
        self.proceed()

    def page_came(self, page: LogPage | None) -> None:
        """Give the client the page that it was waiting for; without one it is asked for again."""
        self._is_waiting = False
        if page is not None and not self.has_ended():
            self._take(page)
        self.proceed()

    def offer(self, entry: LogEntry) -> None:
        """Take a new event in, at once or later; never waits."""
        if self.closing is not None or not self.is_open or self.has_ended():
            return
        if self.is_ready and self.position < entry.seq:
            self.position = entry.seq
            self._write_events((entry,))
        elif not self.keep(entry):
            self._manager.metrics.queue_overflows.inc()

    def spill(self, rest: bytes) -> None:
        """The connection took a part of a frame: the rest follows as soon as it takes more."""
        self.sink.write(rest)

    def keep_alive(self) -> None:
        """Tell a client that has heard nothing for a while that the stream lives, and where it stands."""
        # Before it is ready the client may be in the middle of a snapshot, and must not take it for whole.
        self._say(Keepalive(None if self._is_joining else Cursor(self._manager.epoch, self.reached())))

    def close(self, reason: ClosingReason) -> None:
        """End it: what it has not been handed yet, it is not handed any more."""
        if self.closing is None and self.is_open:
            self.closing = reason
            self.fall_behind()
            self.sink.end(self.wire.last_words(Closing(reason)))
            self.left()

    def left(self) -> None:
        """The connection is gone, or is no longer ours."""
        if self.is_open:
            self.is_open = False
            self.fall_behind()
            self._manager.leave(self)

    def fail(self, error: Exception) -> None:
        """End it, because it may lack an event: its client comes back with its cursor."""
        if not isinstance(error, OSError):
            _log.error("alerts.delivery_failed", transport=self.wire.transport, exc_info=error)
        try:
            self.sink.abort()
        finally:
            self.left()

    def has_ended(self) -> bool:
        """Whether the right is over; the time of the token counts from the moment on, not from the next event."""
        if self.closing is None and self._manager.clock.now().timestamp() >= self.expires_at:
            self.close(ClosingReason.TOKEN_EXPIRED)
        return self.closing is not None or not self.is_open

    def rescope(self, scope: Scope) -> None:
        """Go on with other patients or roles: who is new begins with the open alerts that there are."""
        covered, known = scope.patient_ids or frozenset(), self.scope.patient_ids or frozenset()
        # A role more shows alerts of every patient that were not shown before.
        new = covered if scope.roles - self.scope.roles else covered - known
        self._newcomers = (self._newcomers | new) & covered
        self._tells_scope = True
        # What waits in the queue was chosen by the old scope; the log is asked anew by the new one.
        self.position = self.reached()
        self.fall_behind()
        self._manager.reindex(self, scope)
        self.proceed()

    def _go_on(self) -> None:
        while self.closing is None and not self._is_waiting and not self.has_ended():
            if self.sink.is_paused and self.sink.unsent_bytes() > ENOUGH_BYTES:
                return
            if self._tells_scope:
                self._tells_scope = False
                self._say(Scoped(self.scope.patient_ids, self.scope.roles))
            elif self.showing is not None:
                self._wait_for_page()
            elif self._newcomers:
                self.showing, self._newcomers = Showing(self._newcomers), frozenset()
            elif not self.is_live:
                page = self._manager.recent.page(self.scope, after=self.position)
                if page is None:
                    self._wait_for_page()
                else:
                    self._take_events(page)
                    if not page.is_last:
                        self._wait_for_page()
            elif self._is_joining:
                self._is_joining = False
                self._say(Ready(self._cursor(), self.sent))
            elif self.sink.is_paused:
                return
            elif waiting := self.unblock():
                self._write_events(waiting)
            else:
                return

    def _say(self, message: Message) -> None:
        self._write(self.wire.message(message))

    def _write(self, chunk: bytes) -> None:
        if chunk:
            self.sink.write(chunk)
            self.touched = self._manager.now()

    def _write_events(self, entries: Sequence[LogEntry]) -> None:
        self.sent += len(entries)
        self._manager.count_delivered(self.wire, len(entries))
        self._write(self.wire.events(entries))

    def _take(self, page: LogPage) -> None:
        if self.showing is None:
            self._take_events(page)
            return
        self.showing = None if page.is_last else Showing(self.showing.patient_ids, page.through)
        if page.entries:
            self.sent += len(page.entries)
            self._manager.count_delivered(self.wire, len(page.entries))
            self._write(self.wire.snapshot(page.entries))

    def _take_events(self, page: LogPage) -> None:
        self.advance(page.through, head=self._manager.head)
        if page.entries:
            self._write_events(page.entries)

    def _wait_for_page(self) -> None:
        self._is_waiting = True
        self._manager.read_for(self)

    def _cursor(self) -> Cursor:
        return Cursor(self._manager.epoch, self.position)
