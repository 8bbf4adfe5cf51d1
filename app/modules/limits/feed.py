"""Changes of limits, noticed on every node: at once when the bus tells of one, and by looking otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import anyio
from sqlalchemy.exc import SQLAlchemyError

from app.core.bus import Bus
from app.core.db import Database
from app.core.tasks import until_beat
from app.modules.limits import repository
from app.modules.limits.settings import Kind
from app.modules.patients.service import PatientService

SUBJECT = "limits.changed"

#: Called with the ids of patients for whom something has changed.
ChangeListener = Callable[[Iterable[str]], None]


class LimitFeed:
    """Follows the numbered changes, and tells whom each of them is about.

    Attributes:
        number: of the last change that this node has seen.
    """

    def __init__(self, db: Database, bus: Bus, patients: PatientService, *, poll_seconds: float) -> None:
        self._db = db
        self._bus = bus
        self._patients = patients
        self._poll_seconds = poll_seconds
        self.number = 0
        self._listeners: list[ChangeListener] = []
        self._looking = asyncio.Lock()
        self._wake = anyio.Event()

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener` with the patients of every change that is seen."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Begin at the present: who is watched from here on is given what is set now."""
        self.number = await self._db.run_read(repository.newest)

    async def announce(self) -> None:
        """Have every node look, after a commit; on this one the change holds when this returns."""
        self._bus.publish(SUBJECT, b"")
        # What is committed is not undone by a database that goes away now; the worker looks again.
        with suppress(SQLAlchemyError, OSError):
            await self.catch_up()

    async def catch_up(self) -> None:
        """Return when every change that was committed before this call has been told."""
        async with self._looking:
            after = self.number
            for number, holder in await self._db.glance(lambda it: repository.since(it, after)):
                of_unit = holder.kind is Kind.UNIT
                patient_ids = await self._patients.in_unit(holder.id) if of_unit else {holder.id}
                for listener in self._listeners:
                    listener(patient_ids)
                self.number = number

    async def run(self) -> None:
        """Follow the changes for ever."""
        unsubscribe = self._bus.subscribe(SUBJECT, lambda _message: self._wake.set())
        try:
            while True:
                with anyio.move_on_after(until_beat(self._poll_seconds)):
                    await self._wake.wait()
                self._wake = anyio.Event()
                await self.catch_up()
        finally:
            unsubscribe()
