"""The tables of alerts: as they stand, and the log of everything that happened to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, RoleSet, UTCDateTime
from app.core.roles import Role
from app.modules.alerts.lifecycle import State

#: What the partial indexes below are about. The word is written out: as a parameter it could be any, so that
#: PostgreSQL may pass them by, and SQLite plans the query anew each time that it is asked.
IS_OPEN = sa.text(f"state <> '{State.RESOLVED}'")
_ARMED = sa.text("next_escalation_at IS NOT NULL")


class AlertLog(Base):
    """One row: the name of this log, and how far it reaches.

    Whoever writes an event takes its number by updating this row, and so holds it until the commit:
    numbers come in commit order, and a rolled-back number is given out again. A database sequence
    would do neither.
    """

    __tablename__ = "alert_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[str] = mapped_column(sa.String(32))
    seq: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    pruned_through: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class AlertRow(Base):
    """An alert as it stands after its latest event.

    `first_seq` and `last_seq` are the numbers of its first and latest event. `next_escalation_at` is
    the durable timer of escalation: a row that is due is acted on by whichever node comes first.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        # At most one open alert per patient and condition, whatever races.
        sa.Index(
            "uq_alerts_open_condition",
            "patient_id",
            "condition",
            unique=True,
            sqlite_where=IS_OPEN,
            postgresql_where=IS_OPEN,
        ),
        sa.Index("ix_alerts_open_last_seq", "last_seq", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        sa.Index("ix_alerts_due", "next_escalation_at", sqlite_where=_ARMED, postgresql_where=_ARMED),
        sa.Index("ix_alerts_patient_id_first_seq", "patient_id", "first_seq"),
        sa.Index("ix_alerts_first_seq", "first_seq"),
    )

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient_id: Mapped[str] = mapped_column(sa.ForeignKey("patients.id"))
    condition: Mapped[str] = mapped_column(sa.String(64))
    vital_type: Mapped[str] = mapped_column(sa.String(64))
    kind: Mapped[str] = mapped_column(sa.String(16))
    source: Mapped[str] = mapped_column(sa.String(64))
    raised_at: Mapped[datetime] = mapped_column(UTCDateTime)

    tier: Mapped[str] = mapped_column(sa.String(16))
    reasons: Mapped[list[str]] = mapped_column(sa.JSON)
    vitals_window: Mapped[list[float]] = mapped_column(sa.JSON)
    unit: Mapped[str | None] = mapped_column(sa.String(16))
    threshold: Mapped[dict[str, float] | None] = mapped_column(sa.JSON(none_as_null=True))
    context: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))

    state: Mapped[str] = mapped_column(sa.String(16))
    condition_present: Mapped[bool]
    signal: Mapped[str] = mapped_column(sa.String(16))
    responsibility: Mapped[str] = mapped_column(sa.String(16))
    recipients: Mapped[frozenset[Role]] = mapped_column(RoleSet)

    steps: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    escalation_level: Mapped[int]
    next_escalation_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    acknowledged_by: Mapped[str | None] = mapped_column(sa.String(64))
    acknowledged_by_name: Mapped[str | None] = mapped_column(sa.String(200))
    acknowledged_role: Mapped[str | None] = mapped_column(sa.String(32))
    acknowledged_status: Mapped[str | None] = mapped_column(sa.String(16))
    acknowledged_note: Mapped[str | None] = mapped_column(sa.Text)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    resolved_by: Mapped[str | None] = mapped_column(sa.String(64))
    resolved_by_name: Mapped[str | None] = mapped_column(sa.String(200))
    resolved_role: Mapped[str | None] = mapped_column(sa.String(32))
    resolved_note: Mapped[str | None] = mapped_column(sa.Text)
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    first_seq: Mapped[int] = mapped_column(sa.BigInteger)
    last_seq: Mapped[int] = mapped_column(sa.BigInteger)


class AlertEventRow(Base):
    """One event of the log: never changed, and numbered in commit order without gaps."""

    __tablename__ = "alert_events"
    __table_args__ = (
        sa.Index("ix_alert_events_alert_id_seq", "alert_id", "seq"),
        sa.Index("ix_alert_events_patient_id_seq", "patient_id", "seq"),
    )

    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    alert_id: Mapped[str] = mapped_column(sa.ForeignKey("alerts.id"))
    patient_id: Mapped[str] = mapped_column(sa.String(64))
    event: Mapped[str] = mapped_column(sa.String(32))
    audience: Mapped[frozenset[Role]] = mapped_column(RoleSet)
    payload: Mapped[str] = mapped_column(sa.Text)
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
