"""Which devices are expected to send, and when they were heard last.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_presence",
        sa.Column("patient_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_expected", sa.Boolean(), nullable=False),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("patient_id", "user_id", name=op.f("pk_device_presence")),
        sqlite_with_rowid=False,
    )
    for name, column, where in (
        ("ix_device_presence_awaited", "last_seen_at", sa.text("is_expected AND silent_since IS NULL")),
        ("ix_device_presence_silent", "silent_since", sa.text("silent_since IS NOT NULL")),
    ):
        op.create_index(name, "device_presence", [column], unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("device_presence")
