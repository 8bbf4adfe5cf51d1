"""Raise, acknowledge, resolve, escalate: one transaction each, and what it wrote handed on after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError

from app.core.access import Scope
from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import InvalidField
from app.core.metrics import Metrics
from app.core.roles import in_order
from app.core.security import Principal
from app.core.wire import new_id
from app.modules.alerts import lifecycle, repository
from app.modules.alerts.errors import AlreadyAcknowledged, BadHistoryCursor, UnknownAlert
from app.modules.alerts.lifecycle import (
    AcknowledgeStatus,
    Actor,
    Alert,
    EventType,
    Finding,
    Kind,
    Plan,
    Tier,
    Transition,
)
from app.modules.alerts.reach import actor_of, is_visible, require_covered
from app.modules.alerts.repository import HistoryFilter
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.schemas import AlertPayload, EscalationTimers, LogEntry, OpenAlerts
from app.modules.care_team.service import CareTeamService

__all__ = ["AlertService", "EventType", "Finding", "Kind", "Tier", "UnknownAlert"]

#: Called after the commit with what was written, in order, so that this node's readers need not read it again.
Written = Callable[[Sequence[LogEntry]], None]

Armed = Callable[[datetime], None]

Alongside = Callable[[sa.Connection], None]

#: Alerts that the rules have raised; others carry the name of the role that raised them.
RULES = "rules"

#: An escalation that fires later than this after it was due is counted and logged as late.
LATE_AFTER = timedelta(seconds=5)

#: Clocks of other systems may be ahead of ours by this much.
FURTHEST_AHEAD = timedelta(seconds=60)

_DUE_AT_ONCE = 50

_log = structlog.get_logger(__name__)


class AlertService:
    """Every change of an alert goes through here, and is in the log when the call returns."""

    def __init__(
        self,
        db: Database,
        written: Written,
        clock: Clock,
        metrics: Metrics,
        rules: ActiveRules,
        care_team: CareTeamService,
    ) -> None:
        self._db = db
        self._written = written
        self._clock = clock
        self._metrics = metrics
        self._care_team = care_team
        self._armed: Armed = lambda _due_at: None
        self._rules = rules

    def on_armed(self, armed: Armed) -> None:
        """Call `armed` with when each escalation that this node arms is due."""
        self._armed = armed

    async def raise_alert(self, caller: Principal, payload: AlertPayload) -> tuple[Alert, bool]:
        """Raise an alert for another system; true when it is a new one.

        Raises:
            RoleNotHeld: the caller may not raise alerts.
            NotOnCareTeam: a device that does not stand on the patient's care team.
            UnknownPatient: there is no such patient.
            InvalidField: it is said to begin in the future.
        """
        await self._care_team.require_raiser(caller, payload.patient_id)
        if payload.timestamp is not None and payload.timestamp > self._clock.now() + FURTHEST_AHEAD:
            raise InvalidField("timestamp", "lies more than 60 s in the future; is a clock wrong?")
        plan = self._rules.book.plans[payload.tier]
        if payload.recipients is not None:
            plan = Plan(frozenset(payload.recipients), plan.steps)
        finding = Finding(
            tier=payload.tier,
            reasons=tuple(payload.reasons),
            vitals_window=tuple(payload.vitals_window),
            unit=payload.unit,
            threshold=payload.threshold.model_dump(exclude_none=True) if payload.threshold else None,
            context=payload.context,
        )
        return await self._raise(
            payload.patient_id,
            payload.condition or payload.vital_type,
            payload.vital_type,
            finding,
            plan,
            kind=payload.kind,
            source=in_order(caller.roles)[-1],
            raised_at=payload.timestamp,
        )

    async def report(
        self,
        patient_id: str,
        condition: str,
        vital_type: str,
        finding: Finding,
        *,
        kind: Kind = Kind.PHYSIOLOGICAL,
        source: str = RULES,
        alongside: Alongside | None = None,
    ) -> Alert:
        """A condition was found: its alert is raised, or the open one is brought up to date.

        Args:
            alongside: is done first, in the same transaction; what it raises undoes both.
        """
        plan = self._rules.book.plans[finding.tier]
        alert, _ = await self._raise(
            patient_id, condition, vital_type, finding, plan, kind=kind, source=source, alongside=alongside
        )
        return alert

    async def condition_gone(
        self, patient_id: str, condition: str, *, alongside: Alongside | None = None
    ) -> Alert | None:
        """A condition is gone: its open alert ends, or latches until somebody has looked.

        Args:
            alongside: as for `report`.
        """

        def end(connection: sa.Connection) -> _Done | None:
            if alongside is not None:
                alongside(connection)
            alert = repository.claim_open(connection, patient_id, condition)
            if alert is None:
                return None
            return _write(connection, lifecycle.condition_gone(alert, now=self._clock.now()))

        ended = await self._db.run_write(end)
        if ended is None:
            return None
        self._announce(ended)
        return ended.transition.alert

    async def open_from(self, patient_id: str, *sources: str) -> list[Alert]:
        """The alerts of a patient that these have raised and that are still open."""
        return await self._db.run_read(lambda it: repository.open_of_patient(it, patient_id, sources))

    async def last_ended(self, patient_id: str, source: str) -> Mapping[str, datetime]:
        """When the last alert of each condition ended, of those that this source has raised for a patient."""
        return await self._db.run_read(lambda it: repository.last_ended(it, patient_id, source))

    async def acknowledge(
        self,
        caller: Principal,
        alert_id: str,
        patient_id: str | None,
        *,
        status: AcknowledgeStatus,
        note: str | None,
        scope: Scope | None = None,
    ) -> Transition:
        """A person takes an alert on; escalation is disarmed in the same transaction.

        Args:
            scope: what the caller acts within, where a socket has one; otherwise all that they may see.

        Raises:
            NotOnCareTeam: the patient is none of theirs.
            UnknownAlert: there is no such alert of this patient that they may see.
            AlreadyAcknowledged: somebody else was first.
        """

        def command(alert: Alert, actor: Actor) -> Transition:
            try:
                return lifecycle.acknowledge(alert, actor, now=self._clock.now(), status=status, note=note)
            except lifecycle.AcknowledgedByOther as error:
                raise AlreadyAcknowledged(error.acknowledgement) from None

        scopes = [scope] if scope else await self._care_team.scopes(caller)
        transition = await self._by_person(caller, scopes, alert_id, patient_id, command)
        for event in transition.events:
            if event.type is EventType.ACKNOWLEDGED:
                waited = event.at - event.alert.raised_at
                self._metrics.raise_to_acknowledge.observe(max(waited.total_seconds(), 0.0))
        return transition

    async def resolve(
        self, caller: Principal, alert_id: str, patient_id: str | None, *, note: str | None
    ) -> Transition:
        """A person closes an alert; closing one that is closed changes nothing.

        Raises:
            NotOnCareTeam, UnknownAlert: as for `acknowledge`.
        """
        scopes = await self._care_team.scopes(caller)
        return await self._by_person(
            caller,
            scopes,
            alert_id,
            patient_id,
            lambda alert, actor: lifecycle.resolve(alert, now=self._clock.now(), actor=actor, note=note),
        )

    async def next_escalation_at(self) -> datetime | None:
        """When the next escalation is due."""
        return await self._db.glance(repository.next_due_at)

    async def timers(self) -> EscalationTimers:
        """The timers of escalation, of all nodes."""
        now = self._clock.now()
        return await self._db.run_read(lambda it: repository.timers(it, now))

    async def open_counts(self) -> OpenAlerts:
        """How many alerts are open, raised by whichever node."""
        return await self._db.run_read(repository.open_counts)

    async def escalate_due(self) -> int:
        """Act on the escalations that are due, a bounded number at once, and say how many have escalated."""

        def escalate(connection: sa.Connection) -> list[tuple[Alert, _Done]]:
            now = self._clock.now()
            alerts = repository.due(connection, now, limit=_DUE_AT_ONCE)
            return [(alert, _write(connection, lifecycle.escalate(alert, now=now))) for alert in alerts]

        escalated = await self._db.run_write(escalate)
        self._announce(*(written for _, written in escalated))
        for alert, written in escalated:
            self._note_delay(alert, written.transition)
        return sum(bool(written.transition.events) for _, written in escalated)

    async def history(
        self, caller: Principal, wanted: HistoryFilter, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[Alert], str | None]:
        """A page of the alerts that the caller may see, newest first, and the cursor of the next.

        Raises:
            NotOnCareTeam: the patient asked for is none of theirs.
            BadHistoryCursor: the cursor is none that a page has given.
        """
        scopes = await self._care_team.scopes(caller)
        if wanted.patient_id is not None:
            require_covered(scopes, wanted.patient_id)
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
                raise BadHistoryCursor
            wanted = replace(wanted, before=int(cursor))
        numbered = await self._db.run_read(lambda it: repository.history(it, scopes, wanted, limit=limit + 1))
        page = numbered[:limit]
        has_more = len(numbered) > limit
        return [alert for _, alert in page], str(page[-1][0]) if has_more else None

    async def get(self, caller: Principal, alert_id: str) -> tuple[Alert, list[str]]:
        """An alert and its events as JSON, oldest first.

        Raises:
            UnknownAlert: there is none that the caller may see.
        """
        scopes = await self._care_team.scopes(caller)

        def read(connection: sa.Connection) -> tuple[Alert, list[str]]:
            alert = repository.find(connection, alert_id)
            if alert is None or not is_visible(alert, scopes):
                raise UnknownAlert(alert_id)
            return alert, repository.timeline(connection, alert_id)

        return await self._db.run_read(read)

    async def _raise(
        self, patient_id: str, condition: str, vital_type: str, finding: Finding, plan: Plan, **fields: Any
    ) -> tuple[Alert, bool]:
        def raise_it(connection: sa.Connection) -> tuple[_Done, bool]:
            return self._raise_in(connection, patient_id, condition, vital_type, finding, plan, **fields)

        try:
            raised, is_new = await self._db.run_write(raise_it)
        except IntegrityError:
            # Another node has raised the same condition since we looked (the database allows one
            # open alert for it): now it is there to be found.
            raised, is_new = await self._db.run_write(raise_it)
        self._announce(raised)
        return raised.transition.alert, is_new

    def _raise_in(
        self,
        connection: sa.Connection,
        patient_id: str,
        condition: str,
        vital_type: str,
        finding: Finding,
        plan: Plan,
        *,
        kind: Kind = Kind.PHYSIOLOGICAL,
        source: str = RULES,
        raised_at: datetime | None = None,
        alongside: Alongside | None = None,
    ) -> tuple[_Done, bool]:
        if alongside is not None:
            alongside(connection)
        now = self._clock.now()
        alert = repository.claim_open(connection, patient_id, condition)
        if alert is not None:
            # Another system may say that its alert has become milder. The rules look at one sign, and
            # must not make milder what they have not raised.
            transition = lifecycle.raise_again(alert, finding, plan, now=now, may_become_milder=source != RULES)
        else:
            transition = lifecycle.raise_alert(
                new_id(), patient_id, condition, vital_type, finding, plan,
                now=now, kind=kind, source=source, raised_at=raised_at,
            )  # fmt: skip
        return _write(connection, transition), alert is None

    async def _by_person(
        self,
        caller: Principal,
        scopes: Sequence[Scope],
        alert_id: str,
        patient_id: str | None,
        command: Callable[[Alert, Actor], Transition],
    ) -> Transition:
        if patient_id is not None:
            require_covered(scopes, patient_id)

        def act(connection: sa.Connection) -> _Done:
            alert = repository.claim(connection, alert_id)
            if alert is None or patient_id not in {None, alert.patient_id} or not is_visible(alert, scopes):
                raise UnknownAlert(alert_id)
            return _write(connection, command(alert, actor_of(caller, alert, scopes)))

        done = await self._db.run_write(act)
        self._announce(done)
        return done.transition

    def _announce(self, *written: _Done) -> None:
        """After the commit: hand on what was written, and count."""
        for transition, _ in written:
            for event in transition.events:
                self._metrics.alert_events.labels(event=event.type, tier=event.alert.tier).inc()
            if transition.events and (due_at := transition.alert.next_escalation_at):
                self._armed(due_at)
        if entries := [entry for _, entries in written for entry in entries]:
            self._written(entries)

    def _note_delay(self, before: Alert, escalated: Transition) -> None:
        assert before.next_escalation_at is not None
        step = escalated.alert.escalation_level
        for event in escalated.events:
            delay = event.at - before.next_escalation_at
            self._metrics.escalations.labels(step=str(step)).inc()
            self._metrics.escalation_delay.observe(delay.total_seconds())
            if delay > LATE_AFTER:
                self._metrics.escalations_late.inc()
                _log.warning("escalation.late", alert_id=before.alert_id, step=step, late_seconds=delay.total_seconds())


class _Done(NamedTuple):
    """What a transaction did, and what the log got of it."""

    transition: Transition
    entries: list[LogEntry]


def _write(connection: sa.Connection, transition: Transition) -> _Done:
    return _Done(transition, repository.record(connection, transition))
