"""An alert to try things on, those who come to it, and short ways of saying how it stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.core.roles import Role
from app.modules.alerts.lifecycle import (
    Actor,
    Alert,
    EscalationStep,
    EventType,
    Finding,
    Plan,
    Responsibility,
    Signal,
    State,
    Tier,
    Transition,
    raise_alert,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)

NURSE = Actor("u-nurse", "Nora", Role.NURSE)
DOCTOR = Actor("u-doctor", "Dan", Role.DOCTOR)
ADMIN = Actor("u-admin", "Ada", Role.ADMIN)

FIRST_TOLD = frozenset({Role.PATIENT, Role.NURSE})
STEPS = (
    EscalationStep(30 * SECOND, frozenset({Role.DISPATCHER, Role.HOSPITAL})),
    EscalationStep(60 * SECOND, frozenset({Role.FIRST_RESPONDER})),
)
PLAN = Plan(FIRST_TOLD, STEPS)


def finding(tier: Tier = Tier.CRITICAL, *reasons: str, window: tuple[float, ...] = (190, 192, 188)) -> Finding:
    return Finding(tier, reasons or ("heart_rate above 180 for 3 samples",), window, unit="/min")


def raised(tier: Tier = Tier.CRITICAL, plan: Plan = PLAN) -> Alert:
    return raise_alert("a1", "p1", "heart_rate_high", "heart_rate", finding(tier), plan, now=NOW).alert


def event_types(transition: Transition) -> list[EventType]:
    return [event.type for event in transition.events]


def axes(alert: Alert) -> tuple[State, bool, Signal, Responsibility]:
    return alert.state, alert.condition_present, alert.signal, alert.responsibility


ACTIVE = (State.ACTIVE, True, Signal.ON, Responsibility.UNDEFINED)
LATCHED = (State.ACTIVE, False, Signal.LATCHED, Responsibility.UNDEFINED)
ACKNOWLEDGED = (State.ACKNOWLEDGED, True, Signal.ACKNOWLEDGED, Responsibility.ACCEPTED)
