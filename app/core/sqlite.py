"""SQLite as this server uses it: what each connection is set to, and whole transactions in one go.

The asynchronous driver goes to its thread and back for every cursor, statement, fetch and close, and
spends more on that than SQLite spends on the work. A transaction that is one function runs on a thread
of ours from its beginning to its commit: there and back once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

T = TypeVar("T")

#: How long a writer waits for another process that holds the write lock.
BUSY_TIMEOUT_SECONDS = 30

#: Transactions that read at the same time; the interpreter runs one at a time in any case.
READING_THREADS = 4

#: A transaction that writes begins with the write lock in hand. One that reads first and asks for the lock
#: later is refused at once with SQLITE_BUSY when another process has written in between, whatever the busy
#: timeout says.
BEGIN_WRITE = "BEGIN IMMEDIATE"
BEGIN_READ = "BEGIN"


class SQLiteThreads:
    """Runs transactions on threads of its own: one that writes, since SQLite has one writer, and some that read.

    Each thread keeps its connection, and with it the statements that SQLite has compiled.
    """

    def __init__(self, url: sa.URL) -> None:
        self._engine = sa.create_engine(
            url.set(drivername="sqlite"),
            hide_parameters=True,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
            poolclass=sa.NullPool,
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},  # they are closed by another
        )
        sa.event.listen(self._engine, "connect", set_up)
        self._reading = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="sqlite-reading")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writing")
        self._own = threading.local()
        self._connections: list[sa.Connection] = []
        self._impatient: sa.Connection | None = None
        self.under_way = 0

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers; all that it reads is one state of the database."""
        return await self._hand_over(self._reading, self._transact, BEGIN_READ, work)

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, once what it wrote is committed."""
        return await self._hand_over(self._writing, self._transact, BEGIN_WRITE, work)

    async def glance(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work`, which is one short statement, answers: on the spot, on the thread of the event loop.

        In WAL mode a reader waits for no writer, and what is read often is in memory. Where there is
        something to wait for all the same, such as a recovery after a crash, another thread waits.
        """
        if self._impatient is None:
            self._impatient = await self._hand_over(self._reading, self._connect_impatiently)
        try:
            return work(self._impatient)
        except OperationalError:
            return await self.read(work)

    def close(self) -> None:
        """Give everything back; nothing may be under way."""
        for threads in (self._reading, self._writing):
            threads.shutdown()
        for connection in self._connections:
            connection.close()

    async def _hand_over(self, threads: ThreadPoolExecutor, task: Callable[..., T], *arguments: Any) -> T:
        self.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, task, *arguments)
        finally:
            self.under_way -= 1

    def _transact(self, begin: str, work: Callable[[sa.Connection], T]) -> T:
        connection: sa.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
        with connection.begin():
            connection.exec_driver_sql(begin)
            return work(connection)

    def _connect_impatiently(self) -> sa.Connection:
        connection = self._connect()
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        return connection

    def _connect(self) -> sa.Connection:
        connection = self._engine.connect()
        self._connections.append(connection)
        return connection


def set_up(connection: Any, _record: Any) -> None:
    """Settings of each new connection.

    `synchronous=FULL` makes a commit survive a power cut in WAL mode (sqlite.org/wal.html); the
    isolation level is taken out of the driver's hands, because it would begin late and deferred. `lower`
    is that of Python, so that a search without case finds Özdemir, as it does on PostgreSQL.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    # SQLite's own knows no letters but those of ASCII.
    connection.create_function("lower", 1, _lower)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def begin(connection: sa.Connection) -> None:
    """Begin the transaction of a connection as its `tocsin_write` option says."""
    is_write = connection.get_execution_options().get("tocsin_write", False)
    connection.exec_driver_sql(BEGIN_WRITE if is_write else BEGIN_READ)
