"""Every query about care teams."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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


def grants_for(connection: sa.Connection, patient_id: str) -> dict[str, datetime]:
    """The users on the patient's care team, and since when."""
    rows = connection.execute(
        sa.select(CareTeamGrant.user_id, CareTeamGrant.granted_at).where(CareTeamGrant.patient_id == patient_id)
    )
    return {row.user_id: row.granted_at for row in rows}


def on_team_of(patient_id: str) -> sa.Select[Any]:
    """The ids of the users on the patient's care team, as an expression for a query."""
    return sa.select(CareTeamGrant.user_id).where(CareTeamGrant.patient_id == patient_id)


def grants_of(connection: sa.Connection, user_id: str) -> dict[str, datetime]:
    """The patients on whose care team the user stands, and since when."""
    rows = connection.execute(
        sa.select(CareTeamGrant.patient_id, CareTeamGrant.granted_at).where(CareTeamGrant.user_id == user_id)
    )
    return {row.patient_id: row.granted_at for row in rows}
