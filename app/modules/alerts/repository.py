"""Every query about alerts and their log, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from app.core.access import Scope
from app.core.db import Database, roles_overlap
from app.core.roles import to_mask
from app.modules.alerts.lifecycle import (
    Alert,
    Event,
    EventType,
    Kind,
    State,
    Tier,
    Transition,
)
from app.modules.alerts.models import IS_OPEN, AlertEventRow, AlertLog, AlertRow
from app.modules.alerts.rows import to_alert, to_values
from app.modules.alerts.schemas import (
    EscalationTimers,
    LogBounds,
    LogEntry,
    LogPage,
    OpenAlerts,
    OpenAlertsOfTier,
    encode_alert_event,
)

PAGE_SIZE = 200

# Raising an alert is what this server is there for, so that its statements go past the ORM, and are built once.
_LOG = cast(sa.Table, AlertLog.__table__)
_ALERTS = cast(sa.Table, AlertRow.__table__)
_EVENTS = cast(sa.Table, AlertEventRow.__table__)

_ALERT = sa.select(_ALERTS).where(_ALERTS.c.id == sa.bindparam("alert_id"))
_OPEN_ALERT = (
    sa.select(_ALERTS)
    .where(
        _ALERTS.c.patient_id == sa.bindparam("patient_id"), _ALERTS.c.condition == sa.bindparam("condition"), IS_OPEN
    )
    .with_for_update()
)
_NEXT_DUE = (
    sa.select(_ALERTS.c.next_escalation_at)
    .where(_ALERTS.c.next_escalation_at.is_not(None))
    .order_by(_ALERTS.c.next_escalation_at)
    .limit(1)
)
_IS_UNACKNOWLEDGED = _ALERTS.c.state == State.ACTIVE
_BOUNDS = sa.select(_LOG.c.epoch, _LOG.c.pruned_through, _LOG.c.seq)
_ADVANCE = sa.update(_LOG).values(seq=_LOG.c.seq + sa.bindparam("count")).returning(_LOG.c.epoch, _LOG.c.seq)
_RAISE = sa.insert(_ALERTS)
_CHANGE = sa.update(_ALERTS).where(_ALERTS.c.id == sa.bindparam("alert_id"))
_APPEND = sa.insert(_EVENTS)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What a page of history is narrowed to; `before` is the number that the page before ended with."""

    patient_id: str | None = None
    state: str | None = None
    tier: Tier | None = None
    since: datetime | None = None
    before: int | None = None
    kind: Kind | None = None


def find(connection: sa.Connection, alert_id: str) -> Alert | None:
    """The alert with this id."""
    return _one(connection, _ALERT, alert_id=alert_id)


def claim(connection: sa.Connection, alert_id: str) -> Alert | None:
    """The alert with this id; no other transaction changes it until this one ends."""
    return _one(connection, _ALERT.with_for_update(), alert_id=alert_id)


def claim_open(connection: sa.Connection, patient_id: str, condition: str) -> Alert | None:
    """The open alert of a patient's condition; no other transaction changes it until this one ends."""
    return _one(connection, _OPEN_ALERT, patient_id=patient_id, condition=condition)


def open_of_patient(connection: sa.Connection, patient_id: str, sources: Collection[str]) -> list[Alert]:
    """The open alerts of a patient that these sources have raised."""
    rows = connection.execute(
        sa.select(_ALERTS).where(_ALERTS.c.patient_id == patient_id, _ALERTS.c.source.in_(sources), IS_OPEN)
    )
    return [to_alert(row) for row in rows]


def last_ended(connection: sa.Connection, patient_id: str, source: str) -> dict[str, datetime]:
    """When the last alert of each of a patient's conditions was resolved, of those that a source has raised."""
    rows = connection.execute(
        sa.select(
            _ALERTS.c.condition,
            sa.func.max(_ALERTS.c.resolved_at, type_=_ALERTS.c.resolved_at.type).label("resolved_at"),
        )
        .where(_ALERTS.c.patient_id == patient_id, _ALERTS.c.source == source, _ALERTS.c.resolved_at.is_not(None))
        .group_by(_ALERTS.c.condition)
    )
    return {row.condition: row.resolved_at for row in rows}


