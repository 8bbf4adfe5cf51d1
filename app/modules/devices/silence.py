"""Notices devices that have fallen silent, on whichever node they were connected to, and alarms each once.

What is alarmed is in the device's row, and changes in the transaction that raises or ends the alert: whichever
node comes first does it, and a node that dies in between has done nothing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import anyio
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DataError, IntegrityError

from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import AppError
from app.core.metrics import Metrics
from app.core.tasks import until_beat
from app.core.timestamps import to_rfc3339
from app.modules.alerts.service import AlertService, Finding, Kind, Tier
from app.modules.care_team.service import CareTeamService
from app.modules.devices import repository
from app.modules.devices.conditions import DEVICES, OF_DEVICE
from app.modules.devices.register import PresenceRegister
from app.modules.devices.repository import Device, Suspect
from app.modules.devices.schemas import DeviceCounts

#: How often the rows are looked at.
ROUND_SECONDS = 1.0

#: How many rounds lie between two counts of all devices, which are for the metrics alone.
ROUNDS_BETWEEN_COUNTS = 10

#: A node that has not finished a round for this long is reported as not ready.
STALLED_AFTER = timedelta(seconds=15)

#: Somebody has to go and look, but nothing is known of the patient.
TIER = Tier.MODERATE

_log = structlog.get_logger(__name__)

_BEFORE_ALL_TIMES = datetime.fromtimestamp(0, tz=UTC)


class SilenceWatch:
    """Raises an alert for each expected device that was not heard for so long, and ends it when it is back.

    Silence counts only while somebody could have heard: from the moment on from which this node has looked
    without a gap. A node that starts therefore gives every device the whole limit to come back, and so does
    one that could not reach the database or was held up. When one of several nodes dies, the others have
    looked all the time, and alarm when the limit is over.
    """

    def __init__(
        self,
        db: Database,
        alerts: AlertService,
        register: PresenceRegister,
        care_team: CareTeamService,
        access: AccessChanges,
        clock: Clock,
        metrics: Metrics,
        *,
        limit_seconds: float,
    ) -> None:
        self._db = db
        self._alerts = alerts
        self._register = register
        self._care_team = care_team
        self._clock = clock
        self._metrics = metrics
        self._limit = timedelta(seconds=limit_seconds)
        # Times are written after half of the limit at the latest: with a gap of a third, no row of a device that is
        # heard is older than the limit.
        self._longest_gap = max(self._limit / 3, timedelta(seconds=3 * ROUND_SECONDS))
        self._looking_since: datetime | None = None
        self._looked_at: datetime | None = None
        self._last_round_at: datetime | None = None
        self._doubted: set[str] = set()
        access.on_change(self._doubted.add)

    async def run(self) -> None:
        """Look for ever; after an error or a gap, silence counts anew."""
        await self.begin()
        rounds = 0
        while True:
            if rounds % ROUNDS_BETWEEN_COUNTS == 0:
                await self._count()
            rounds += 1
            await self.look()
            self._last_round_at = self._clock.now()
            await anyio.sleep(until_beat(ROUND_SECONDS))

    def is_in_order(self) -> bool:
        """Whether all rows have been looked at lately."""
        return self._last_round_at is not None and self._clock.now() - self._last_round_at < STALLED_AFTER

    async def counts(self) -> DeviceCounts:
        """How many devices should be sending, and how many of them are silent."""
        expected, silent = await self._db.glance(repository.counts)
        return DeviceCounts(expected=expected, silent=silent)

    async def begin(self) -> None:
        """Forget how long this node has looked, and doubt what is alarmed: rights may have changed meanwhile."""
        self._looking_since = self._looked_at = None
        self._doubted |= {device.user_id for device in await self._db.run_read(repository.alarmed)}

    async def look(self) -> None:
        """Act on every row that says that there is something to be done."""
        while self._doubted:
            await self._check_rights(next(iter(self._doubted)))
        cutoff = self._cutoff()
        for suspect in await self._db.glance(lambda it: repository.suspects(it, cutoff)):
            try:
                if not suspect.is_silent:
                    await self._end(suspect.device)
                elif not self._is_heard_here(suspect.device, cutoff):
                    await self._raise(suspect)
            except (AppError, DataError, IntegrityError):
                # Its own fault, and so again in the next round: the others must not go unwatched for it.
                self._metrics.worker_failures.labels(worker="silence").inc()
                _log.exception("silence.refused")
            self._note_gaps()

    def _cutoff(self) -> datetime:
        """Who was not heard since then is silent; where nobody can be, a time before all others."""
        now, since = self._note_gaps()
        return now - self._limit if self._limit and now - since >= self._limit else _BEFORE_ALL_TIMES

    def _note_gaps(self) -> tuple[datetime, datetime]:
        """The present, and since when this node has looked without a gap."""
        now = self._clock.now()
        is_gap = self._looked_at is None or not timedelta() <= now - self._looked_at <= self._longest_gap
        if is_gap or self._looking_since is None:
            self._looking_since = now
        self._looked_at = now
        return now, self._looking_since

    def _is_heard_here(self, device: Device, cutoff: datetime) -> bool:
        """Whether this node knows better than the row, which it could not write for a while."""
        heard_at = self._register.last_heard(device)
        return heard_at is not None and heard_at >= cutoff

    async def _raise(self, suspect: Suspect) -> None:
        device, last_seen_at = suspect.device, suspect.last_seen_at
        if not await self._care_team.may_send(device.user_id, device.patient_id):
            await self._dismiss(device)
            return

        def mark(connection: sa.Connection) -> None:
            if not repository.mark_silent(connection, device, last_seen_at):
                raise _DoneByAnother

        since = to_rfc3339(last_seen_at)
        finding = Finding(
            TIER,
            (f"device silent since {since[:19]}Z",),
            context={"deviceId": device.user_id, "lastSeenAt": since},
        )
        with suppress(_DoneByAnother):
            await self._alerts.report(
                device.patient_id,
                condition_of(device),
                "device",
                finding,
                kind=Kind.TECHNICAL,
                source=DEVICES,
                alongside=mark,
            )

    async def _end(self, device: Device) -> None:
        def mark(connection: sa.Connection) -> None:
            if not repository.mark_back(connection, device):
                raise _DoneByAnother

        with suppress(_DoneByAnother):
            await self._alerts.condition_gone(device.patient_id, condition_of(device), alongside=mark)

    async def _dismiss(self, device: Device) -> None:
        await self._db.run_write(lambda it: repository.dismiss(it, device))

    async def _check_rights(self, user_id: str) -> None:
        """Expect nothing of an account for patients that it may no longer send for."""
        self._doubted.discard(user_id)
        try:
            for device in await self._db.run_read(lambda it: repository.expected(it, user_id)):
                if not await self._care_team.may_send(device.user_id, device.patient_id):
                    await self._dismiss(device)
        except BaseException:
            self._doubted.add(user_id)
            raise

    async def _count(self) -> None:
        found = await self.counts()
        self._metrics.devices_expected.set(found.expected)
        self._metrics.devices_silent.set(found.silent)


class _DoneByAnother(Exception):
    """Another node has come first, or the device has."""


def condition_of(device: Device) -> str:
    """What the silence of one device is called; each has an alert of its own, so that none hides another."""
    return f"{OF_DEVICE}silent:{device.user_id}"
