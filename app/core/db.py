"""The database: one engine, short transactions, and how far its schema has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import sqlalchemy as sa
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from app.core import sqlite
from app.core.roles import Role, from_mask, to_mask

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

T = TypeVar("T")


class Base(DeclarativeBase):
    """What every table derives from; constraints get the same names in every database."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, in both databases (SQLite itself forgets the offset)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RoleSet(TypeDecorator[frozenset[Role]]):
    """A set of roles as one integer (see `app.core.roles`); `column.op('&')(mask)` finds an overlap."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return value if value is None or isinstance(value, int) else to_mask(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> frozenset[Role] | None:
        return None if value is None else from_mask(value)


def roles_overlap(column: sa.ColumnElement[frozenset[Role]], mask: int) -> sa.ColumnElement[bool]:
    """Whether the set in the column and the set in the mask share a role."""
    return sa.type_coerce(column, sa.Integer).op("&")(mask) != 0


class Database:
    """Hands out short sessions, and runs short transactions: some read, some write, none outlives its call."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_async_engine(
            self.url,
            pool_pre_ping=not self.is_sqlite,
            hide_parameters=True,  # they are patients' data, and errors end in the log
            connect_args={"timeout": sqlite.BUSY_TIMEOUT_SECONDS} if self.is_sqlite else {},
        )
        self._writer = self._engine.execution_options(tocsin_write=True)
        # SQLite takes one writer at a time. Those of this process wait here, in order, rather than
        # in SQLite's busy handler, which polls and is not fair.
        self._turn = asyncio.Lock() if self.is_sqlite else None
        self._threads = sqlite.SQLiteThreads(self.url) if self.is_sqlite else None
        if self.is_sqlite:
            sa.event.listen(self._engine.sync_engine, "connect", sqlite.set_up)
            sa.event.listen(self._engine.sync_engine, "begin", sqlite.begin)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session whose reads see one state of the database."""
        with _let_end():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends, and rolls back when it raises."""
        async with self._turn or nullcontext():
            with _let_end():
                async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
                    yield session

    async def run_read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers; its statements see one state of the database.

        For what is asked often: it costs a fraction of a session. `work` must not touch what the event
        loop works on, because it may run on another thread.
        """
        with _let_end():
            if self._threads:
                answer = await self._threads.read(work)
            else:
                async with self._engine.connect() as connection:
                    answer = await connection.run_sync(work)
        return answer

    async def glance(self, work: Callable[[sa.Connection], T]) -> T:
        """`run_read` for a single short statement that is asked with every request, and whose rows are few.

        SQLite answers it out of memory, in a fraction of the time that it takes to hand it to a thread:
        it is asked on the spot.
        """
        return await (self._threads.glance(work) if self._threads else self.run_read(work))

    async def run_write(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, once what it wrote is committed; when it raises, nothing is written.

        See `run_read` for when, and for what `work` must not do.
        """
        async with self._turn or nullcontext():
            with _let_end():
                if self._threads:
                    answer = await self._threads.write(work)
                else:
                    async with self._writer.begin() as connection:
                        answer = await connection.run_sync(work)
        return answer

    async def ping(self) -> None:
        """Ask the database for an answer out of a table: SQLite gives any other without looking at its file."""
        async with self.read() as session:
            await session.execute(sa.text("SELECT version_num FROM alembic_version"))

    def checked_out(self) -> int:
        """How many connections are in use at this moment."""
        pool = self._engine.pool
        in_sessions = pool.checkedout() if isinstance(pool, sa.QueuePool) else 0
        return in_sessions + (self._threads.under_way if self._threads else 0)

    async def close(self) -> None:
        await self._engine.dispose()
        if self._threads:
            self._threads.close()

    async def revision(self) -> str | None:
        """The migration that the database stands at; none for a new database."""
        async with self._engine.connect() as connection:
            if not await connection.run_sync(lambda c: sa.inspect(c).has_table("alembic_version")):
                return None
            found: str | None = await connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return found

    async def migrate(self) -> None:
        """Bring the schema to the newest migration.

        Raises:
            MigrationUnknown: it stands at one that this version of the code does not have.
        """
        found = await self.revision()
        if found is not None and not _is_known(found):
            raise MigrationUnknown(found)
        # In one transaction, begun before Alembic looks: on SQLite it would commit each migration by itself, and of
        # two processes that start together one would do what the other has done in between.
        async with self._writer.begin() as connection:
            await connection.run_sync(_upgrade)


def _let_end() -> anyio.CancelScope:
    """Let a short transaction end although its client has left, so that its connection goes back in order."""
    return anyio.CancelScope(shield=True)


class SchemaError(Exception):
    """The schema is not one that this version of the code can work with."""


class DatabaseNotCurrent(SchemaError):
    """The schema is not the one that this version of the code needs."""

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(f"the database stands at migration {found}, this version needs {needed}: run `tocsin migrate`")


class MigrationUnknown(SchemaError):
    """The schema was made by another version of the code, most likely a newer one."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the database stands at migration {found}, which this version does not know: use a newer one")


async def prepare(db: Database) -> None:
    """Make sure that the schema is the newest: a new database gets it here, an older one is left alone.

    Raises:
        DatabaseNotCurrent: somebody has to run `tocsin migrate`, after making a copy.
    """
    found, needed = await db.revision(), newest_revision()
    if found is None:
        await db.migrate()
    elif found != needed:
        raise DatabaseNotCurrent(found, needed)


def newest_revision() -> str:
    """The migration that this version of the code needs."""
    head = _migrations().get_current_head()
    assert head is not None
    return head


def _is_known(revision: str) -> bool:
    return any(script.revision == revision for script in _migrations().walk_revisions())


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command

    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _migrations() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic_config())


def _alembic_config() -> Config:
    """Alembic is imported where it is used: most commands never need it, and it costs their start."""
    from alembic.config import Config

    package = Path(__file__).resolve().parents[1]
    installed, checkout = package / "_migrations", package.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(installed if installed.is_dir() else checkout))
    return config