def due(connection: sa.Connection, now: datetime, *, limit: int) -> list[Alert]:
    """Alerts whose escalation is due, claimed for this transaction; those that others hold are passed over."""
    rows = connection.execute(
        sa.select(_ALERTS)
        .where(_ALERTS.c.next_escalation_at <= now)
        .order_by(_ALERTS.c.next_escalation_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [to_alert(row) for row in rows]


def next_due_at(connection: sa.Connection) -> datetime | None:
    """When the next escalation is due."""
    found: datetime | None = connection.scalar(_NEXT_DUE)
    return found


def timers(connection: sa.Connection, now: datetime) -> EscalationTimers:
    """How many escalations are to come, how many of them should have, and when the first of them is due."""
    due_at = _ALERTS.c.next_escalation_at
    running, overdue, next_due_at = connection.execute(
        sa.select(sa.func.count(), sa.func.count().filter(due_at <= now), sa.func.min(due_at)).where(
            due_at.is_not(None)
        )
    ).one()
    return EscalationTimers(running=running, overdue=overdue, next_due_at=next_due_at)


def open_counts(connection: sa.Connection) -> OpenAlerts:
    """How many alerts are open, by tier, and how many of them nobody has acknowledged."""
    rows = connection.execute(
        sa.select(
            _ALERTS.c.tier, sa.func.count().label("open"), sa.func.count().filter(_IS_UNACKNOWLEDGED).label("active")
        )
        .where(IS_OPEN)
        .group_by(_ALERTS.c.tier)
    )
    found = {row.tier: row for row in rows}
    by_tier = [
        OpenAlertsOfTier(tier=tier, open=found[tier].open, unacknowledged=found[tier].active)
        if tier in found
        else OpenAlertsOfTier(tier=tier, open=0, unacknowledged=0)
        for tier in reversed(Tier)
    ]
    return OpenAlerts(
        open=sum(it.open for it in by_tier), unacknowledged=sum(it.unacknowledged for it in by_tier), by_tier=by_tier
    )


def record(connection: sa.Connection, transition: Transition) -> list[LogEntry]:
    """Write a transition, its events to the end of the log and the alert's new state, and give what the log got."""
    events = transition.events
    if not events:
        return []
    epoch, last = connection.execute(_ADVANCE, {"count": len(events)}).one()
    first = last - len(events) + 1
    alert = transition.alert
    if events[0].type is EventType.RAISED:
        connection.execute(_RAISE, {"id": alert.alert_id, **to_values(alert), "first_seq": first, "last_seq": last})
    else:
        connection.execute(_CHANGE, {"alert_id": alert.alert_id, **to_values(alert), "last_seq": last})
    entries = [_to_entry(epoch, seq, event) for seq, event in enumerate(events, first)]
    connection.execute(
        _APPEND,
        [
            {
                "seq": entry.seq,
                "alert_id": entry.alert_id,
                "patient_id": entry.patient_id,
                "event": entry.event,
                "audience": entry.audience,
                "payload": entry.payload.decode(),
                "occurred_at": entry.occurred_at,
            }
            for entry in entries
        ],
    )
    return entries


def history(
    connection: sa.Connection, scopes: Sequence[Scope], wanted: HistoryFilter, *, limit: int
) -> list[tuple[int, Alert]]:
    """Alerts that one of the scopes covers, newest first, each with its number in that order."""
    query = sa.select(_ALERTS).where(_covered_by(scopes, _ALERTS.c.patient_id, _ALERTS.c.recipients))
    if wanted.patient_id is not None:
        query = query.where(_ALERTS.c.patient_id == wanted.patient_id)
    if wanted.state == "open":
        query = query.where(IS_OPEN)
    elif wanted.state is not None:
        query = query.where(_ALERTS.c.state == wanted.state)
    if wanted.tier is not None:
        query = query.where(_ALERTS.c.tier == wanted.tier)
    if wanted.kind is not None:
        query = query.where(_ALERTS.c.kind == wanted.kind)
    if wanted.since is not None:
        query = query.where(_ALERTS.c.raised_at >= wanted.since)
    if wanted.before is not None:
        query = query.where(_ALERTS.c.first_seq < wanted.before)
    rows = connection.execute(query.order_by(_ALERTS.c.first_seq.desc()).limit(limit))
    return [(row.first_seq, to_alert(row)) for row in rows]


def timeline(connection: sa.Connection, alert_id: str) -> list[str]:
    """Every event of an alert as JSON, oldest first."""
    rows = connection.scalars(
        sa.select(_EVENTS.c.payload).where(_EVENTS.c.alert_id == alert_id).order_by(_EVENTS.c.seq)
    )
    return list(rows)


class StoredLog:
    """Reads the log in pages, each in a short transaction of its own (a `LogReader`)."""

    def __init__(self, db: Database, *, page_size: int = PAGE_SIZE) -> None:
        self._db = db
        self._page_size = page_size

    async def bounds(self) -> LogBounds:
        return await self._db.glance(_bounds)

    async def newest(self, *, through: int, limit_bytes: int) -> list[LogEntry]:
        def read(connection: sa.Connection) -> list[LogEntry]:
            epoch = _bounds(connection).epoch
            newest: list[LogEntry] = []
            size_bytes, before, is_first = 0, through + 1, False
            while size_bytes < limit_bytes and not is_first:
                query = sa.select(_EVENTS).where(_EVENTS.c.seq < before).order_by(_EVENTS.c.seq.desc())
                page = self._page(epoch, connection.execute(query.limit(self._page_size)), 0)
                newest += page.entries
                size_bytes += sum(len(entry.payload) for entry in page.entries)
                is_first, before = page.is_last, page.through
            return newest[::-1]

        return await self._db.run_read(read)

    async def time_of(self, seq: int) -> datetime | None:
        def read(connection: sa.Connection) -> datetime | None:
            found: datetime | None = connection.scalar(sa.select(_EVENTS.c.occurred_at).where(_EVENTS.c.seq == seq))
            return found

        return await self._db.run_read(read)

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        def read(connection: sa.Connection) -> LogPage:
            bounds = _bounds(connection)
            query = sa.select(_EVENTS).where(_EVENTS.c.seq > after, _EVENTS.c.seq <= bounds.head)
            if scope is not None:
                query = query.where(_covered_by((scope,), _EVENTS.c.patient_id, _EVENTS.c.audience))
            rows = connection.execute(query.order_by(_EVENTS.c.seq).limit(self._page_size))
            return self._page(bounds.epoch, rows, bounds.head)

        return await self._db.run_read(read)

    async def open_alerts(
        self, scope: Scope, *, through: int, after: int, patient_ids: frozenset[str] | None = None
    ) -> LogPage:
        last_seq = _ALERTS.c.last_seq
        query = (
            sa.select(_EVENTS)
            .join(_ALERTS, last_seq == _EVENTS.c.seq)
            .where(IS_OPEN, last_seq > after, last_seq <= through)
            .where(_covered_by((scope,), _ALERTS.c.patient_id, _ALERTS.c.recipients))
            .order_by(last_seq)
            .limit(self._page_size)
        )
        if patient_ids is not None:
            query = query.where(_ALERTS.c.patient_id.in_(patient_ids))
        return await self._db.run_read(lambda it: self._page(_bounds(it).epoch, it.execute(query), through))

    def _page(self, epoch: str, rows: Iterable[sa.Row[Any]], end: int) -> LogPage:
        entries = [
            LogEntry(
                epoch=epoch,
                seq=row.seq,
                alert_id=row.alert_id,
                patient_id=row.patient_id,
                event=row.event,
                audience=to_mask(row.audience),
                payload=row.payload.encode(),
                occurred_at=row.occurred_at,
            )
            for row in rows
        ]
        is_full = len(entries) == self._page_size
        return LogPage(entries, entries[-1].seq if is_full else end, is_last=not is_full)


def _one(connection: sa.Connection, query: sa.Select[Any], **values: str) -> Alert | None:
    row = connection.execute(query, values).one_or_none()
    return None if row is None else to_alert(row)


def _to_entry(epoch: str, seq: int, event: Event) -> LogEntry:
    return LogEntry(
        epoch=epoch,
        seq=seq,
        alert_id=event.alert.alert_id,
        patient_id=event.alert.patient_id,
        event=event.type,
        audience=to_mask(event.alert.recipients),
        payload=encode_alert_event(event),
        occurred_at=event.at,
    )


def _bounds(connection: sa.Connection) -> LogBounds:
    row = connection.execute(_BOUNDS).one()
    return LogBounds(row.epoch, row.pruned_through, row.seq)


def _covered_by(
    scopes: Iterable[Scope], patient_id: sa.Column[str], audience: sa.Column[Any]
) -> sa.ColumnElement[bool]:
    """`Scope.covers` as a condition of a query."""
    alternatives: list[sa.ColumnElement[bool]] = []
    for scope in scopes:
        parts: list[sa.ColumnElement[bool]] = []
        if scope.patient_ids is not None:
            parts.append(patient_id.in_(scope.patient_ids))
        if not scope.sees_every_audience:
            parts.append(roles_overlap(audience, to_mask(scope.roles)))
        alternatives.append(sa.and_(sa.true(), *parts))
    return sa.or_(sa.false(), *alternatives)
