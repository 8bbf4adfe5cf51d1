"""Who listens on this node, and how a new event of the log reaches them all.

One index serves every transport. Publishing looks the subscribers up and hands them to the fan-out; who
is behind is served here from the log, in memory or in the database, a page at a time and in turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import anyio
import anyio.lowlevel
import structlog

from app.core.access import Scope
from app.core.clock import Clock
from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.sinks import Sink
from app.core.tasks import until_beat
from app.core.timers import TimerWheel
from app.modules.alerts.audience import AudienceIndex
from app.modules.alerts.encoding import ClosingReason, NotRecovered, Wire
from app.modules.alerts.fanout import SLICE_SECONDS, Fanout
from app.modules.alerts.recent import RecentLog
from app.modules.alerts.schemas import Cursor, LogEntry, LogPage, LogReader, NotACursor
from app.modules.alerts.subscription import Start, Subscription

#: So many subscribers that are behind read the database at the same time.
READERS = 8

#: A reader whose page could not be read tries again after this.
RETRY_SECONDS = 0.5

#: The precision of keepalives, of the end of tokens, and of noticing that a reader is stuck.
TICK_SECONDS = 0.5

#: Between two groups of streams that are told to go elsewhere.
DRAIN_TURN_SECONDS = 0.2

#: Streams are told to go elsewhere at least at this rate, so that few of them are told at once.
LEAST_DRAINED_PER_SECOND = 500

_log = structlog.get_logger(__name__)


class AlertConnectionManager:
    """Every open alert stream of this node, SSE and WebSocket alike.

    Attributes:
        epoch: the name of the log.
        recent: the newest part of the log, in memory.
    """

    def __init__(
        self,
        log: LogReader,
        clock: Clock,
        metrics: Metrics,
        *,
        keepalive_seconds: float,
        slow_consumer_seconds: float,
        queue_limit: int,
        recent_bytes: int,
    ) -> None:
        self.log = log
        self.clock = clock
        self.metrics = metrics
        self.now = time.monotonic
        self.epoch = ""
        self.recent = RecentLog(limit_bytes=recent_bytes)
        self.is_draining = False
        self._keepalive_seconds = keepalive_seconds
        self._slow_consumer_seconds = slow_consumer_seconds
        self._look_seconds = min(keepalive_seconds, slow_consumer_seconds / 2)
        self._queue_limit = queue_limit
        self._recent_bytes = recent_bytes
        self._fanout = Fanout(metrics, end_expired=self._end_expired)
        self._wheel: TimerWheel[Subscription] = TimerWheel(slot_seconds=TICK_SECONDS, now=self.now())
        self._tokens: TimerWheel[Subscription] = TimerWheel(slot_seconds=1, now=clock.now().timestamp())
        self._behind: asyncio.Queue[Subscription] = asyncio.Queue()
        self._index = AudienceIndex()
        self._open: set[Subscription] = set()
        self._of_user: Counter[str] = Counter()

    @property
    def head(self) -> int:
        """The number up to which entries have been handed to the fan-out."""
        return self._fanout.head

    async def start(self) -> None:
        """Learn which log this is, and its newest part; must run before the first subscriber comes."""
        bounds = await self.log.bounds()
        self.epoch, self._fanout.head = bounds.epoch, bounds.head
        newest = await self.log.newest(through=self.head, limit_bytes=self._recent_bytes)
        self.recent.begin(newest, head=self.head)

    async def run(self) -> None:
        """Serve those who are behind, and look after everybody's time, for ever."""
        async with anyio.create_task_group() as tasks:
            for _ in range(READERS):
                tasks.start_soon(self._read_pages)
            tasks.start_soon(self._turn_wheel)

    def publish(self, entries: Sequence[LogEntry], through: int) -> None:
        """Hand new entries of the log, in order, to everybody who may see them.

        Args:
            through: the end of the log up to which these are all.
        """
        for entry in entries:
            self.recent.add(entry)
            self._fanout.add(entry, self._index.of(entry))
        self._fanout.head = max(self.head, through)
        self.metrics.log_head.set(self.head)
        self._fanout.run()

    async def where_to_start(self, last_event_id: str | None, *, wants_snapshot: bool = True) -> Start:
        """Where a subscriber begins: after the cursor that it brings, or at the end with a snapshot."""
        if last_event_id is None:
            return Start(self.head, recovered=False, wants_snapshot=wants_snapshot)
        try:
            cursor = Cursor.parse(last_event_id)
        except NotACursor:
            return Start(self.head, recovered=False, reason=NotRecovered.NOT_AN_ID)
        reason = None
        if cursor.epoch != self.epoch:
            reason = NotRecovered.UNKNOWN_EPOCH
        elif not self.recent.after <= cursor.seq <= self.head:
            # Only who is far behind, or was on a node that has read further than this one, costs a query.
            bounds = await self.log.bounds()
            if cursor.seq > bounds.head:
                reason = NotRecovered.AHEAD_OF_LOG
            elif cursor.seq < bounds.pruned_through:
                reason = NotRecovered.PRUNED
        if reason is not None:
            return Start(self.head, recovered=False, reason=reason)
        return Start(cursor.seq, recovered=True)

    def open(
        self, scope: Scope, start: Start, *, sink: Sink, wire: Wire, user_id: str, expires_at: datetime
    ) -> Subscription:
        """A subscription that is in the index until it is closed, or its connection is gone."""
        subscription = Subscription(
            self,
            scope,
            self._index.join(scope, wire),
            start,
            sink=sink,
            user_id=user_id,
            expires_at=expires_at,
            queue_limit=self._queue_limit,
            now=self.now(),
        )
        sink.owner = subscription
        began = "recovered" if start.recovered else "refused_cursor" if start.reason else "fresh"
        self.metrics.streams_opened.labels(transport=wire.transport, start=began).inc()
        self._count(subscription, 1)
        self._open.add(subscription)
        self._of_user[user_id] += 1
        self._look_again(subscription, subscription.touched)
        subscription.expiry_slot = self._tokens.put(subscription, subscription.expires_at)
        _log.info("stream.opened", transport=wire.transport, role=scope.role, start=began)
        subscription.begin(start)
        if self.is_draining:
            subscription.close(ClosingReason.DRAINING)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription; called by itself, once."""
        self._index.leave(subscription.scope, subscription.wire)
        self._wheel.take_out(subscription, subscription.slot)
        self._tokens.take_out(subscription, subscription.expiry_slot)
        self._open.discard(subscription)
        self._of_user[subscription.user_id] -= 1
        if not self._of_user[subscription.user_id]:
            del self._of_user[subscription.user_id]
        if subscription.on_end is not None:
            subscription.on_end()
        transport, role = subscription.wire.transport, subscription.scope.role
        reason = subscription.closing or "client_left"
        self._count(subscription, -1)
        self.metrics.streams_closed.labels(transport=transport, reason=reason).inc()
        _log.info(
            "stream.closed",
            transport=transport,
            role=role,
            reason=reason,
            sent=subscription.sent,
            lag=self.head - subscription.position,
            seconds=round(self.now() - subscription.opened_at, 3),
        )

    def reindex(self, subscription: Subscription, scope: Scope) -> None:
        """Give a subscription that reads the log another scope.

        One that has been left meanwhile stays out of the index: nobody would take it out again.
        """
        if subscription in self._open:
            self._index.leave(subscription.scope, subscription.wire)
            self._count(subscription, -1)
            subscription.scope = scope
            subscription.cohort = self._index.join(scope, subscription.wire)
            self._count(subscription, 1)

    def read_for(self, subscription: Subscription) -> None:
        """Read the next page for a subscription that is behind, when its turn comes."""
        self._behind.put_nowait(subscription)

    def count_delivered(self, wire: Wire, events: int) -> None:
        self.metrics.events_delivered.labels(transport=wire.transport).inc(events)

    async def drain(self, window_seconds: float) -> None:
        """Take no new stream, and end the open ones, spread over the window: this server is about to stop."""
        self.is_draining = True
        open_now = list(self._open)
        per_second = max(len(open_now) / max(window_seconds, DRAIN_TURN_SECONDS), LEAST_DRAINED_PER_SECOND)
        per_turn = per_second * DRAIN_TURN_SECONDS
        while open_now:
            turn, open_now = open_now[: round(per_turn)], open_now[round(per_turn) :]
            for subscription in turn:
                subscription.close(ClosingReason.DRAINING)
            if open_now:
                await anyio.sleep(DRAIN_TURN_SECONDS)

    def close_all(self) -> None:
        """End every stream that is still open."""
        self.is_draining = True
        for subscription in tuple(self._open):
            subscription.close(ClosingReason.DRAINING)

    def open_count(self, matching: Callable[[Subscription], bool] | None = None) -> int:
        """How many streams are open, of those that match."""
        return len(self._open) if matching is None else sum(map(matching, self._open))

    def open_counts(self) -> Counter[tuple[str, Role]]:
        """How many streams are open, by transport and role."""
        return Counter((it.wire.transport, it.scope.role) for it in self._open)

    def streams_of(self, user_id: str) -> int:
        """How many streams this user has open."""
        return self._of_user.get(user_id, 0)

    def indexed_count(self) -> int:
        """How many places of the index, and of the timer wheels, hold a subscription; none when no stream is open."""
        return len(self._index) + len(self._wheel) + len(self._tokens)

    def _count(self, subscription: Subscription, by: int) -> None:
        """Count a stream in, or out, by the role that it has now."""
        self.metrics.streams_open.labels(transport=subscription.wire.transport, role=subscription.scope.role).inc(by)

    # --- those who are behind --------------------------------------------------------------------

    async def _read_pages(self) -> None:
        """Read a page for whoever has waited longest, again and again."""
        while True:
            subscription = await self._behind.get()
            try:
                scope, page = subscription.scope, await self._read_page(subscription)
            except Exception:
                # Nobody loses anything by it: the page is asked for again, and who waits for it waits longer.
                self.metrics.worker_failures.labels(worker="log_reader").inc()
                _log.exception("alerts.page_failed", retry_in_seconds=RETRY_SECONDS)
                await anyio.sleep(RETRY_SECONDS)
                self._behind.put_nowait(subscription)
                continue
            # Rights that changed meanwhile make it another question.
            answer = page if scope is subscription.scope else None
            self._guarded(subscription, partial(subscription.page_came, answer))
            # A page that was in memory has cost no waiting; others are to have their turn all the same.
            await anyio.lowlevel.checkpoint()

    async def _read_page(self, subscription: Subscription) -> LogPage | None:
        if subscription.has_ended():
            return None
        self.metrics.catch_up_pages.inc()
        scope, showing, position = subscription.scope, subscription.showing, subscription.position
        if showing is not None:
            return await self.log.open_alerts(
                scope, through=position, after=showing.after, patient_ids=showing.patient_ids
            )
        return self.recent.page(scope, after=position) or await self.log.page(scope, after=position)

    def _guarded(self, subscription: Subscription, step: Callable[[], None]) -> None:
        """Do something with one subscription; what goes wrong there ends it, and touches no other."""
        try:
            step()
        except Exception:
            _log.exception("alerts.stream_failed", transport=subscription.wire.transport)
            subscription.sink.abort()
            subscription.left()

    # --- time ------------------------------------------------------------------------------------

    async def _turn_wheel(self) -> None:
        """Look at every subscriber whose time has come, in slices like the fan-out's."""
        while True:
            await anyio.sleep(until_beat(TICK_SECONDS))
            self._end_expired()
            until = self.now() + SLICE_SECONDS
            for subscription in self._wheel.due(self.now()):
                self._guarded(subscription, partial(self._look_at, subscription))
                if self.now() >= until:
                    await anyio.lowlevel.checkpoint()
                    until = self.now() + SLICE_SECONDS

    def _look_at(self, subscription: Subscription) -> None:
        """End a subscriber that is stuck; keep alive one that has heard nothing."""
        if not subscription.is_open:
            return
        now = self.now()
        due = subscription.last_written() + self._keepalive_seconds
        if subscription.sink.is_paused:
            unsent_bytes = subscription.sink.unsent_bytes()
            if unsent_bytes != subscription.unsent_bytes:
                subscription.unsent_bytes, subscription.stuck_since = unsent_bytes, now
            due = subscription.stuck_since + self._slow_consumer_seconds
            if now >= due:
                subscription.close(ClosingReason.SLOW_CONSUMER)
                return
        elif now >= due:
            subscription.keep_alive()
            due = now + self._keepalive_seconds
        self._look_again(subscription, due)

    def _look_again(self, subscription: Subscription, due: float) -> None:
        now = self.now()
        subscription.slot = self._wheel.put(subscription, max(now, min(due, now + self._look_seconds)))

    def _end_expired(self) -> None:
        """End every subscriber whose token has ended: to the second, as tokens tell it."""
        for subscription in self._tokens.due(self.clock.now().timestamp()):
            self._guarded(subscription, partial(subscription.close, ClosingReason.TOKEN_EXPIRED))
