"""Whole transactions in one go, on SQLite: as safe as sessions, and side by side with them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from app.core.access import AccessClock
from app.core.db import Database
from tests.databases import put_new_database

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A new database; at the end no connection of it is in use, and none of its threads is left."""
    await put_new_database(tmp_path)
    opened = Database(f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}")
    yield opened
    assert opened.checked_out() == 0
    await opened.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("sqlite-")] == []


@pytest.fixture
async def other(db: Database) -> AsyncIterator[Database]:
    """The same database as another process sees it."""
    opened = Database(db.url.render_as_string())
    yield opened
    await opened.close()


def version(connection: sa.Connection) -> int:
    return connection.scalars(sa.select(AccessClock.version)).one()


def count_up(connection: sa.Connection) -> int:
    """Read, and write what follows from what was read."""
    counted = version(connection) + 1
    connection.execute(sa.update(AccessClock).values(version=counted))
    return counted


async def test_a_write_is_committed_when_it_returns_and_leaves_nothing_when_it_raises(db: Database) -> None:
    def fail(connection: sa.Connection) -> None:
        count_up(connection)
        raise RuntimeError("in the middle")

    assert await db.run_write(count_up) == 1
    outsider = sqlite3.connect(str(db.url.database))
    assert outsider.execute("SELECT version FROM access_clock").fetchone() == (1,)
    outsider.close()
    with pytest.raises(RuntimeError, match="in the middle"):
        await db.run_write(fail)
    assert await db.run_write(count_up) == 2


async def test_no_write_is_lost_or_refused_whichever_way_it_comes_and_from_wherever(
    db: Database, other: Database
) -> None:
    """Fails with "database is locked" when a write begins with a plain BEGIN (checked so)."""

    async def in_a_session(database: Database) -> None:
        async with database.write() as session:
            counted = (await session.scalars(sa.select(AccessClock.version))).one() + 1
            await session.execute(sa.update(AccessClock).values(version=counted))

    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as group:
            for database in (db, other) * 15:
                group.start_soon(database.run_write, count_up)
                group.start_soon(in_a_session, database)
    assert await db.run_read(version) == 60


async def test_a_read_sees_one_state_and_waits_for_no_writer(db: Database, other: Database) -> None:
    """Fails when a read begins no transaction (checked so)."""
    has_read, may_go_on = threading.Event(), threading.Event()

    def read_twice(connection: sa.Connection) -> tuple[int, int]:
        first = version(connection)
        has_read.set()
        assert may_go_on.wait(PATIENCE_SECONDS)
        return first, version(connection)

    reading = asyncio.create_task(db.run_read(read_twice))
    assert await asyncio.to_thread(has_read.wait, PATIENCE_SECONDS)
    await db.run_write(count_up)
    await other.run_write(count_up)
    may_go_on.set()
    assert await reading == (0, 0)
    assert await db.run_read(version) == 2


@pytest.mark.parametrize("kind", ["run_read", "run_write"])
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)]
)
async def test_every_connection_keeps_what_is_committed_through_a_power_cut(
    pragma: str, value: object, kind: str, db: Database
) -> None:
    """Fails when the connections are not set up (checked so)."""

    def ask(connection: sa.Connection) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    assert await getattr(db, kind)(ask) == value


async def test_a_row_that_points_nowhere_is_refused_without_showing_its_values(db: Database) -> None:
    """Fails without `hide_parameters` (checked so)."""

    def insert(connection: sa.Connection) -> None:
        statement = sa.text(
            "INSERT INTO patients (id, name, user_id, created_at) VALUES ('p1', :name, 'nobody', '2026-01-02 03:04:05')"
        )
        connection.execute(statement, {"name": "Ada"})

    with pytest.raises(IntegrityError, match="FOREIGN KEY") as refused:
        await db.run_write(insert)
    assert "Ada" not in str(refused.value)


async def test_a_write_whose_caller_has_left_ends_in_order(db: Database) -> None:
    """Fails when a cancelled scope reaches into the transaction (checked by taking the shield out)."""
    has_begun, may_go_on = threading.Event(), threading.Event()

    def count_up_slowly(connection: sa.Connection) -> int:
        has_begun.set()
        assert may_go_on.wait(PATIENCE_SECONDS)
        return count_up(connection)

    answers: list[int] = []

    async def call() -> None:
        answers.append(await db.run_write(count_up_slowly))

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        assert await asyncio.to_thread(has_begun.wait, PATIENCE_SECONDS)
        group.cancel_scope.cancel()
        may_go_on.set()
    assert answers == [1]


async def test_a_glance_is_answered_on_the_spot_and_sees_what_is_committed(db: Database, other: Database) -> None:
    """Fails when it keeps a transaction open (checked so): it would see the same state for ever."""
    here = threading.get_ident()
    for number in range(3):
        await other.run_write(count_up)
        assert await db.glance(lambda it: (version(it), threading.get_ident())) == (number + 1, here)


async def test_a_glance_that_would_have_to_wait_waits_on_another_thread(db: Database) -> None:
    """Fails when what cannot be answered on the spot is not asked elsewhere (checked so)."""
    here = threading.get_ident()

    def find_it_locked(connection: sa.Connection) -> int:
        if threading.get_ident() == here:
            raise OperationalError("SELECT", None, sqlite3.OperationalError("database is locked"))
        return version(connection)

    await db.run_write(count_up)
    assert await db.glance(find_it_locked) == 1


async def test_the_first_glance_at_a_file_that_is_locked_holds_nobody_up(db: Database) -> None:
    """Fails when its connection is opened on the thread of the event loop (checked so)."""
    await db.run_write(count_up)
    await db.close()  # the lock below is given to one who has the file for itself
    owner = sqlite3.connect(str(db.url.database), isolation_level=None)
    owner.execute("PRAGMA locking_mode=EXCLUSIVE")
    owner.execute("UPDATE access_clock SET version = 7")
    alone = Database(db.url.render_as_string())
    glance = asyncio.create_task(alone.glance(version))
    for _ in range(100):
        await anyio.lowlevel.checkpoint()
    owner.close()
    with anyio.fail_after(PATIENCE_SECONDS):
        assert await glance == 7
    await alone.close()
