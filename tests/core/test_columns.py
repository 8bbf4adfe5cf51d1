"""Columns of our own kinds give back what was put in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database, RoleSet, UTCDateTime, roles_overlap
from app.core.roles import Role, to_mask

pytestmark = pytest.mark.anyio

scratch = sa.MetaData()
visits = sa.Table(
    "visits",
    scratch,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UTCDateTime),
    sa.Column("roles", RoleSet),
)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database; at the end no connection of it is in use."""
    opened = Database(f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}")
    yield opened
    assert opened.checked_out() == 0
    await opened.close()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
        None,
    ],
    ids=["utc", "elsewhere", "none"],
)
async def test_a_time_comes_back_as_the_same_moment_in_utc(moment: datetime | None, db: Database) -> None:
    async with db.write() as session:
        await (await session.connection()).run_sync(scratch.create_all)
        await session.execute(visits.insert().values(id=1, at=moment))
    async with db.read() as session:
        found = await session.scalar(sa.select(visits.c.at))

    assert found == moment
    assert found is None or found.utcoffset() == timedelta(0)


async def test_roles_are_found_by_whether_two_sets_overlap(db: Database) -> None:
    async with db.write() as session:
        await (await session.connection()).run_sync(scratch.create_all)
        for number, roles in enumerate([{Role.NURSE, Role.DOCTOR}, {Role.ADMIN}, set()]):
            await session.execute(visits.insert().values(id=number, roles=frozenset(roles)))

    async def seen_by(*roles: Role) -> list[int]:
        async with db.read() as session:
            query = sa.select(visits.c.id).where(roles_overlap(visits.c.roles, to_mask(roles))).order_by(visits.c.id)
            return list(await session.scalars(query))

    assert await seen_by(Role.DOCTOR) == [0]
    assert await seen_by(Role.ADMIN, Role.NURSE) == [0, 1]
    assert await seen_by(Role.PATIENT) == []
    async with db.read() as session:
        stored = list(await session.scalars(sa.select(visits.c.roles).order_by(visits.c.id)))
    assert stored == [{Role.NURSE, Role.DOCTOR}, {Role.ADMIN}, set()]
