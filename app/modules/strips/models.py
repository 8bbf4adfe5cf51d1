"""The table of strips."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, UTCDateTime


class AlertStrip(Base):
    """What one node has recorded around an alert.

    A device may change from one node to another, and two devices of a patient send to two: each node writes a
    row of its own, and who reads puts them together. A strip goes when its alert goes.

    `traces` is MessagePack. Up to `settled_until`, nothing that was on its way when they were written is missing.
    """

    __tablename__ = "alert_strips"

    alert_id: Mapped[str] = mapped_column(sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True)
    node: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    alert_at: Mapped[datetime] = mapped_column(UTCDateTime)
    settled_until: Mapped[datetime] = mapped_column(UTCDateTime)
    traces: Mapped[bytes] = mapped_column(sa.LargeBinary)
