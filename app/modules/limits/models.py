"""The tables of limits that people have set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, UTCDateTime


class LimitClock(Base):
    """One row: how many changes of limits there have been. Who changes limits holds it until the commit."""

    __tablename__ = "limit_clock"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class LimitChangeRow(Base):
    """One change of what holds for a patient or a unit: who, when, why, before and after; never changed itself."""

    __tablename__ = "limit_changes"
    __table_args__ = (sa.Index("ix_limit_changes_holder", "kind", "holder", "number"),)

    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.String(8))
    holder: Mapped[str] = mapped_column(sa.String(64))
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    user_name: Mapped[str] = mapped_column(sa.String(200))
    user_role: Mapped[str] = mapped_column(sa.String(32))
    reason: Mapped[str] = mapped_column(sa.Text)
    before: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    after: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class LimitSettingsRow(Base):
    """What people have set for one patient or one unit, as it is now; each limit with the number of its change."""

    __tablename__ = "limit_settings"

    kind: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    holder: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    limits: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    spo2_scale: Mapped[int]
    spo2_change: Mapped[int | None] = mapped_column(sa.BigInteger)
