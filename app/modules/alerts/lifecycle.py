"""PURE: the life of an alert, as a state and the commands that move it on.

Four things are kept apart, as IEC 60601-1-8 keeps them: whether the *condition* is present, what the
*signal* does, who has taken *responsibility*, and how far it has *escalated*. The one word `state`
that lists and filters use is read off them.

            raise                  acknowledge                condition gone, or resolve
    (none) ───────► active ─────────────────► acknowledged ─────────────────────────► resolved
                      │  ▲                        │                                      ▲
                      │  └── raised more severe ──┘                                      │
                      ├── condition gone, low or medium priority ────────────────────────┤
                      └── condition gone, high priority: latched ── acknowledge ─────────┘

Each command returns the alert as it is afterwards and the events that tell of it. Time and people
come in as arguments; nothing here reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from app.core.roles import Role


class Tier(StrEnum):
    SLIGHT = "slight"
    MODERATE = "moderate"
    CRITICAL = "critical"

    @property
    def priority(self) -> Priority:
        return _PRIORITY[self]

    def is_worse_than(self, other: Tier) -> bool:
        order = list(Tier)
        return order.index(self) > order.index(other)


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


_PRIORITY = {Tier.SLIGHT: Priority.LOW, Tier.MODERATE: Priority.MEDIUM, Tier.CRITICAL: Priority.HIGH}


class Kind(StrEnum):
    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"
    ADVISORY = "advisory"


class Signal(StrEnum):
    ON = "on"
    LATCHED = "latched"
    ACKNOWLEDGED = "acknowledged"
    OFF = "off"


class Responsibility(StrEnum):
    UNDEFINED = "undefined"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class State(StrEnum):
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AcknowledgeStatus(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    FALSE_ALARM = "false_alarm"
    RESOLVED = "resolved"


class EventType(StrEnum):
    RAISED = "alert"
    UPDATED = "alert_updated"
    ESCALATED = "alert_escalated"
    ACKNOWLEDGED = "alert_acknowledged"
    RESOLVED = "alert_resolved"


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who is told next, and how long after the step before it (or after raising)."""

    after: timedelta
    recipients: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, as rules or another system report it.

    Attributes:
        vitals_window: the readings that made it an alarm, oldest first, in `unit`.
    """

    tier: Tier
    reasons: tuple[str, ...]
    vitals_window: tuple[float, ...] = ()
    unit: str | None = None
    threshold: Mapping[str, float] | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is told at once, and who after that while nobody acknowledges."""

    recipients: frozenset[Role]
    steps: tuple[EscalationStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind an acknowledgement or a resolution, and the role they act in."""

    user_id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    actor: Actor
    status: AcknowledgeStatus
    note: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Resolution:
    """How it ended: by a person, or by itself when `actor` is none."""

    at: datetime
    actor: Actor | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands.

    Attributes:
        recipients: every role told so far; it only grows.
        next_escalation_at: when the step after `escalation_level` is due; none when disarmed.
    """

    alert_id: str
    patient_id: str
    condition: str
    vital_type: str
    kind: Kind
    source: str
    raised_at: datetime
    finding: Finding
    recipients: frozenset[Role]
    steps: tuple[EscalationStep, ...] = ()
    escalation_level: int = 0
    next_escalation_at: datetime | None = None
    condition_present: bool = True
    signal: Signal = Signal.ON
    responsibility: Responsibility = Responsibility.UNDEFINED
    acknowledgement: Acknowledgement | None = None
    resolution: Resolution | None = None

    @property
    def tier(self) -> Tier:
        return self.finding.tier

    @property
    def state(self) -> State:
        if self.resolution is not None:
            return State.RESOLVED
        return State.ACKNOWLEDGED if self.responsibility is Responsibility.ACCEPTED else State.ACTIVE

    @property
    def is_open(self) -> bool:
        return self.resolution is None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, and the alert as it was right after it."""

    type: EventType
    alert: Alert
    at: datetime


@dataclass(frozen=True, slots=True)
class Transition:
    """What a command did. Without events it changed nothing, and nothing is to be written."""

    alert: Alert
    events: tuple[Event, ...] = ()


class LifecycleError(Exception):
    """A command that the alert's state does not allow."""


class AlertHasEnded(LifecycleError):
    def __init__(self, alert_id: str) -> None:
        super().__init__(f"{alert_id} has ended")
        self.alert_id = alert_id


class AcknowledgedByOther(LifecycleError):
    def __init__(self, acknowledgement: Acknowledgement) -> None:
        super().__init__(f"acknowledged already by {acknowledgement.actor.user_id}")
        self.acknowledgement = acknowledgement


def raise_alert(
    alert_id: str,
    patient_id: str,
    condition: str,
    vital_type: str,
    finding: Finding,
    plan: Plan,
    *,
    now: datetime,
    kind: Kind = Kind.PHYSIOLOGICAL,
    source: str = "rules",
    raised_at: datetime | None = None,
) -> Transition:
    """A new alert: its recipients are told, and its first escalation step is armed from now."""
    alert = Alert(
        alert_id=alert_id,
        patient_id=patient_id,
        condition=condition,
        vital_type=vital_type,
        kind=kind,
        source=source,
        raised_at=raised_at or now,
        finding=finding,
        recipients=plan.recipients,
        steps=plan.steps,
        next_escalation_at=_due(plan.steps, 0, now),
    )
    return _told(alert, EventType.RAISED, now)


def raise_again(
    alert: Alert, finding: Finding, plan: Plan, *, now: datetime, may_become_milder: bool = True
) -> Transition:
    """The same condition is reported while its alert is open.

    A more severe tier is a new alarm to people: it sounds again, belongs to nobody, and escalates
    from the start. A repetition that says nothing new changes nothing.

    Args:
        may_become_milder: whether a milder tier is taken over. A latched alert never becomes milder:
            it would end by itself then, and nobody would have seen how bad it was.

    Raises:
        AlertHasEnded: the alert is no longer open, and the condition needs a new one.
    """
    if not alert.is_open:
        raise AlertHasEnded(alert.alert_id)
    keeps_tier = alert.signal is Signal.LATCHED or not may_become_milder
    if keeps_tier and alert.tier.is_worse_than(finding.tier):
        finding = replace(finding, tier=alert.tier)
    changed = (finding.tier, finding.vitals_window, finding.reasons) != (
        alert.finding.tier,
        alert.finding.vitals_window,
        alert.finding.reasons,
    )
    if finding.tier.is_worse_than(alert.tier):
        worse = replace(
            alert,
            finding=finding,
            recipients=alert.recipients | plan.recipients,
            steps=plan.steps,
            escalation_level=0,
            next_escalation_at=_due(plan.steps, 0, now),
            condition_present=True,
            signal=Signal.ON,
            responsibility=Responsibility.UNDEFINED,
            acknowledgement=None,
        )
        return _told(worse, EventType.UPDATED, now)
    if not changed and alert.condition_present:
        return Transition(alert)
    signal = Signal.ON if alert.signal is Signal.LATCHED else alert.signal
    return _told(replace(alert, finding=finding, condition_present=True, signal=signal), EventType.UPDATED, now)


def acknowledge(
    alert: Alert,
    actor: Actor,
    *,
    now: datetime,
    status: AcknowledgeStatus = AcknowledgeStatus.ACKNOWLEDGED,
    note: str | None = None,
) -> Transition:
    """A person takes responsibility: the signal is silenced and escalation is disarmed.

    The same person repeating themselves changes nothing, so that a retry is harmless; saying
    something else (another status or note) is told. An alert whose condition is gone (latched), or that the
    person calls resolved, ends with it. One that ended by itself may still be acknowledged, once.

    Raises:
        AcknowledgedByOther: somebody else has done so before.
    """
    earlier = alert.acknowledgement
    if earlier is not None:
        if earlier.actor.user_id != actor.user_id:
            raise AcknowledgedByOther(earlier)
        if earlier.status is status and note in {None, earlier.note}:
            return Transition(alert)
        note = earlier.note if note is None else note
    acknowledged = replace(
        alert,
        acknowledgement=Acknowledgement(actor, status, note, now),
        responsibility=Responsibility.ACCEPTED,
        signal=Signal.ACKNOWLEDGED if alert.is_open else Signal.OFF,
        next_escalation_at=None,
    )
    told = _told(acknowledged, EventType.ACKNOWLEDGED, now)
    ends = status is AcknowledgeStatus.RESOLVED or not alert.condition_present
    if not alert.is_open or not ends:
        return told
    ended = resolve(acknowledged, now=now, actor=actor, note=note)
    return Transition(ended.alert, told.events + ended.events)


def resolve(alert: Alert, *, now: datetime, actor: Actor | None = None, note: str | None = None) -> Transition:
    """The alert ends: by hand, or by itself when there is no actor. One that has ended stays as it is."""
    if not alert.is_open:
        return Transition(alert)
    ended = replace(
        alert,
        resolution=Resolution(now, actor, note),
        condition_present=alert.condition_present and actor is not None,
        signal=Signal.OFF,
        next_escalation_at=None,
    )
    return _told(ended, EventType.RESOLVED, now)


def condition_gone(alert: Alert, *, now: datetime) -> Transition:
    """The readings are normal again.

    A high-priority alert that nobody has acknowledged latches: it is shown, and escalates, until
    somebody has looked. Any other ends by itself.
    """
    if not alert.is_open or not alert.condition_present:
        return Transition(alert)
    if _latches(alert):
        return _told(replace(alert, condition_present=False, signal=Signal.LATCHED), EventType.UPDATED, now)
    return resolve(alert, now=now)


def escalate(alert: Alert, *, now: datetime) -> Transition:
    """Tell the next recipients, and arm the step after. Changes nothing unless a step is due."""
    if not alert.is_open or alert.next_escalation_at is None or now < alert.next_escalation_at:
        return Transition(alert)
    step = alert.steps[alert.escalation_level]
    level = alert.escalation_level + 1
    escalated = replace(
        alert,
        escalation_level=level,
        recipients=alert.recipients | step.recipients,
        next_escalation_at=_due(alert.steps, level, now),
    )
    return _told(escalated, EventType.ESCALATED, now)


def _latches(alert: Alert) -> bool:
    return alert.tier.priority is Priority.HIGH and alert.responsibility is not Responsibility.ACCEPTED


def _due(steps: tuple[EscalationStep, ...], level: int, now: datetime) -> datetime | None:
    return now + steps[level].after if level < len(steps) else None


def _told(alert: Alert, event: EventType, now: datetime) -> Transition:
    return Transition(alert, (Event(event, alert, now),))
