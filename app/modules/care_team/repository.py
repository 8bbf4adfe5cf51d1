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


async def patients_of(session: AsyncSession, user_id: str, *, since: datetime | None = None) -> frozenset[str]:
    query = sa.select(CareTeamGrant.patient_id).where(CareTeamGrant.user_id == user_id)
    if since is not None:
        query = query.where(CareTeamGrant.granted_at > since)
    return frozenset(await session.scalars(query))
