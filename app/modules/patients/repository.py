"""Every query about patient records."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.patients.models import Patient


async def insert(session: AsyncSession, patient: Patient) -> None:
    session.add(patient)
    await session.flush()


def exists(connection: sa.Connection, patient_id: str) -> bool:
    return connection.scalar(sa.select(Patient.id).where(Patient.id == patient_id)) is not None


async def own_patient_id(session: AsyncSession, user_id: str) -> str | None:
    found: str | None = await session.scalar(sa.select(record_of(user_id)))
    return found


async def claim(session: AsyncSession, patient_id: str) -> Patient | None:
    """The record; no other transaction changes it until this one ends."""
    return await session.get(Patient, patient_id, with_for_update=True)


def one(connection: sa.Connection, patient_id: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(Patient.__table__).where(Patient.id == patient_id)).one_or_none()


def after(connection: sa.Connection, patient_id: str | None, *, limit: int) -> list[sa.Row[Any]]:
    """The records that come after this id, or the first of all, by id."""
    query = sa.select(Patient.__table__).order_by(Patient.id).limit(limit)
    if patient_id is not None:
        query = query.where(Patient.id > patient_id)
    return list(connection.execute(query))


def among(connection: sa.Connection, patient_ids: Collection[str]) -> list[sa.Row[Any]]:
    """The records with these ids, in no order."""
    return list(connection.execute(sa.select(Patient.__table__).where(Patient.id.in_(patient_ids))))


def in_unit(connection: sa.Connection, unit: str) -> frozenset[str]:
    """The ids of the patients who lie on the unit."""
    return frozenset(connection.scalars(sa.select(Patient.id).where(Patient.unit == unit)))


def unit_of(patient_id: str) -> sa.ScalarSelect[str | None]:
    """The unit that the patient lies on, as an expression for a query."""
    return sa.select(Patient.unit).where(Patient.id == patient_id).scalar_subquery()


def record_of(user_id: str) -> sa.ScalarSelect[str | None]:
    """The id of the user's own record, as an expression for a query."""
    return sa.select(Patient.id).where(Patient.user_id == user_id).scalar_subquery()
