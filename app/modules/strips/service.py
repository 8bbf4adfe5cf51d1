"""Stores the strip of each alert as it is raised, completes it afterwards, and hands it out to those who may see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count

import anyio
import anyio.lowlevel
import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import Clock
from app.core.db import Database
from app.core.metrics import Metrics
from app.core.security import Principal
from app.core.tasks import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from app.core.wire import new_id
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import AlertService
from app.modules.strips import repository
from app.modules.strips.errors import NoStrip
from app.modules.strips.paper import Heading
from app.modules.strips.recorder import Recorder
from app.modules.strips.repository import Part
from app.modules.strips.strip import AFTER, BEFORE, Strip, merge

#: A strip is completed so long after its last moment: by then the frame that was under way has come.
SETTLING = timedelta(seconds=2)

#: An alert may be said to have begun earlier than it was raised. Up to this much, its strip is of that moment.
LONGEST_AGO = timedelta(seconds=30)

#: The database may be away for so long; later, the waveforms are no longer in memory.
LONGEST_RETRY = timedelta(seconds=45)

#: Strips that share a transaction, and strips that wait at most.
BATCH = 16
MOST_WAITING = 10_000

#: How long strips that are not complete may take to be written when the server stops.
DRAIN_SECONDS = 5.0

#: How often those of whom nothing comes any more are looked for.
SWEEP = timedelta(seconds=60)

#: The symbols of the priorities, and that of an alert about the measuring.
_SYMBOLS = {"high": "***", "medium": "**", "low": "*"}
_TECHNICAL, _TECHNICAL_SYMBOL = "technical", "!!!"

#: The event with which an alert begins.
_RAISED = "alert"

_log = structlog.get_logger(__name__)


class _Raised(msgspec.Struct):
    """What the log says of a new alert, as far as it is needed here."""

    timestamp: datetime


_raised = msgspec.json.Decoder(_Raised)


@dataclass(order=True, slots=True)
class _Task:
    """A strip that is to be stored at a time, or stored again."""

    due: datetime
    number: int
    alert_id: str = field(compare=False)
    patient_id: str = field(compare=False)
    alert_at: datetime = field(compare=False)

    @property
    def ends_at(self) -> datetime:
        return self.alert_at + AFTER


class StripService:
    """One strip per alert, of what this node has recorded; an alert does not wait for it, nor fails with it."""

    def __init__(self, db: Database, recorder: Recorder, alerts: AlertService, clock: Clock, metrics: Metrics) -> None:
        self._db = db
        self._recorder = recorder
        self._alerts = alerts
        self._clock = clock
        self._metrics = metrics
        self._node = new_id()
        self._tasks: list[_Task] = []
        self._numbers = count()
        self._under_way: list[_Task] = []
        self._turn = anyio.Lock()
        self._is_failing = False
        self._wake = anyio.Event()
        self._wakes_at = clock.now()

    def __len__(self) -> int:
        """How many strips are still to be stored, or to be completed."""
        return len(self._tasks) + len(self._under_way)

    def follow(self, entries: Iterable[LogEntry]) -> None:
        """Take up each new alert of the log; its later events change nothing in its strip."""
        for entry in entries:
            if entry.event != _RAISED:
                continue
            if len(self._tasks) >= MOST_WAITING:
                self._metrics.strips.labels(result="lost").inc()
                continue
            alert_at = _moment_of(entry)
            # Where nothing has come so far, something may still come: that is looked at when it would be complete.
            due = entry.occurred_at if self._recorder.knows(entry.patient_id) else alert_at + AFTER + SETTLING
            heappush(self._tasks, _Task(due, next(self._numbers), entry.alert_id, entry.patient_id, alert_at))
            if due < self._wakes_at:
                self._wake.set()

    async def run(self) -> None:
        """Store strips as they are due, for ever; when cancelled, store what there is of the others and end."""
        try:
            await self._store_for_ever()
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(DRAIN_SECONDS, shield=True):
                await self._store_what_there_is()
            raise

    async def _store_for_ever(self) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            self._wake = anyio.Event()
            if await self.store_due():
                pause_seconds = FIRST_PAUSE_SECONDS
            else:
                await anyio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            self._recorder.forget_quiet()
            # What was taken up in this round is seen here: nothing happens between this look and the waiting.
            pause = self._until_due()
            self._wakes_at = self._clock.now() + pause
            with anyio.move_on_after(pause.total_seconds()):
                await self._wake.wait()

    async def store_due(self) -> bool:
        """Store every strip that is due; false when the database did not answer, and they are still to be stored."""
        async with self._turn:
            return await self._store_due()

    async def _store_due(self) -> bool:
        while batch := self._take_due():
            now = self._clock.now()
            parts = []
            for task in batch:
                if traces := self._recorder.cut(task.patient_id, task.alert_at - BEFORE, task.ends_at):
                    settled_until = min(now - SETTLING, task.ends_at)
                    parts.append(Part(task.alert_id, self._node, task.alert_at, settled_until, traces))
                    # One strip of many leads takes more than a millisecond.
                    await anyio.lowlevel.checkpoint()
            if not await self._store(parts):
                self._put_back(batch)
                return False
            self._under_way = []
            for task in batch:
                if now < task.ends_at + SETTLING:
                    task.due = task.ends_at + SETTLING
                    heappush(self._tasks, task)
        return True

    async def get(self, caller: Principal, alert_id: str) -> tuple[Strip, Heading]:
        """The strip of an alert, and what is to stand above it.

        Raises:
            UnknownAlert: there is none that the caller may see.
            NoStrip: nothing was recorded around it.
        """
        alert, _ = await self._alerts.get(caller, alert_id)
        parts = await self._db.run_read(lambda it: repository.parts_of(it, alert_id))
        if not parts:
            is_new = self._clock.now() - alert.raised_at < AFTER + SETTLING
            raise NoStrip(retry_after_seconds=1 if is_new else None)
        alert_at, traces = parts[0].alert_at, merge(part.traces for part in parts)
        is_complete = all(part.settled_until >= alert_at + AFTER for part in parts)
        strip = Strip(
            alert_id,
            alert.patient_id,
            alert_at,
            start=alert_at - BEFORE,
            end=alert_at + AFTER if is_complete else max(trace.segments[-1].ended_at for trace in traces),
            is_complete=is_complete,
            traces=traces,
        )
        symbol = _TECHNICAL_SYMBOL if alert.kind == _TECHNICAL else _SYMBOLS[alert.tier.priority]
        return strip, Heading(symbol, alert.condition, tuple(alert.finding.reasons))

    def _take_due(self) -> list[_Task]:
        """The tasks that are due, as many as share a transaction; one, where one of them may be the trouble."""
        now = self._clock.now()
        batch: list[_Task] = []
        while self._tasks and self._tasks[0].due <= now and len(batch) < (1 if self._is_failing else BATCH):
            batch.append(heappop(self._tasks))
        self._under_way = batch
        return batch

    async def _store_what_there_is(self) -> None:
        """Store every strip that is not complete as far as it goes: no one can add to it any more."""
        self._tasks += self._under_way
        now = self._clock.now()
        for task in self._tasks:
            task.due = now
        heapify(self._tasks)
        await self.store_due()

    async def _store(self, parts: list[Part]) -> bool:
        if not parts:
            return True
        try:
            await self._db.run_write(lambda it: repository.put(it, parts))
        except (SQLAlchemyError, OSError):
            self._metrics.strips.labels(result="failed").inc(len(parts))
            _log.exception("strips.write_failed", count=len(parts))
            self._is_failing = True
            return False
        self._is_failing = False
        for part in parts:
            is_complete = part.settled_until >= part.alert_at + AFTER
            self._metrics.strips.labels(result="completed" if is_complete else "begun").inc()
        return True

    def _put_back(self, batch: Iterable[_Task]) -> None:
        """Try again later, but not for ever: what would be stored then is no longer in memory."""
        now, self._under_way = self._clock.now(), []
        for task in batch:
            if now - task.alert_at > LONGEST_RETRY:
                self._metrics.strips.labels(result="lost").inc()
                _log.error("strips.lost", alert_id=task.alert_id)
                continue
            # Behind the others that are due: it may be the one that is the trouble.
            task.due, task.number = now, next(self._numbers)
            heappush(self._tasks, task)

    def _until_due(self) -> timedelta:
        if not self._tasks:
            return SWEEP
        return min(SWEEP, max(timedelta(0), self._tasks[0].due - self._clock.now()))


def _moment_of(entry: LogEntry) -> datetime:
    """The moment around which the strip is: when the alert began, if that is not long before it was raised."""
    began_at = _raised.decode(entry.payload).timestamp
    is_near = entry.occurred_at - LONGEST_AGO <= began_at <= entry.occurred_at
    return began_at if is_near else entry.occurred_at
