"""Takes readings, once each and in order, and answers what was measured."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from math import inf
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import ServiceUnavailable
from app.core.metrics import Metrics
from app.modules.vitals import repository
from app.modules.vitals.decoding import read_reading
from app.modules.vitals.devices import Device, Devices
from app.modules.vitals.errors import InvalidReadings
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import LeadStatus, Reading, Waveform, refuse_future
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.observers import (
    Arrival,
    LeadObserver,
    PresenceObserver,
    Received,
    WaveformObserver,
    arrival,
)
from app.modules.vitals.repository import NewReading
from app.modules.vitals.samples import Counts, Numbers
from app.modules.vitals.schemas import HistogramBar, HistoryFilter, Taken
from app.modules.vitals.signs import HEART_RATE, NUMERICS
from app.modules.vitals.tracks import MOST_PATIENTS, Curve, Track, Tracks
from app.modules.vitals.writer import ReadingWriter

__all__ = ["Counts", "Numbers", "Received", "VitalsService", "Waveform", "arrival"]

#: Who fell silent while no server ran is looked for where that was no longer.
LONGEST_OUTAGE = timedelta(hours=24)

#: An HTTP request waits so long for its readings to be committed.
COMMIT_SECONDS = 10.0

#: Readings of one request that are ruled on before others have their turn.
READINGS_AT_A_STRETCH = 50

_log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Rules on readings; the alerts module is one."""

    @property
    def kept(self) -> Mapping[str, tuple[int, timedelta]]:
        """Of each type how many readings it looks at, and how far back from the newest."""
        ...

    @property
    def longest_silence(self) -> timedelta:
        """For how long readings stay away until it raises something; 0 where it does not."""
        ...

    async def prime(self, patient_id: str, readings: Iterable[tuple[str, float, datetime, datetime]]) -> None:
        """Take up a patient not seen before; raises no alert.

        Args:
            readings: of each type as many as it looks at, oldest first: type, value, when measured, when it came.
        """
        ...

    async def observe(
        self, patient_id: str, vital_type: str, value: float, measured_at: datetime, *, unit: str
    ) -> None:
        """Rule on one reading; what it leads to is committed when this returns."""
        ...


