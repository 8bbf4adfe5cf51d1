"""Who listens on this node, and how a new event of the log reaches them all.

One index serves both transports. Fan-out is a loop that hands the same entry to each subscriber's
queue: it waits for nobody, and one subscriber's trouble touches no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog

from app.core.access import Scope
from app.core.clock import Clock
from app.core.metrics import Metrics
from app.modules.alerts.schemas import Cursor, LogEntry, LogReader, NotACursor
from app.modules.alerts.subscription import ClosingReason, NotRecovered, Start, Subscription

_log = structlog.get_logger(__name__)


class AlertConnectionManager:
    """Every open alert stream of this node, SSE and WebSocket alike.

    Attributes:
        epoch: the name of the log.
        head: the number up to which entries have been handed to the subscribers.
    """

    def __init__(
        self, log: LogReader, clock: Clock, metrics: Metrics, *, keepalive_seconds: float, queue_limit: int
    ) -> None:
        self.log = log
        self.clock = clock
        self.metrics = metrics
        self.keepalive_seconds = keepalive_seconds
        self.epoch = ""
        self.head = 0
        self.is_draining = False
        self._queue_limit = queue_limit
        self._of_patient: dict[str, set[Subscription]] = {}
        self._of_everyone: set[Subscription] = set()
        self._open: set[Subscription] = set()

    async def start(self) -> None:
        """Learn which log this is; must run before the first subscriber comes."""
        bounds = await self.log.bounds()
        self.epoch, self.head = bounds.epoch, bounds.head

    def publish(self, entries: Sequence[LogEntry], through: int) -> None:
        """Hand new entries of the log, in order, to everybody who may see them.

        Args:
            through: the end of the log up to which these are all.
        """
        for entry in entries:
            self.head = entry.seq
            for subscription in (*self._of_patient.get(entry.patient_id, ()), *self._of_everyone):
                try:
                    subscription.offer(entry)
                except Exception:
                    _log.exception("alerts.offer_failed", transport=subscription.transport)
        self.head = max(self.head, through)
        self.metrics.log_head.set(self.head)

    async def where_to_start(self, last_event_id: str | None, *, wants_snapshot: bool = True) -> Start:
        """Where a subscriber begins: after the cursor that it brings, or at the end with a snapshot."""
        if last_event_id is None:
            return Start(self.head, recovered=False, wants_snapshot=wants_snapshot)
        try:
            cursor = Cursor.parse(last_event_id)
        except NotACursor:
            return Start(self.head, recovered=False, reason=NotRecovered.NOT_AN_ID)
        bounds = await self.log.bounds()
        reason = None
        if cursor.epoch != bounds.epoch:
            reason = NotRecovered.UNKNOWN_EPOCH
        elif cursor.seq > bounds.head:
            reason = NotRecovered.AHEAD_OF_LOG
        elif cursor.seq < bounds.pruned_through:
            reason = NotRecovered.PRUNED
        if reason is not None:
            return Start(self.head, recovered=False, reason=reason)
        return Start(cursor.seq, recovered=True)

    @contextmanager
    def subscribe(self, scope: Scope, start: Start, *, transport: str, expires_at: datetime) -> Iterator[Subscription]:
        """A subscription that is in the index while the block runs, and nowhere after it."""
        subscription = Subscription(
            self, scope, start, transport=transport, expires_at=expires_at, queue_limit=self._queue_limit
        )
        gauge = self.metrics.streams_open.labels(transport=transport, role=scope.role)
        began = "recovered" if start.recovered else "refused_cursor" if start.reason else "fresh"
        self.metrics.streams_opened.labels(transport=transport, start=began).inc()
        gauge.inc()
        self._open.add(subscription)
        self._index(subscription)
        opened_at = self.clock.now()
        _log.info("stream.opened", transport=transport, role=scope.role, start=began)
        if self.is_draining:
            subscription.close(ClosingReason.DRAINING)
        try:
            yield subscription
        finally:
            self._unindex(subscription)
            self._open.discard(subscription)
            gauge.dec()
            reason = subscription.closing or "client_left"
            self.metrics.streams_closed.labels(transport=transport, reason=reason).inc()
            seconds = (self.clock.now() - opened_at).total_seconds()
            _log.info(
                "stream.closed",
                transport=transport,
                role=scope.role,
                reason=reason,
                sent=subscription.sent,
                seconds=seconds,
            )

    def reindex(self, subscription: Subscription, scope: Scope) -> None:
        """Give a subscription another scope; from here on it is offered what that one covers.

        One that has been left meanwhile stays out of the index: nobody would take it out again.
        """
        if subscription in self._open:
            self._unindex(subscription)
            subscription.scope = scope
            self._index(subscription)

    def drain(self) -> None:
        """End every stream and take no new one: this server is about to stop."""
        self.is_draining = True
        for subscription in tuple(self._open):
            subscription.close(ClosingReason.DRAINING)

    def open_count(self, matching: Callable[[Subscription], bool] = lambda _subscription: True) -> int:
        return sum(1 for subscription in self._open if matching(subscription))

    def indexed_count(self) -> int:
        """How many places of the index hold a subscription; none when no stream is open."""
        return len(self._of_everyone) + sum(len(subscribers) for subscribers in self._of_patient.values())

    def _index(self, subscription: Subscription) -> None:
        patient_ids = subscription.scope.patient_ids
        if patient_ids is None:
            self._of_everyone.add(subscription)
            return
        for patient_id in patient_ids:
            self._of_patient.setdefault(patient_id, set()).add(subscription)

    def _unindex(self, subscription: Subscription) -> None:
        self._of_everyone.discard(subscription)
        for patient_id in subscription.scope.patient_ids or ():
            subscribers = self._of_patient.get(patient_id)
            if subscribers is not None:
                subscribers.discard(subscription)
                if not subscribers:
                    del self._of_patient[patient_id]
