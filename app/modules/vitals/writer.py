"""Writes numerics in batches: one commit for many readings, none lost while the database is away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import Database
from app.core.metrics import Metrics
from app.core.tasks import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from app.modules.vitals import repository
from app.modules.vitals.repository import NewReading

#: How long a reading waits for others to share its commit.
BATCH_SECONDS = 0.2
BATCH_READINGS = 500

#: How many readings wait for the database before their senders do.
CAPACITY = 10_000

#: How long the last readings may take to be written when the server stops.
DRAIN_SECONDS = 5.0

_log = structlog.get_logger(__name__)

_Key = tuple[str, str, datetime]


class ReadingWriter:
    """A queue in front of the table.

    Readings leave the queue when they are committed and not before, so that for each one taken
    either `holds` is true or the table has it.

    Args:
        capacity: see `CAPACITY`; `batch_seconds` likewise.
    """

    def __init__(
        self, db: Database, metrics: Metrics, *, capacity: int = CAPACITY, batch_seconds: float = BATCH_SECONDS
    ) -> None:
        self._db = db
        self._metrics = metrics
        self._capacity = capacity
        self._batch_seconds = batch_seconds
        self._waiting: dict[_Key, NewReading] = {}
        self._taken = 0
        self._committed = 0
        self._being_committed = 0
        self._arrived = anyio.Event()
        self._in_a_hurry = anyio.Event()
        self._progressed = anyio.Event()

    def __len__(self) -> int:
        """How many readings are not committed yet."""
        return len(self._waiting)

    def holds(self, patient_id: str, type: str, measured_at: datetime) -> bool:
        """Whether this reading is taken, and not committed yet."""
        return (patient_id, type, measured_at) in self._waiting

    async def put(self, readings: Sequence[NewReading]) -> None:
        """Take readings that `holds` does not know: all of them, or none when it is cancelled.

        Waits while the queue is full. Nothing happens between taking them and returning.
        """
        while self._waiting and len(self._waiting) + len(readings) > self._capacity:
            await self._progressed.wait()
        before = len(self._waiting)
        for stored in readings:
            self._waiting[stored.patient_id, stored.reading.type, stored.reading.measured_at] = stored
        self._taken += len(self._waiting) - before
        self._arrived.set()
        if len(self._waiting) - self._being_committed >= BATCH_READINGS:
            self._in_a_hurry.set()

    async def flush(self) -> None:
        """Return when everything taken so far is committed."""
        goal = self._taken
        if self._committed < goal:
            self._in_a_hurry.set()
        while self._committed < goal:
            await self._progressed.wait()

    async def run(self) -> None:
        """Write batches for ever; when cancelled, write what is left and end."""
        try:
            while True:
                await self._arrived.wait()
                with anyio.move_on_after(self._batch_seconds):
                    await self._in_a_hurry.wait()
                await self._write_waiting()
        finally:
            with anyio.move_on_after(DRAIN_SECONDS, shield=True):
                while self._waiting:
                    await self._write_waiting()
            if self._waiting:
                _log.error("vitals.readings_lost", count=len(self._waiting))

    async def _write_waiting(self) -> None:
        """Commit batch after batch what has been taken by now.

        What comes meanwhile waits for others again: there is always something with many patients, and a
        commit for a handful of readings costs nearly what one for hundreds does.
        """
        self._in_a_hurry = anyio.Event()
        goal = self._taken
        while self._committed < goal:
            batch = dict(islice(self._waiting.items(), BATCH_READINGS))
            self._being_committed = len(batch)
            await self._commit(batch.values())
            for key in batch:
                del self._waiting[key]
            self._being_committed = 0
            self._committed += len(batch)
            self._progressed.set()
            self._progressed = anyio.Event()
        if not self._waiting:
            self._arrived = anyio.Event()

    async def _commit(self, batch: Iterable[NewReading]) -> None:
        """Return when the batch is committed, however long the database is away."""
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with self._db.write() as session:
                    await repository.insert_new(session, batch)
                return
            except (SQLAlchemyError, OSError):
                self._metrics.worker_failures.labels(worker="vitals_writer").inc()
                _log.exception("vitals.write_failed", waiting=len(self._waiting), retry_in_seconds=pause_seconds)
            await anyio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
