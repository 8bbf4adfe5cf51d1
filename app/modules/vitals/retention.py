"""The worker that deletes readings when they are old: a little at a time, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import anyio
import sqlalchemy as sa
import structlog

from app.core.clock import Clock
from app.core.db import Database
from app.core.metrics import Metrics
from app.modules.vitals import repository

#: How often old readings are looked for.
PERIOD_SECONDS: Final = 300.0

#: Readings that one transaction deletes. SQLite takes 2 ms for so many, and whoever writes waits no longer.
BATCH_READINGS: Final = 1000

_log = structlog.get_logger(__name__)


class Retention:
    """Keeps readings for so many days; for ever when it is none.

    The alert log and all that belongs to alerts is not its business. Of a patient who has had no reading
    for so long, nothing is left here.
    """

    def __init__(
        self, db: Database, clock: Clock, metrics: Metrics, *, days: int, period_seconds: float = PERIOD_SECONDS
    ) -> None:
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._kept = timedelta(days=days)
        self._period_seconds = period_seconds

    async def run(self) -> None:
        """Prune now and then, for ever. Any node may: they take turns."""
        while True:
            await anyio.sleep(self._period_seconds)
            await self.prune()

    async def prune(self) -> int:
        """Delete what is too old by now: how many readings it were."""
        if not self._kept:
            return 0
        before, started = self._clock.now() - self._kept, anyio.current_time()
        pruned = 0
        for patient_id in await self._db.run_read(partial(repository.patients_with_older, before=before)):
            batch = partial(repository.prune, patient_id=patient_id, before=before, most=BATCH_READINGS)
            while deleted := await self._at_half_time(batch):
                pruned += deleted
                self._metrics.readings_pruned.inc(deleted)
            if deleted is None:
                break
        if pruned:
            seconds = round(anyio.current_time() - started, 3)
            _log.info("vitals.readings_pruned", count=pruned, before=before.isoformat(), seconds=seconds)
        return pruned

    async def _at_half_time(self, batch: Callable[[sa.Connection], int | None]) -> int | None:
        """Run a transaction, and rest for as long as it took."""
        started = anyio.current_time()
        deleted = await self._db.run_write(batch)
        await anyio.sleep(anyio.current_time() - started)
        return deleted
