"""The services of devices on the ward's database, one set for each node, with a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import sqlalchemy as sa

from app.core.metrics import Metrics
from app.core.roles import Role
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import AlertService
from app.modules.devices.conditions import Conditions
from app.modules.devices.models import DevicePresence
from app.modules.devices.register import PresenceRegister
from app.modules.devices.sensors import Sensors
from app.modules.devices.service import DeviceService
from app.modules.devices.silence import SilenceWatch
from tests.modules.alerts.steps import quick_rules
from tests.modules.ward import Ward
from tests.servers import until

LIMIT_SECONDS = 30.0


@dataclass
class Log:
    """What all nodes have written, and those who follow it."""

    entries: list[LogEntry] = field(default_factory=list)
    followers: list[Conditions | Sensors] = field(default_factory=list)

    def __call__(self, entries: list[LogEntry]) -> None:
        self.entries += entries
        for follower in self.followers:
            follower.follow(entries)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(entry.payload) for entry in self.entries]

    def told(self) -> list[tuple[str, str]]:
        """Every event as (event, condition without the device), in order."""
        return [(event["event"], event["condition"].split(":")[0]) for event in self.events]


class Desk:
    """One node."""

    def __init__(self, ward: Ward, log: Log, folder: Path, limit_seconds: float) -> None:
        self.ward, self.log = ward, log
        rules = ActiveRules(quick_rules(folder, 60, 120), {}, ward.clock, Metrics())
        self.metrics = Metrics()
        self.alerts = AlertService(ward.db, log, ward.clock, self.metrics, rules, ward.care_team)  # type: ignore[arg-type]
        self.register = PresenceRegister(ward.db, limit_seconds=limit_seconds)
        self.conditions = Conditions(self.alerts, self.metrics)
        self.sensors = Sensors(self.conditions, ward.clock)
        log.followers += [self.conditions, self.sensors]
        self.devices = DeviceService(
            self.register, self.conditions, self.sensors, ward.clock, lambda: rules.book.oldest_reading
        )
        self.silence = SilenceWatch(
            ward.db, self.alerts, self.register, ward.care_team, ward.access, ward.clock, self.metrics,
            limit_seconds=limit_seconds,
        )  # fmt: skip

    async def hear(self, user_id: str, patient_id: str = "P1", *, behind_seconds: float = 0) -> None:
        """A device sends now, and that is written."""
        now = self.ward.clock.now()
        self.devices.seen(user_id, patient_id, now=now, measured_at=now - timedelta(seconds=behind_seconds))
        await self.register.write()

    async def leave(self, user_id: str, patient_id: str = "P1", *, signed_off: bool) -> None:
        """A device's socket ends, and that is written."""
        self.devices.left(user_id, patient_id, signed_off=signed_off)
        await self.register.write()

    async def look_for(self, seconds: float) -> None:
        """Let so much time pass, with a look once a second."""
        left = seconds
        while left > 0:
            self.ward.clock.advance(timedelta(seconds=min(1, left)))
            left -= 1
            await self.silence.look()

    async def settled(self) -> None:
        """Return when everything that was told has been done."""
        await until(lambda: not any(patient.waiting for patient in self.conditions._patients.values()))

    async def rows(self) -> dict[str, DevicePresence]:
        """The table, by account."""
        async with self.ward.db.read() as session:
            rows = (await session.scalars(sa.select(DevicePresence))).all()
        return {row.user_id: row for row in rows}


async def furnish(ward: Ward) -> str:
    """Patients P1 and P2 with a monitor on their care teams, whose id is given."""
    await ward.access.start()
    monitor = await ward.user("monitor", Role.DEVICE)
    for patient_id in ("P1", "P2"):
        await ward.patients.create(patient_id, None)
        await ward.care_team.add(patient_id, monitor.id)
    return str(monitor.id)


@asynccontextmanager
async def working(conditions: Conditions) -> AsyncIterator[None]:
    """What is told is done while the block lasts."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(conditions.run)
        yield
        tasks.cancel_scope.cancel()
