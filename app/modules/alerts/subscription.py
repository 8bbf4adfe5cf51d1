"""One subscriber's course: opened, snapshot or replay, ready, live, and why it ended.

It knows nothing of the transport. What comes out of `messages()` is written as SSE by one, and as
WebSocket frames by the other.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from app.core.access import Scope
from app.core.roles import to_mask
from app.modules.alerts.feed import Feed
from app.modules.alerts.schemas import Cursor, LogEntry

if TYPE_CHECKING:
    from app.modules.alerts.manager import AlertConnectionManager


class ClosingReason(StrEnum):
    TOKEN_EXPIRED = "token_expired"
    ACCESS_CHANGED = "access_changed"
    DRAINING = "draining"
    SLOW_CONSUMER = "slow_consumer"
    REPLACED = "replaced"


class NotRecovered(StrEnum):
    """Why a cursor that a client brought could not be served."""

    NOT_AN_ID = "not_an_id"
    UNKNOWN_EPOCH = "unknown_epoch"
    AHEAD_OF_LOG = "ahead_of_log"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Opened:
    """Always first. `recovered`: everything after the client's cursor follows."""

    cursor: Cursor
    recovered: bool
    reason: NotRecovered | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest event of alerts that are open; carries no ids, so that a cut makes it start anew."""

    entries: Sequence[LogEntry]


@dataclass(frozen=True, slots=True)
class Entries:
    """Events of the log, in order, each once."""

    entries: Sequence[LogEntry]


@dataclass(frozen=True, slots=True)
class Ready:
    """Snapshot or replay is complete."""

    cursor: Cursor
    sent: int


@dataclass(frozen=True, slots=True)
class Scoped:
    """Which patients are covered from here on; what is shown of others is to be taken down."""

    patient_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Nothing was sent for a while; everything up to the cursor has been served."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Closing:
    """Always last, unless the client goes first."""

    reason: ClosingReason


Message = Opened | Scoped | Snapshot | Entries | Ready | Keepalive | Closing


@dataclass(frozen=True, slots=True)
class Start:
    """Where a subscriber begins in the log.

    Attributes:
        newcomers: patients who came into view only after `position`, and whose open alerts the
            client has never been sent.
        tells_scope: whether the client is told which patients are covered, now and when that changes.
    """

    position: int
    recovered: bool
    reason: NotRecovered | None = None
    wants_snapshot: bool = True
    newcomers: frozenset[str] = frozenset()
    tells_scope: bool = False


class Subscription:
    """A reader of the log: what it may see, how far it has come, and when its right ends."""

    def __init__(
        self,
        manager: AlertConnectionManager,
        scope: Scope,
        start: Start,
        *,
        transport: str,
        expires_at: datetime,
        queue_limit: int,
    ) -> None:
        self._manager = manager
        self._start = start
        self._feed: Feed[LogEntry] = Feed(start.position, queue_limit=queue_limit)
        self._wake = anyio.Event()
        self._ended = anyio.Event()
        self._newcomers = start.newcomers
        self._tells_scope = start.tells_scope
        self._audience_mask = to_mask(scope.roles)
        self.scope = scope
        self.transport = transport
        self.expires_at = expires_at
        self.closing: ClosingReason | None = None
        self.sent = 0

    def offer(self, entry: LogEntry) -> None:
        """Take a new entry of the log in, if this subscriber may see it; never waits."""
        if self.closing is not None:
            return
        if not (self.scope.sees_every_audience or entry.audience & self._audience_mask):
            return
        if not self._feed.offer(entry):
            self._manager.metrics.queue_overflows.inc()
        self._wake.set()

    def close(self, reason: ClosingReason) -> None:
        """End it: what it has not been handed yet, it is not handed any more."""
        if self.closing is None:
            self.closing = reason
            self._feed.fall_behind()
            self._wake.set()
            self._ended.set()

    async def ended(self) -> None:
        """Return when the right of this subscriber is over, whether or not anybody reads its messages."""
        with anyio.move_on_after((self.expires_at - self._manager.clock.now()).total_seconds()):
            await self._ended.wait()
        self.close(ClosingReason.TOKEN_EXPIRED)

    def rescope(self, scope: Scope) -> None:
        """Go on with other patients or roles: who is new begins with the open alerts that there are."""
        covered, known = scope.patient_ids or frozenset(), self.scope.patient_ids or frozenset()
        # A role more shows alerts of every patient that were not shown before.
        new = covered if scope.roles - self.scope.roles else covered - known
        self._newcomers = (self._newcomers | new) & covered
        self._tells_scope = True
        self._manager.reindex(self, scope)
        self._audience_mask = to_mask(scope.roles)
        # What waits in the queue was chosen by the old scope; the log is asked anew by the new one.
        self._feed.fall_behind()
        self._wake.set()

    async def messages(self) -> AsyncGenerator[Message]:
        """Everything that this subscriber is to be sent, until its right ends."""
        yield Opened(self._cursor(), self._start.recovered, self._start.reason)
        if not self._start.recovered and self._start.wants_snapshot:
            self._newcomers = frozenset()
            async for snapshot in self._snapshot(None):
                yield snapshot
        async for message in self._greet():
            yield message
        async for entries in self._catch_up():
            yield entries
        if not self.has_ended():
            yield Ready(self._cursor(), self.sent)
        while not self.has_ended():
            async for message in self._greet():
                yield message
            if not self._feed.is_live:
                async for entries in self._catch_up():
                    yield entries
                continue
            if waiting := self._feed.take():
                yield self._handing_out(waiting)
            elif not await self._woken():
                if self.has_ended():
                    break
                self._feed.settle(self._manager.head)
                yield Keepalive(self._cursor())
        assert self.closing is not None
        yield Closing(self.closing)

    async def _greet(self) -> AsyncIterator[Scoped | Snapshot]:
        """Say who is covered, where that is news, and begin with the open alerts of those who are new."""
        if self._tells_scope:
            self._tells_scope = False
            yield Scoped(self.scope.patient_ids or frozenset())
        if self._newcomers:
            newcomers, self._newcomers = self._newcomers, frozenset()
            async for snapshot in self._snapshot(newcomers):
                yield snapshot

    async def _woken(self) -> bool:
        """Wait for something to do; false when the keepalive, or the end of the token, came first."""
        until_expiry = (self.expires_at - self._manager.clock.now()).total_seconds()
        with anyio.move_on_after(max(min(self._manager.keepalive_seconds, until_expiry), 0.0)):
            await self._wake.wait()
            self._wake = anyio.Event()
            return True
        return False

    def has_ended(self) -> bool:
        """Whether the right is over; the time of the token counts from the moment on, not from the next message."""
        if self.closing is None and self._manager.clock.now() >= self.expires_at:
            self.close(ClosingReason.TOKEN_EXPIRED)
        return self.closing is not None

    async def _snapshot(self, patient_ids: frozenset[str] | None) -> AsyncIterator[Snapshot]:
        """The open alerts whose latest event lies at or before the position; later ones come as events."""
        through, after, is_last = self._feed.position, 0, False
        while not is_last and not self.has_ended():
            scope = self.scope
            page = await self._manager.log.open_alerts(scope, through=through, after=after, patient_ids=patient_ids)
            if scope is not self.scope:
                continue
            after, is_last = page.through, page.is_last
            if page.entries and not self.has_ended():
                self.sent += len(page.entries)
                yield Snapshot(page.entries)

    async def _catch_up(self) -> AsyncIterator[Entries]:
        while not self._feed.is_live and not self.has_ended():
            scope = self.scope
            page = await self._manager.log.page(scope, after=self._feed.position)
            if self.has_ended() or scope is not self.scope:
                continue
            self._manager.metrics.catch_up_pages.inc()
            self._feed.advance(page.through, head=self._manager.head)
            if page.entries:
                yield self._handing_out(page.entries)

    def _handing_out(self, entries: Sequence[LogEntry]) -> Entries:
        self.sent += len(entries)
        return Entries(entries)

    def _cursor(self) -> Cursor:
        return Cursor(self._manager.epoch, self._feed.position)
