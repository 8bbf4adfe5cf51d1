"""Tells what the ECGs show: the newest of each patient, one thing after another, again where it failed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import structlog

from app.core.metrics import Metrics

if TYPE_CHECKING:
    from app.modules.vitals.ecg.heart import Quality, Second

#: So many patients' news are told at the same time: one that must wait for the database holds up no other.
TELLERS: Final = 8

#: What could not be told is told again after so long.
PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class EcgListener(Protocol):
    """Is told what an ECG shows; of one patient one thing after another."""

    async def quality(self, patient_id: str, lead: str | None, state: str, reason: str | None, at: datetime) -> None:
        """The lead that is followed has changed, or whether it can be relied on: `good`, `bad` or `unknown`."""
        ...

    async def asystole(self, patient_id: str, *, is_present: bool, at: datetime) -> None:
        """The heart stands still, or was seen to beat."""
        ...


#: Takes a heart rate per minute, and when it was counted.
RecordRate = Callable[[str, float, datetime], Awaitable[None]]


#: What is said of a signal while there is too little of it, and when there is none any more.
_UNKNOWN: Final = "unknown"


class _News:
    """The newest second of one patient that was not told, and what was told last."""

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.second: Second | None = None
        self.is_over = False
        self.is_waiting = False
        self.told_at = datetime.fromtimestamp(0, UTC)
        self.quality: Quality | None = None
        self.is_asystole: bool | None = None

    @property
    def is_there(self) -> bool:
        return self.second is not None or self.is_over


class Teller:
    """Holds one second of each patient at most: a newer one takes its place, and a rate not told is counted."""

    def __init__(self, record: RecordRate, metrics: Metrics) -> None:
        self._record = record
        self._metrics = metrics
        self._listeners: list[EcgListener] = []
        self._news: dict[str, _News] = {}
        self._waiting: deque[_News] = deque()
        self._came = asyncio.Event()

    def __len__(self) -> int:
        """How many patients it knows of."""
        return len(self._news)

    def add(self, listener: EcgListener) -> None:
        """Tell it too, from now on."""
        self._listeners.append(listener)

    def put(self, patient_id: str, second: Second) -> None:
        """Have this told, as far as it is new."""
        news = self._news.get(patient_id) or self._news.setdefault(patient_id, _News(patient_id))
        if news.second is not None and news.second.heart_rate is not None:
            self._metrics.ecg_skipped.labels(what="rates").inc()
        news.second, news.is_over = second, False
        self._line_up(news)

    def forget(self, patient_id: str) -> None:
        """Have it told that nothing is known of this patient's signal any more."""
        if (news := self._news.get(patient_id)) is not None:
            news.is_over = True
            self._line_up(news)

    async def run(self) -> None:
        """Tell for ever."""
        async with anyio.create_task_group() as tasks:
            for _ in range(TELLERS):
                tasks.start_soon(self._tell_for_ever)

    def _line_up(self, news: _News) -> None:
        if not news.is_waiting:
            news.is_waiting = True
            self._waiting.append(news)
            self._came.set()

    async def _tell_for_ever(self) -> None:
        while True:
            while not self._waiting:
                self._came.clear()
                await self._came.wait()
            news = self._waiting.popleft()
            try:
                await self._tell(news)
            except Exception:
                self._metrics.worker_failures.labels(worker="ecg_teller").inc()
                _log.exception("ecg.telling_failed", again_in_seconds=PAUSE_SECONDS)
                await anyio.sleep(PAUSE_SECONDS)
            finally:
                news.is_waiting = False
            if news.is_there:
                self._line_up(news)

    async def _tell(self, news: _News) -> None:
        """Tell what is new; what could not be told stays new."""
        second = news.second
        if second is None:
            await self._tell_quality(news, None)
            del self._news[news.patient_id]
            news.is_over = False
            return
        news.second = None
        news.told_at = datetime.fromtimestamp(second.at, UTC)
        try:
            await self._tell_asystole(news, second)
            await self._tell_quality(news, second.quality)
            if second.heart_rate is not None:
                await self._record(news.patient_id, float(round(second.heart_rate)), news.told_at)
        except Exception:
            newer: Second | None = news.second
            news.second = newer or second
            raise

    async def _tell_asystole(self, news: _News, second: Second) -> None:
        is_present = second.is_asystole
        if is_present is None or is_present == news.is_asystole:
            return
        for listener in self._listeners:
            await listener.asystole(news.patient_id, is_present=is_present, at=news.told_at)
        news.is_asystole = is_present

    async def _tell_quality(self, news: _News, quality: Quality | None) -> None:
        is_unknown = quality is None or quality.state == _UNKNOWN
        if quality == news.quality or (is_unknown and news.quality is None):
            return
        known = quality or news.quality
        assert known is not None
        for listener in self._listeners:
            state = str(quality.state) if quality else _UNKNOWN
            reason = str(quality.reason) if quality and quality.reason else None
            await listener.quality(news.patient_id, known.lead, state, reason, news.told_at)
        news.quality = quality
