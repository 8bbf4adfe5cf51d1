"""Every query about alerts and their log, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access import Scope
from app.core.db import Database, roles_overlap
from app.core.roles import Role, to_mask
from app.modules.alerts.lifecycle import (
    Acknowledgement,
    AcknowledgeStatus,
    Actor,
    Alert,
    EscalationStep,
    EventType,
    Finding,
    Kind,
    Resolution,
    Responsibility,
    Signal,
    State,
    Tier,
    Transition,
)
from app.modules.alerts.models import AlertEventRow, AlertLog, AlertRow
from app.modules.alerts.schemas import LogBounds, LogEntry, LogPage, encode_alert_event

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What a page of history is narrowed to; `before` is the number that the page before ended with."""

    patient_id: str | None = None
    state: str | None = None
    tier: Tier | None = None
    since: datetime | None = None
    before: int | None = None


async def find(session: AsyncSession, alert_id: str, *, lock: bool = False) -> Alert | None:
    """The alert with this id; with `lock` no other transaction changes it until this one ends."""
    query = sa.select(AlertRow).where(AlertRow.id == alert_id)
    row = await session.scalar(query.with_for_update() if lock else query)
    return None if row is None else _to_alert(row)


async def find_open(session: AsyncSession, patient_id: str, condition: str) -> Alert | None:
    """The open alert of a patient's condition, locked as `find` does it."""
    row = await session.scalar(
        sa.select(AlertRow)
        .where(AlertRow.patient_id == patient_id, AlertRow.condition == condition, AlertRow.state != State.RESOLVED)
        .with_for_update()
    )
    return None if row is None else _to_alert(row)


async def open_of_patient(session: AsyncSession, patient_id: str, source: str) -> list[Alert]:
    """The open alerts of a patient that this source has raised."""
    rows = await session.scalars(
        sa.select(AlertRow).where(
            AlertRow.patient_id == patient_id, AlertRow.source == source, AlertRow.state != State.RESOLVED
        )
    )
    return [_to_alert(row) for row in rows]


