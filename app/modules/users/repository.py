"""Every query about accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import roles_overlap
from app.core.roles import Role, to_mask
from app.modules.users.models import User


async def insert(session: AsyncSession, user: User) -> None:
    session.add(user)
    await session.flush()


async def by_id(session: AsyncSession, user_id: str) -> User | None:
    return await session.get(User, user_id)


async def by_email(session: AsyncSession, email: str) -> User | None:
    found: User | None = await session.scalar(sa.select(User).where(User.email == email))
    return found


def with_facts(
    connection: sa.Connection, user_id: str, facts: Sequence[sa.ColumnElement[Any]]
) -> tuple[sa.Row[Any], tuple[Any, ...]] | None:
    """The account, and the values of some expressions of other modules, in one query."""
    row = connection.execute(sa.select(User.__table__, *facts).where(User.id == user_id)).one_or_none()
    return None if row is None else (row, tuple(row[-len(facts) :]))


def email_of(connection: sa.Connection, user_id: str) -> str | None:
    found: str | None = connection.scalar(sa.select(User.email).where(User.id == user_id))
    return found


def after(connection: sa.Connection, email: str | None, holding: str, *, limit: int) -> list[sa.Row[Any]]:
    """The accounts whose address comes after this one, or the first of all, by address.

    Args:
        holding: a part of the address or the name, in small letters; nothing stands for all.
    """
    query = sa.select(User.__table__).order_by(User.email).limit(limit)
    if email is not None:
        query = query.where(User.email > email)
    if holding:
        query = query.where(
            sa.or_(
                User.email.contains(holding, autoescape=True),
                sa.func.lower(User.name).contains(holding, autoescape=True),
            )
        )
    return list(connection.execute(query))


def among(connection: sa.Connection, user_ids: sa.Select[Any]) -> list[sa.Row[Any]]:
    """The accounts whose ids a query of another module finds, in no order."""
    return list(connection.execute(sa.select(User.__table__).where(User.id.in_(user_ids))))


async def has_enabled_admin(session: AsyncSession) -> bool:
    is_admin = roles_overlap(User.__table__.c.roles, to_mask({Role.ADMIN}))
    found = await session.scalar(sa.select(User.id).where(is_admin, User.disabled.is_(False)).limit(1))
    return found is not None
