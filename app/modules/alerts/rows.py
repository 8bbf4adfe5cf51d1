"""An alert as a row of its table, and back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.core.roles import Role
from app.modules.alerts.lifecycle import (
    Acknowledgement,
    AcknowledgeStatus,
    Actor,
    Alert,
    EscalationStep,
    Finding,
    Kind,
    Resolution,
    Responsibility,
    Signal,
    Tier,
)


def to_values(alert: Alert) -> dict[str, Any]:
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


def to_alert(row: sa.Row[Any]) -> Alert:
    """The alert that a row of its table holds."""
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
