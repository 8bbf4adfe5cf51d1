"""When each device was heard last: kept in memory at once, and in the table a little later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import anyio

from app.core.db import Database
from app.core.tasks import until_beat
from app.modules.devices import repository
from app.modules.devices.repository import Device, Heard

#: How often times are written, at the most and in no case later than after a third of the limit for silence.
LONGEST_PERIOD_SECONDS = 5.0

#: What should be known everywhere soon waits so long for more of its kind.
HURRY_SECONDS = 0.1

#: Rows of one transaction, which takes 10 ms for so many and holds up others that write for as long.
MOST_AT_ONCE = 1000

#: How long the last times may take to be written when the server stops.
DRAIN_SECONDS = 2.0


class PresenceRegister:
    """Writes, in short transactions for many at once, when the devices of this node were heard last.

    A device that is heard for the first time, or again after a while, and one that signs off are written at
    once, so that little is forgotten if this process dies.

    Attributes:
        told_every_seconds: how often to call `seen` for a device that sends. Together with the time until it is
            written this stays below half of the limit for silence.
    """

    def __init__(self, db: Database, *, limit_seconds: float) -> None:
        self._db = db
        self._period_seconds = min(LONGEST_PERIOD_SECONDS, limit_seconds / 3 or LONGEST_PERIOD_SECONDS)
        self.told_every_seconds = 0.4 * self._period_seconds
        self._longest_pause = timedelta(seconds=2 * self._period_seconds)
        self._heard: dict[Device, datetime] = {}
        self._of_patient: Counter[str] = Counter()
        self._waiting: dict[Device, Heard] = {}
        self._hurry = anyio.Event()

    def __len__(self) -> int:
        """How many devices send to this node."""
        return len(self._heard)

    def seen(self, device: Device, now: datetime) -> None:
        """A device has sent something that can be used."""
        before = self._heard.get(device)
        if before is None:
            self._of_patient[device.patient_id] += 1
        if before is None or now - before > self._longest_pause:
            self._hurry.set()
        self._heard[device] = now
        self._waiting[device] = Heard(now, is_expected=True)

    def left(self, device: Device, now: datetime, *, signed_off: bool) -> None:
        """A device's socket has ended."""
        if self._heard.pop(device, None) is not None:
            self._of_patient[device.patient_id] -= 1
            if not self._of_patient[device.patient_id]:
                del self._of_patient[device.patient_id]
        if signed_off:
            self._waiting[device] = Heard(now, is_expected=False)
            self._hurry.set()

    def last_heard(self, device: Device) -> datetime | None:
        """When this node has heard the device last, if its socket is here."""
        return self._heard.get(device)

    def has_device_of(self, patient_id: str) -> bool:
        """Whether a device of this patient sends to this node."""
        return patient_id in self._of_patient

    async def run(self) -> None:
        """Write for ever; when cancelled, write what is left and end."""
        try:
            while True:
                with anyio.move_on_after(until_beat(self._period_seconds)):
                    await self._hurry.wait()
                    await anyio.sleep(HURRY_SECONDS)
                await self.write()
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(DRAIN_SECONDS, shield=True):
                await self.write()
            raise

    async def write(self) -> None:
        """Write what the table does not say yet; after an error, all of it still waits."""
        self._hurry = anyio.Event()
        rows = list(self._waiting.items())
        for begin in range(0, len(rows), MOST_AT_ONCE):
            await self._write(rows[begin : begin + MOST_AT_ONCE])

    async def _write(self, rows: Sequence[tuple[Device, Heard]]) -> None:
        await self._db.run_write(lambda it: repository.write(it, rows))
        for device, heard in rows:
            # What has been heard meanwhile waits for the next time.
            if self._waiting.get(device) is heard:
                del self._waiting[device]
