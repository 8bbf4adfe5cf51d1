"""Tells what the ECGs show: the newest of each patient, one thing after another, again where it failed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import structlog

from app.core.metrics import Metrics

if TYPE_CHECKING:
    from app.modules.vitals.ecg.heart import Quality, Second

#: So many patients' news are told at the same time: one that must wait for the database holds up no other.
TELLERS: Final = 8

#: Seconds of one patient that wait to be told. Ordinarily it is one; a recording that is played fast has more.
MOST_WAITING: Final = 120

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


#: Takes heart rates per minute, each with when it was counted, oldest first.
RecordRates = Callable[[str, Sequence[tuple[float, datetime]]], Awaitable[None]]


#: What is said of a signal while there is too little of it, and when there is none any more.
_UNKNOWN: Final = "unknown"


class _News:
    """The seconds of one patient that were not told, oldest first, and what was told last."""

    def __init__(self, patient_id: str) -> None:
        self.patient_id = patient_id
        self.seconds: deque[Second] = deque()
        self.is_over = False
        self.is_waiting = False
        self.told_at = datetime.fromtimestamp(0, UTC)
        self.quality: Quality | None = None
        self.is_asystole: bool | None = None

    @property
    def is_there(self) -> bool:
        return bool(self.seconds) or self.is_over


class Teller:
    """Holds some seconds of each patient; of more the oldest go untold, and their rates are counted."""

    def __init__(self, record: RecordRates, metrics: Metrics) -> None:
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
        if len(news.seconds) == MOST_WAITING and news.seconds.popleft().heart_rate is not None:
            self._metrics.ecg_skipped.labels(what="rates").inc()
        news.seconds.append(second)
        news.is_over = False
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
        if not news.seconds:
            await self._tell_quality(news, None)
            del self._news[news.patient_id]
            news.is_over = False
            return
        rates = []
        told = list(news.seconds)
        for second in told:
            news.told_at = datetime.fromtimestamp(second.at, UTC)
            await self._tell_asystole(news, second)
            await self._tell_quality(news, second.quality)
            if second.heart_rate is not None:
                rates.append((float(round(second.heart_rate)), news.told_at))
        if rates:
            await self._record(news.patient_id, rates)
        # Those that came meanwhile stay; of those that were told, some may have been pushed out by them.
        while news.seconds and any(news.seconds[0] is second for second in told):
            news.seconds.popleft()

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
