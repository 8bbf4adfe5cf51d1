"""The table of numerics."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, UTCDateTime


class VitalReading(Base):
    """One numeric of one moment.

    The key is what makes a reading that is sent again count once. No foreign key holds the patient:
    readings come in batches, and one row that is refused must not hold up those of everybody else.
    """

    __tablename__ = "vital_readings"
    __table_args__ = (
        sa.Index("ix_vital_readings_patient_id_measured_at", "patient_id", "measured_at"),
        # In SQLite the key is the table itself, and not a second copy of its columns.
        {"sqlite_with_rowid": False},
    )

    patient_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    type: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    value: Mapped[float] = mapped_column(sa.Double)
    unit: Mapped[str] = mapped_column(sa.String(16))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    source: Mapped[str] = mapped_column(sa.String(16), default="device")
