"""The table of grants: who stands on whose care team."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, UTCDateTime


class CareTeamGrant(Base):
    """One user on the care team of one patient, until the row is removed."""

    __tablename__ = "care_team"

    patient_id: Mapped[str] = mapped_column(sa.ForeignKey("patients.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"), primary_key=True, index=True)
    granted_by: Mapped[str | None] = mapped_column(sa.ForeignKey("users.id"))
    granted_at: Mapped[datetime] = mapped_column(UTCDateTime)