async def due(session: AsyncSession, now: datetime, *, limit: int) -> list[Alert]:
    """Alerts whose escalation is due, claimed for this transaction; those that others hold are passed over."""
    rows = await session.scalars(
        sa.select(AlertRow)
        .where(AlertRow.next_escalation_at <= now)
        .order_by(AlertRow.next_escalation_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_to_alert(row) for row in rows]


async def next_due_at(session: AsyncSession) -> datetime | None:
    """When the next escalation is due."""
    return await session.scalar(
        sa.select(AlertRow.next_escalation_at)
        .where(AlertRow.next_escalation_at.is_not(None))
        .order_by(AlertRow.next_escalation_at)
        .limit(1)
    )


async def record(session: AsyncSession, transition: Transition) -> None:
    """Write a transition: its events to the end of the log, and the alert's new state."""
    events = transition.events
    if not events:
        return
    last = await session.scalar(sa.update(AlertLog).values(seq=AlertLog.seq + len(events)).returning(AlertLog.seq))
    assert last is not None, "the migrations write the row of the log"
    first = last - len(events) + 1
    alert = transition.alert
    values = _to_values(alert) | {"last_seq": last}
    if events[0].type is EventType.RAISED:
        session.add(AlertRow(id=alert.alert_id, first_seq=first, **values))
        await session.flush()
    else:
        await session.execute(sa.update(AlertRow).where(AlertRow.id == alert.alert_id).values(values))
    session.add_all(
        AlertEventRow(
            seq=seq,
            alert_id=alert.alert_id,
            patient_id=alert.patient_id,
            event=event.type,
            audience=event.alert.recipients,
            payload=encode_alert_event(event).decode(),
            occurred_at=event.at,
        )
        for seq, event in enumerate(events, first)
    )


async def history(
    session: AsyncSession, scopes: Sequence[Scope], wanted: HistoryFilter, *, limit: int
) -> list[tuple[int, Alert]]:
    """Alerts that one of the scopes covers, newest first, each with its number in that order."""
    query = sa.select(AlertRow).where(_covered_by(scopes, AlertRow.patient_id, AlertRow.recipients))
    if wanted.patient_id is not None:
        query = query.where(AlertRow.patient_id == wanted.patient_id)
    if wanted.state == "open":
        query = query.where(AlertRow.state != State.RESOLVED)
    elif wanted.state is not None:
        query = query.where(AlertRow.state == wanted.state)
    if wanted.tier is not None:
        query = query.where(AlertRow.tier == wanted.tier)
    if wanted.since is not None:
        query = query.where(AlertRow.raised_at >= wanted.since)
    if wanted.before is not None:
        query = query.where(AlertRow.first_seq < wanted.before)
    rows = await session.scalars(query.order_by(AlertRow.first_seq.desc()).limit(limit))
    return [(row.first_seq, _to_alert(row)) for row in rows]


async def timeline(session: AsyncSession, alert_id: str) -> list[str]:
    """Every event of an alert as JSON, oldest first."""
    rows = await session.scalars(
        sa.select(AlertEventRow.payload).where(AlertEventRow.alert_id == alert_id).order_by(AlertEventRow.seq)
    )
    return list(rows)


class StoredLog:
    """Reads the log in pages, each in a short session of its own (a `LogReader`)."""

    def __init__(self, db: Database, *, page_size: int = PAGE_SIZE) -> None:
        self._db = db
        self._page_size = page_size

    async def bounds(self) -> LogBounds:
        async with self._db.read() as session:
            return await _bounds(session)

    async def newest(self, *, through: int, limit_bytes: int) -> list[LogEntry]:
        newest: list[LogEntry] = []
        size_bytes, before, is_first = 0, through + 1, False
        while size_bytes < limit_bytes and not is_first:
            async with self._db.read() as session:
                epoch = (await _bounds(session)).epoch
                query = sa.select(AlertEventRow).where(AlertEventRow.seq < before)
                rows = (await session.scalars(query.order_by(AlertEventRow.seq.desc()).limit(self._page_size))).all()
            newest += self._page(epoch, rows, before).entries
            size_bytes += sum(len(row.payload) for row in rows)
            is_first = len(rows) < self._page_size
            before = rows[-1].seq if rows else 0
        return newest[::-1]

    async def time_of(self, seq: int) -> datetime | None:
        async with self._db.read() as session:
            found: datetime | None = await session.scalar(
                sa.select(AlertEventRow.occurred_at).where(AlertEventRow.seq == seq)
            )
            return found

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        async with self._db.read() as session:
            bounds = await _bounds(session)
            query = sa.select(AlertEventRow).where(AlertEventRow.seq > after, AlertEventRow.seq <= bounds.head)
            if scope is not None:
                query = query.where(_covered_by((scope,), AlertEventRow.patient_id, AlertEventRow.audience))
            rows = (await session.scalars(query.order_by(AlertEventRow.seq).limit(self._page_size))).all()
        return self._page(bounds.epoch, rows, bounds.head)

    async def open_alerts(
        self, scope: Scope, *, through: int, after: int, patient_ids: frozenset[str] | None = None
    ) -> LogPage:
        async with self._db.read() as session:
            bounds = await _bounds(session)
            query = (
                sa.select(AlertEventRow)
                .join(AlertRow, AlertRow.last_seq == AlertEventRow.seq)
                .where(AlertRow.state != State.RESOLVED, AlertRow.last_seq > after, AlertRow.last_seq <= through)
                .where(_covered_by((scope,), AlertRow.patient_id, AlertRow.recipients))
            )
            if patient_ids is not None:
                query = query.where(AlertRow.patient_id.in_(patient_ids))
            rows = (await session.scalars(query.order_by(AlertRow.last_seq).limit(self._page_size))).all()
        return self._page(bounds.epoch, rows, through)

    def _page(self, epoch: str, rows: Sequence[AlertEventRow], end: int) -> LogPage:
        entries = [
            LogEntry(
                epoch=epoch,
                seq=row.seq,
                alert_id=row.alert_id,
                patient_id=row.patient_id,
                event=row.event,
                audience=to_mask(row.audience),
                payload=row.payload.encode(),
            )
            for row in rows
        ]
        is_full = len(entries) == self._page_size
        return LogPage(entries, entries[-1].seq if is_full else end, is_last=not is_full)


async def _bounds(session: AsyncSession) -> LogBounds:
    row = (await session.execute(sa.select(AlertLog.epoch, AlertLog.pruned_through, AlertLog.seq))).one()
    return LogBounds(row.epoch, row.pruned_through, row.seq)


def _covered_by(
    scopes: Iterable[Scope], patient_id: sa.ColumnElement[str] | Any, audience: Any
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


def _to_values(alert: Alert) -> dict[str, Any]:
    """The columns that hold an alert, but for its id and its numbers in the log."""
    finding, acknowledgement, resolution = alert.finding, alert.acknowledgement, alert.resolution
    values: dict[str, Any] = {
        "patient_id": alert.patient_id,
        "condition": alert.condition,
        "vital_type": alert.vital_type,
        "kind": alert.kind,
        "source": alert.source,
        "raised_at": alert.raised_at,
        "tier": alert.tier,
        "reasons": list(finding.reasons),
        "vitals_window": list(finding.vitals_window),
        "unit": finding.unit,
        "threshold": None if finding.threshold is None else dict(finding.threshold),
        "context": None if finding.context is None else dict(finding.context),
        "state": alert.state,
        "condition_present": alert.condition_present,
        "signal": alert.signal,
        "responsibility": alert.responsibility,
        "recipients": alert.recipients,
        "steps": [
            {"afterSeconds": step.after.total_seconds(), "recipients": sorted(step.recipients)} for step in alert.steps
        ],
        "escalation_level": alert.escalation_level,
        "next_escalation_at": alert.next_escalation_at,
    }
    ack_actor = acknowledgement.actor if acknowledgement else None
    end_actor = resolution.actor if resolution else None
    return values | {
        "acknowledged_by": ack_actor.user_id if ack_actor else None,
        "acknowledged_by_name": ack_actor.name if ack_actor else None,
        "acknowledged_role": ack_actor.role if ack_actor else None,
        "acknowledged_status": acknowledgement.status if acknowledgement else None,
        "acknowledged_note": acknowledgement.note if acknowledgement else None,
        "acknowledged_at": acknowledgement.at if acknowledgement else None,
        "resolved_by": end_actor.user_id if end_actor else None,
        "resolved_by_name": end_actor.name if end_actor else None,
        "resolved_role": end_actor.role if end_actor else None,
        "resolved_note": resolution.note if resolution else None,
        "resolved_at": resolution.at if resolution else None,
    }


def _to_alert(row: AlertRow) -> Alert:
    acknowledgement = resolution = None
    if row.acknowledged_at is not None:
        acknowledgement = Acknowledgement(
            actor=Actor(row.acknowledged_by or "", row.acknowledged_by_name or "", Role(row.acknowledged_role or "")),
            status=AcknowledgeStatus(row.acknowledged_status or ""),
            note=row.acknowledged_note,
            at=row.acknowledged_at,
        )
    if row.resolved_at is not None:
        actor = None
        if row.resolved_by is not None:
            actor = Actor(row.resolved_by, row.resolved_by_name or "", Role(row.resolved_role or ""))
        resolution = Resolution(row.resolved_at, actor, row.resolved_note)
    return Alert(
        alert_id=row.id,
        patient_id=row.patient_id,
        condition=row.condition,
        vital_type=row.vital_type,
        kind=Kind(row.kind),
        source=row.source,
        raised_at=row.raised_at,
        finding=Finding(
            tier=Tier(row.tier),
            reasons=tuple(row.reasons),
            vitals_window=tuple(row.vitals_window),
            unit=row.unit,
            threshold=row.threshold,
            context=row.context,
        ),
        recipients=row.recipients,
        steps=tuple(
            EscalationStep(timedelta(seconds=step["afterSeconds"]), frozenset(map(Role, step["recipients"])))
            for step in row.steps
        ),
        escalation_level=row.escalation_level,
        next_escalation_at=row.next_escalation_at,
        condition_present=row.condition_present,
        signal=Signal(row.signal),
        responsibility=Responsibility(row.responsibility),
        acknowledgement=acknowledgement,
        resolution=resolution,
    )
