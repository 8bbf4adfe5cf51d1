"""Every query about sign-ins and their tokens."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.auth.models import RefreshToken, Session


async def insert(session: AsyncSession, row: Session | RefreshToken) -> None:
    session.add(row)
    await session.flush()


def is_open(session_id: str | None, user_id: str) -> sa.ColumnElement[bool]:
    """Whether this sign-in of this user goes on, as an expression for a query; true where there is none."""
    if session_id is None:
        return sa.literal(value=True)
    return sa.exists().where(Session.id == session_id, Session.user_id == user_id, Session.ended_at.is_(None))


async def open_session_of(session: AsyncSession, token_hash: str, *, now: datetime) -> Session | None:
    """The sign-in that a token keeps going, used or not, as long as neither has ended."""
    found: Session | None = await session.scalar(
        sa.select(Session)
        .join(RefreshToken, RefreshToken.session_id == Session.id)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.expires_at > now, Session.ended_at.is_(None))
    )
    return found


async def use(session: AsyncSession, token_hash: str, *, now: datetime) -> bool:
    """Mark the token as used; of any number of callers exactly one is told that it was not before."""
    used = await session.scalar(
        sa.update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=now)
        .returning(RefreshToken.token_hash)
    )
    return used is not None


async def end(session: AsyncSession, which: sa.ColumnElement[bool], *, now: datetime) -> bool:
    """End the open ones among these sign-ins; whether there were any."""
    ended = await session.scalars(
        sa.update(Session).where(which, Session.ended_at.is_(None)).values(ended_at=now).returning(Session.id)
    )
    return bool(ended.all())


def with_id(session_id: str) -> sa.ColumnElement[bool]:
    return Session.id == session_id


def of_user(user_id: str) -> sa.ColumnElement[bool]:
    return Session.user_id == user_id


async def delete_expired_tokens(session: AsyncSession, user_id: str, *, now: datetime) -> None:
    of_this_user = sa.select(Session.id).where(Session.user_id == user_id)
    await session.execute(
        sa.delete(RefreshToken).where(RefreshToken.session_id.in_(of_this_user), RefreshToken.expires_at <= now)
    )
