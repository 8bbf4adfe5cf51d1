"""Limits of patients and of units, and who has set them.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("patients", sa.Column("unit", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_patients_unit"), "patients", ["unit"], unique=False)

    op.create_table(
        "limit_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_clock")),
    )
    op.create_table(
        "limit_changes",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("user_name", sa.String(length=200), nullable=False),
        sa.Column("user_role", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_limit_changes_user_id_users")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_limit_changes")),
    )
    op.create_index("ix_limit_changes_holder", "limit_changes", ["kind", "holder", "number"], unique=False)
    op.create_table(
        "limit_settings",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("spo2_scale", sa.Integer(), nullable=False),
        sa.Column("spo2_change", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "holder", name=op.f("pk_limit_settings")),
    )
    limit_clock = sa.table("limit_clock", sa.column("id"), sa.column("number"))
    op.bulk_insert(limit_clock, [{"id": 1, "number": 0}])


def downgrade() -> None:
    for table in ("limit_settings", "limit_changes", "limit_clock"):
        op.drop_table(table)
    op.drop_index(op.f("ix_patients_unit"), table_name="patients")
    op.drop_column("patients", "unit")
