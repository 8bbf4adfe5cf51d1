from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pkgutil
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, OperationalError

import app.modules
from app.core.access import AccessClock
from app.core.db import Base, Database, DatabaseNotCurrent, newest_revision, prepare

PATIENCE_SECONDS = 20.0

#: Prepares the database when it is told to start, then counts on the access clock: reads, then writes.
WORKER = """
import sys, anyio
from app.core.access import AccessClock
from app.core.db import Database, newest_revision, prepare
import sqlalchemy as sa

async def main(url, times):
    newest_revision()
    db = Database(url)
    print("ready", flush=True)
    sys.stdin.readline()
    await prepare(db)
    for _ in range(times):
        async with db.write() as session:
            version = await session.scalar(sa.select(AccessClock.version))
            await session.execute(sa.update(AccessClock).values(version=version + 1))
    await db.close()

anyio.run(main, sys.argv[1], int(sys.argv[2]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tocsin.db"


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Database]:
    """A new database; at the end no connection of it is in use."""
    async with opened_database(path) as opened:
        yield opened


@pytest.fixture
async def other(path: Path, db: Database) -> AsyncIterator[Database]:
    """The same database as another process sees it: with an engine and a queue of writers of its own."""
    async with opened_database(path) as opened:
        yield opened


@asynccontextmanager
async def opened_database(path: Path) -> AsyncIterator[Database]:
    db = Database(f"sqlite+aiosqlite:///{path}")
    await prepare(db)
    yield db
    assert db.checked_out() == 0
    await db.close()


def outsider(path: Path) -> sqlite3.Connection:
    """A connection that waits for nobody."""
    return sqlite3.connect(path, timeout=0, isolation_level=None)


async def version_of(db: Database) -> int:
    async with db.read() as session:
        return (await session.scalars(sa.select(AccessClock.version))).one()


async def count_up(db: Database) -> None:
    """Read, let others have their turn, and write what follows from what was read."""
    async with db.write() as session:
        version = (await session.scalars(sa.select(AccessClock.version))).one()
        await anyio.lowlevel.checkpoint()
        await session.execute(sa.update(AccessClock).values(version=version + 1))


async def test_a_new_database_gets_its_folder_and_every_table(path: Path) -> None:
    assert not path.parent.exists()
    db = Database(f"sqlite+aiosqlite:///{path}")

    assert await db.revision() is None
    await prepare(db)

    assert await db.revision() == newest_revision()
    assert await version_of(db) == 0
    await db.close()


async def test_preparing_a_current_database_changes_nothing_in_it(db: Database, path: Path) -> None:
    def content() -> list[str]:
        with outsider(path) as connection:
            dumped = list(connection.iterdump())
        connection.close()
        return dumped

    before = content()
    await prepare(db)
    await db.migrate()

    assert content() == before


async def test_an_older_database_is_left_alone_and_named(db: Database) -> None:
    """Fails when `prepare` migrates whatever it finds (checked so)."""
    async with db.write() as session:
        await session.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))

    with pytest.raises(
        DatabaseNotCurrent, match=rf"migration 0000, .* needs {newest_revision()}: run `tocsin migrate`"
    ):
        await prepare(db)

    assert await db.revision() == "0000"


async def test_of_migrations_that_fail_in_the_end_nothing_is_left(path: Path) -> None:
    """Nor does another process see it half done. Fails where each is committed by itself (checked so)."""
    path.parent.mkdir()
    connection = outsider(path)
    connection.execute("CREATE TABLE device_presence (id INTEGER)")
    db = Database(f"sqlite+aiosqlite:///{path}")

    with pytest.raises(OperationalError, match="device_presence already exists"):
        await prepare(db)

    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("device_presence",)]
    connection.close()
    await db.close()


async def test_each_new_log_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = set()
    for name in ("one", "two"):
        async with opened_database(tmp_path / name / "tocsin.db") as db, db.read() as session:
            names.add(await session.scalar(sa.text("SELECT epoch FROM alert_log")))

    assert len(names) == 2


def import_every_model() -> None:
    for module in pkgutil.iter_modules(app.modules.__path__, "app.modules."):
        if importlib.util.find_spec(f"{module.name}.models"):
            importlib.import_module(f"{module.name}.models")


async def test_the_migrations_make_the_tables_that_the_models_describe(db: Database) -> None:
    """Fails when a model gains a column, an index or a length that no migration has (checked with each)."""
    import_every_model()

    def differences(session: sa.orm.Session) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        found: list[Any] = compare_metadata(
            MigrationContext.configure(session.connection(), opts=options), Base.metadata
        )
        return found

    async with db.read() as session:
        assert await session.run_sync(differences) == []


async def test_the_migrations_make_the_very_tables_and_indexes_that_the_models_would(db: Database, path: Path) -> None:
    """Fails where the comparison above is blind: partial indexes, WITHOUT ROWID (checked with each)."""
    import_every_model()

    def described(connection: sqlite3.Connection) -> dict[str, set[str]]:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        connection.close()
        # Columns and constraints may stand in another order; a column that was added stands on the line of another.
        parts = re.compile(r",? *\n[ \t]*|, (?=\w+ [A-Z])|\) (?=W)")
        return {name: set(parts.split(sql)) for name, sql in rows if name != "alembic_version"}

    fresh = path.with_name("models.db")
    engine = sa.create_engine(f"sqlite:///{fresh}")
    Base.metadata.create_all(engine)
    engine.dispose()

    assert described(outsider(path)) == described(outsider(fresh))


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)]
)
async def test_every_connection_keeps_what_is_committed_through_a_power_cut(
    pragma: str, value: object, kind: str, db: Database
) -> None:
    """WAL with `synchronous=FULL` (2), and the other settings.

    Fails when one is taken out, and with `synchronous=NORMAL`: FULL is SQLite's own default (checked with each).
    """
    open_session = db.read if kind == "read" else db.write

    async with db.read() as first:
        await first.execute(sa.text("SELECT 1"))
        async with open_session() as session:
            assert await session.scalar(sa.text(f"PRAGMA {pragma}")) == value


async def test_a_row_that_points_nowhere_is_refused_without_showing_its_values(db: Database) -> None:
    """Fails without `foreign_keys`, and without `hide_parameters` (checked with each)."""
    with pytest.raises(IntegrityError, match="FOREIGN KEY") as refused:
        async with db.write() as session:
            await session.execute(
                sa.text(
                    "INSERT INTO patients (id, name, user_id, created_at) VALUES (:id, :name, :user_id, :created_at)"
                ),
                {"id": "p1", "name": "Ada Lovelace", "user_id": "nobody", "created_at": "2026-01-02 03:04:05"},
            )

    assert "Ada" not in str(refused.value)


async def test_a_writer_holds_the_lock_from_its_first_statement(db: Database, path: Path) -> None:
    """Fails when writing transactions begin with a plain BEGIN (checked so)."""
    connection = outsider(path)
    async with db.write() as session:
        await session.execute(sa.select(AccessClock.version))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connection.execute("BEGIN IMMEDIATE")

    connection.execute("BEGIN IMMEDIATE")
    connection.close()


async def test_a_reader_holds_no_lock_and_waits_for_no_writer(db: Database, path: Path) -> None:
    connection = outsider(path)
    async with db.read() as session:
        await session.execute(sa.select(AccessClock.version))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE access_clock SET version = 7")
        assert await version_of(db) == 0
        connection.execute("COMMIT")

    connection.close()
    assert await version_of(db) == 7


async def test_the_reads_of_one_session_see_one_state(db: Database, other: Database) -> None:
    async with db.read() as session:
        before = await session.scalar(sa.select(AccessClock.version))
        await count_up(other)
        after = await session.scalar(sa.select(AccessClock.version))

    assert (before, after, await version_of(db)) == (0, 0, 1)


async def test_writers_that_read_first_never_refuse_each_other(db: Database, other: Database) -> None:
    """Fails with "database is locked" when writing transactions begin with a plain BEGIN (checked so)."""
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(count_up, db)
                group.start_soon(count_up, other)

    assert await version_of(db) == 40


async def test_processes_that_start_together_make_the_tables_once_and_all_their_writes_count(path: Path) -> None:
    """Fails when writing transactions begin with a plain BEGIN (checked so)."""
    url, times = f"sqlite+aiosqlite:///{path}", 25
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(app.__path__[0]).parent,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    errors = [worker.communicate(timeout=60)[1] for worker in workers]

    assert errors == ["", "", ""]
    async with opened_database(path) as db:
        assert await version_of(db) == len(workers) * times


async def test_a_write_that_raises_leaves_nothing_behind_and_the_next_has_its_turn(db: Database) -> None:
    async def write_and_fail() -> None:
        async with db.write() as session:
            await session.execute(sa.update(AccessClock).values(version=99))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await write_and_fail()

    assert db.checked_out() == 0
    assert await version_of(db) == 0
    with anyio.fail_after(PATIENCE_SECONDS):
        await count_up(db)
    assert await version_of(db) == 1


async def test_a_write_whose_caller_has_left_ends_in_order(db: Database) -> None:
    """Fails when a cancelled scope reaches into the transaction (checked by taking the shield out)."""
    with anyio.CancelScope() as caller:
        async with db.write() as session:
            caller.cancel()
            await session.execute(sa.update(AccessClock).values(version=7))

    assert db.checked_out() == 0
    assert await version_of(db) == 7


async def test_a_write_whose_task_is_cancelled_is_rolled_back_and_the_next_has_its_turn(db: Database) -> None:
    has_written = anyio.Event()

    async def write_and_stay() -> None:
        async with db.write() as session:
            await session.execute(sa.update(AccessClock).values(version=99))
            has_written.set()
            await anyio.sleep_forever()

    with anyio.fail_after(PATIENCE_SECONDS):
        task = asyncio.create_task(write_and_stay())
        await has_written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert db.checked_out() == 0
        await count_up(db)

    assert await version_of(db) == 1


async def test_connections_in_use_are_counted_and_go_back(db: Database) -> None:
    async with db.read() as one, db.read() as two:
        assert db.checked_out() == 0, "a session takes a connection when it first asks something"
        await one.execute(sa.text("SELECT 1"))
        await two.execute(sa.text("SELECT 1"))
        assert db.checked_out() == 2

    assert db.checked_out() == 0
    await db.ping()
    assert db.checked_out() == 0
