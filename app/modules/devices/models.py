"""The table of devices: which are expected to send, and when they were heard last."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, UTCDateTime

#: What the partial indexes below are about, written out so that both databases see that they fit.
IS_AWAITED = sa.text("is_expected AND silent_since IS NULL")
IS_SILENT = sa.text("silent_since IS NOT NULL")


class DevicePresence(Base):
    """What is known of one account's sockets for one patient.

    Attributes:
        last_seen_at: when it was heard last, by the clock of the node that heard it.
        is_expected: true from its first frame on, and false once it has signed off or may no longer send.
        silent_since: `last_seen_at` as it was when the silence was alarmed. As long as the two are the same,
            and it is expected, the silence lasts.

    No foreign key holds the two: rows come in batches, and accounts and patients are never deleted.
    """

    __tablename__ = "device_presence"
    __table_args__ = (
        sa.Index("ix_device_presence_awaited", "last_seen_at", sqlite_where=IS_AWAITED, postgresql_where=IS_AWAITED),
        sa.Index("ix_device_presence_silent", "silent_since", sqlite_where=IS_SILENT, postgresql_where=IS_SILENT),
        {"sqlite_with_rowid": False},
    )

    patient_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    is_expected: Mapped[bool]
    silent_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