class VitalsService:
    """Takes what devices send.

    Attributes:
        clock: by which it is said when something came.
    """

    def __init__(
        self,
        db: Database,
        writer: ReadingWriter,
        rules: Observer,
        viewers: VitalsViewers,
        clock: Clock,
        metrics: Metrics,
        *,
        most_patients: int = MOST_PATIENTS,
    ) -> None:
        self._db = db
        self._writer = writer
        self._rules = rules
        self._viewers = viewers
        self.clock = clock
        self._metrics = metrics
        self._tracks = Tracks(limit=most_patients)
        self._devices = Devices(metrics)
        self._presence_observers: list[PresenceObserver] = []
        #: How often it is told that a device is there.
        self.presence_seconds = inf
        self._waveform_observers: list[WaveformObserver] = []
        self._lead_observers: list[LeadObserver] = []

    def tell_waveforms(self, observer: WaveformObserver) -> None:
        """Tell it of every waveform from now on."""
        self._waveform_observers.append(observer)

    def tell_leads(self, observer: LeadObserver) -> None:
        """Tell it of every sensor that comes off or is on again, from now on."""
        self._lead_observers.append(observer)

    def tell_presence(self, observer: PresenceObserver, *, every_seconds: float) -> None:
        """Tell it which devices are there, at least so often, and which have left, from now on."""
        self._presence_observers.append(observer)
        self.presence_seconds = min(self.presence_seconds, every_seconds)

    def device(self, user_id: str, patient_id: str) -> Device:
        """What is remembered of the device that this account is to this patient."""
        return self._devices.of(user_id, patient_id)

    def open_sockets(self) -> int:
        """How many sockets devices have open on this node."""
        return self._devices.socket_count()

    def device_seen(self, user_id: str, patient_id: str, *, measured_at: datetime) -> None:
        """Tell that a device is there, and what its clock shows."""
        now = self.clock.now()
        for observer in self._presence_observers:
            observer.seen(user_id, patient_id, now=now, measured_at=measured_at)

    def device_ahead(self, user_id: str, patient_id: str, *, measured_at: datetime) -> None:
        """Tell that a device has sent a time in the future."""
        now = self.clock.now()
        for observer in self._presence_observers:
            observer.ahead(user_id, patient_id, now=now, measured_at=measured_at)

    def device_left(self, user_id: str, patient_id: str, *, signed_off: bool) -> None:
        """Tell that the socket of a device has ended."""
        for observer in self._presence_observers:
            observer.left(user_id, patient_id, signed_off=signed_off)

    def read_all(self, items: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Reading]:
        """Read the numerics of a request: all of them, or none.

        Args:
            items: the fields of each, and the path at which the request has them, such as `readings[3].`.

        Raises:
            InvalidReadings: some cannot be used; tells which, and why.
        """
        now = self.clock.now()
        readings, errors = [], []
        for path, fields in items:
            try:
                reading = read_reading(fields)
                refuse_future(reading.measured_at, now)
            except FrameError as error:
                self.count_refused(error)
                errors.append((error.code, path + (error.field or ""), error.detail))
            else:
                readings.append(reading)
        if errors:
            raise InvalidReadings(errors)
        return readings

    def count_refused(self, error: FrameError) -> None:
        """Count a frame that cannot be used."""
        self._metrics.vitals_refused.labels(code=error.code).inc()

    def count_dropped(self, frames: int) -> None:
        """Count waveforms that were dropped before they were read."""
        self._metrics.vitals_dropped.inc(frames)

    def count_slow_down(self) -> None:
        """Count a device that was asked to slow down."""
        self._metrics.vitals_slow_downs.inc()

    async def record(self, patient_id: str, readings: Sequence[Reading]) -> Taken:
        """Take readings, and return when they are committed and ruled on.

        Raises:
            ServiceUnavailable: the database does not answer; sending them again is right, and harmless.
        """
        try:
            with anyio.fail_after(COMMIT_SECONDS):
                taken = await self.take(patient_id, readings)
                await self._writer.flush()
        except TimeoutError:
            raise ServiceUnavailable("the readings could not be stored in time; send them again") from None
        return taken

    async def accept(self, patient_id: str, frame: Reading | Waveform | LeadStatus) -> None:
        """Take what a device has sent on its socket.

        Raises:
            FrameError: its time is in the future.
            ServiceUnavailable: the database does not answer.
        """
        if isinstance(frame, Reading):
            refuse_future(frame.measured_at, self.clock.now())
            await self.take(patient_id, (frame,))
        elif isinstance(frame, Waveform):
            refuse_future(frame.started_at, self.clock.now())
            self.relay(patient_id, [arrival(frame, self.clock.seconds())])
        else:
            refuse_future(frame.at, self.clock.now())
            for observer in self._lead_observers:
                observer.lead(patient_id, frame.type, frame.lead, is_off=frame.is_off, at=frame.at)

    async def take(self, patient_id: str, readings: Sequence[Reading]) -> Taken:
        """Queue those readings that are new for storage, show them to viewers, and rule on them.

        Readings of one patient are taken one sender at a time, so that the rules see them in order.
        Cancelled, this has taken all of them or none, and has ruled on what it has taken.

        Raises:
            ServiceUnavailable: the database does not answer.
        """
        async with self._tracks.turn_of(patient_id) as track:
            newest = track.newest if track.newest is not None else await self._prime(patient_id, track)
            readings = [reading for reading in readings if track.is_wanted(reading)]
            new = await self._unseen(patient_id, newest, readings)
            received_at = self.clock.now()
            await self._writer.put([NewReading(patient_id, reading, received_at) for reading in new])
            for reading in new:
                track.took(reading)
            with anyio.CancelScope(shield=True):
                for number, reading in enumerate(new, 1):
                    self._viewers.publish(patient_id, reading)
                    await self._rule(patient_id, reading)
                    if number % READINGS_AT_A_STRETCH == 0:
                        await anyio.lowlevel.checkpoint()
        duplicates = len(readings) - len(new)
        self._metrics.vitals_duplicates.inc(duplicates)
        return Taken(accepted=len(new), duplicates=duplicates)

    async def take_ecg_rates(self, patient_id: str, rates: Sequence[tuple[float, datetime]]) -> None:
        """Take heart rates that were counted from the ECG, each with its time, where the device tells none itself.

        Raises:
            ServiceUnavailable: the database does not answer.
        """
        readings = [Reading(HEART_RATE, per_minute, "/min", at, source="ecg") for per_minute, at in rates]
        await self.take(patient_id, readings)

    async def flush(self) -> None:
        """Return when everything taken so far is committed."""
        await self._writer.flush()

    async def latest(self, patient_id: str) -> list[Reading]:
        """The newest reading of each type, in the order of the types."""
        async with self._reading() as session:
            readings = await repository.newest(session, patient_id)
        order = list(NUMERICS)
        return sorted(readings, key=lambda reading: order.index(reading.type))

    async def histogram(
        self, patient_id: str, types: Iterable[str], *, since: datetime, until: datetime
    ) -> list[HistogramBar]:
        """How often each value was measured, type by type, lowest first.

        Raises:
            ServiceUnavailable: the database does not answer.
        """
        try:
            return await self._db.run_read(
                lambda it: repository.histogram(it, patient_id, types, since=since, until=until)
            )
        except (SQLAlchemyError, OSError) as error:
            raise ServiceUnavailable("the database does not answer") from error

    async def newest_first(self, wanted: HistoryFilter, *, limit: int) -> tuple[list[Reading], bool]:
        """A page of history, and whether there is more."""
        async with self._reading() as session:
            readings = await repository.newest_first(session, wanted, limit=limit + 1)
        return readings[:limit], len(readings) > limit

    async def take_up_recent(self) -> None:
        """Have those ruled on who were measured before this process began, also if nothing more comes of them.

        Who falls silent while no server runs is noticed only so.
        """
        if not self._rules.longest_silence:
            return
        since = self.clock.now() - self._rules.longest_silence - LONGEST_OUTAGE
        for patient_id in await self._db.run_read(lambda it: repository.patients_with_newer(it, since)):
            async with self._tracks.turn_of(patient_id) as track:
                if track.newest is None:
                    await self._prime(patient_id, track)

    async def _prime(self, patient_id: str, track: Track) -> dict[str, datetime]:
        """Take up a patient of whom this process remembers nothing, from the table."""
        await self._writer.flush()
        kept = self._rules.kept
        async with self._reading() as session:
            newest = await repository.newest(session, patient_id)
            looked_at = {
                it.type: (kept[it.type][0], it.measured_at - kept[it.type][1]) for it in newest if it.type in kept
            }
            last = await repository.newest_of_each(session, patient_id, looked_at)
        # Outside the session: who holds a connection while waiting for another can wait for ever.
        await self._prime_rules(
            patient_id,
            [(it.reading.type, it.reading.value, it.reading.measured_at, it.received_at) for it in last],
        )
        track.newest = {}
        for reading in newest:
            track.took(reading)
        return track.newest

    async def _prime_rules(self, patient_id: str, readings: Sequence[tuple[str, float, datetime, datetime]]) -> None:
        try:
            await self._rules.prime(patient_id, readings)
        except (SQLAlchemyError, OSError) as error:
            raise ServiceUnavailable("the database does not answer") from error

    async def _unseen(
        self, patient_id: str, newest: Mapping[str, datetime], readings: Sequence[Reading]
    ) -> list[Reading]:
        """Those that were not taken before, once each, in the order in which they were measured."""
        unseen = {(reading.type, reading.measured_at): reading for reading in readings}
        doubtful = [moment for moment in unseen if moment[0] in newest and moment[1] <= newest[moment[0]]]
        # The queue is asked first: what leaves it meanwhile is in the table when that is asked.
        seen = {moment for moment in doubtful if self._writer.holds(patient_id, *moment)}
        if not_waiting := [moment for moment in doubtful if moment not in seen]:
            async with self._reading() as session:
                seen |= await repository.stored_moments(session, patient_id, not_waiting)
        new = [reading for moment, reading in unseen.items() if moment not in seen]
        return sorted(new, key=lambda reading: reading.measured_at)

    async def _rule(self, patient_id: str, reading: Reading) -> None:
        self._metrics.vitals_readings.counts[reading.type] += 1
        try:
            await self._rules.observe(patient_id, reading.type, reading.value, reading.measured_at, unit=reading.unit)
        except Exception:
            # The reading is stored all the same, and the next one is ruled on: the sender can do nothing about it.
            self._metrics.vitals_unruled.inc()
            _log.exception("vitals.ruling_failed", type=reading.type)

    def is_watched(self, patient_id: str) -> bool:
        """Whether anybody, on any node, wants to see what this patient's devices send."""
        return self._viewers.are_there(patient_id)

    def relay(self, patient_id: str, received: Received) -> None:
        """Show waveforms to viewers and observers, but for those that are among the last ones that were shown."""
        track, is_watched = self._tracks.of(patient_id), self.is_watched(patient_id)
        for curve, frames in _by_curve(received).items():
            new = track.new_waveforms(curve, frames)
            if len(new) < len(frames):
                self._metrics.vitals_duplicates.inc(len(frames) - len(new))
            if not new:
                continue
            self._metrics.vitals_readings.counts[curve[0]] += len(new)
            for observer in self._waveform_observers:
                observer.take(patient_id, new)
            if is_watched:
                for frame in new:
                    self._viewers.publish(patient_id, frame[0])

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        """A short session to read with.

        Raises:
            ServiceUnavailable: the database does not answer.
        """
        try:
            async with self._db.read() as session:
                yield session
        except (SQLAlchemyError, OSError) as error:
            raise ServiceUnavailable("the database does not answer") from error


def _by_curve(received: Received) -> Mapping[Curve, Received]:
    curves: dict[Curve, list[Arrival]] = {}
    frames: list[Arrival] = []
    kind = leads = None
    for frame in received:
        waveform = frame[0]
        # Of one curve they are the very same objects nearly always; equal ones find the same list.
        if waveform.leads is not leads or waveform.type is not kind:
            kind, leads = waveform.type, waveform.leads
            frames = curves.setdefault((kind, leads), [])
        frames.append(frame)
    return curves
