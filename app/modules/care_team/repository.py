"""Every query about care teams."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.care_team.models import CareTeamGrant


async def insert(session: AsyncSession, grant: CareTeamGrant) -> None:
    session.add(grant)
    await session.flush()


async def delete(session: AsyncSession, patient_id: str, user_id: str) -> bool:
    """Whether there was a grant to delete."""
    deleted = await session.scalar(
        sa.delete(CareTeamGrant)
        .where(CareTeamGrant.patient_id == patient_id, CareTeamGrant.user_id == user_id)
        .returning(CareTeamGrant.user_id)
    )
    return deleted is not None


async def exists(session: AsyncSession, patient_id: str, user_id: str) -> bool:
    found = await session.scalar(
        sa.select(CareTeamGrant.user_id).where(CareTeamGrant.patient_id == patient_id, CareTeamGrant.user_id == user_id)
    )
    return found is not None


def grants_of(connection: sa.Connection, user_id: str) -> dict[str, datetime]:
    """The patients on whose care team the user stands, and since when."""
    rows = connection.execute(
        sa.select(CareTeamGrant.patient_id, CareTeamGrant.granted_at).where(CareTeamGrant.user_id == user_id)
    )
    return {row.patient_id: row.granted_at for row in rows}
