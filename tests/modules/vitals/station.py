"""A vitals service on the ward's database, with rules that only write down what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import anyio.lowlevel

from app.core.bus import InProcessBus
from app.core.sinks import unframed
from app.modules.vitals import repository
from app.modules.vitals.frames import Reading, Waveform
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.schemas import HistoryFilter
from app.modules.vitals.service import Received, VitalsService
from app.modules.vitals.signs import NUMERICS
from app.modules.vitals.writer import ReadingWriter
from tests.modules.ward import Ward
from tests.sinks import PacedSink

PATIENT = "P1"


class RulesOutOfOrder(Exception):
    """What the notebook raises when it is told to."""


@dataclass
class Notebook:
    """Rules that write down what they observe, one reading at a time."""

    primed: list[tuple[str, list[tuple[str, float, datetime]]]] = field(default_factory=list)
    observed: list[tuple[str, str, float, datetime]] = field(default_factory=list)
    is_broken: bool = False
    at_once: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    kept: Mapping[str, tuple[int, timedelta]] = field(
        default_factory=lambda: dict.fromkeys(NUMERICS, (1, timedelta(seconds=120)))
    )
    longest_silence: timedelta = timedelta(0)

    async def prime(self, patient_id: str, readings: Iterable[tuple[str, float, datetime, datetime]]) -> None:
        self.primed.append((patient_id, [reading[:3] for reading in readings]))

    async def observe(
        self, patient_id: str, vital_type: str, value: float, measured_at: datetime, *, unit: str
    ) -> None:
        if self.is_broken:
            raise RulesOutOfOrder
        self.at_once[patient_id] = self.at_once.get(patient_id, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_once[patient_id])
        await anyio.lowlevel.checkpoint()
        self.at_once[patient_id] -= 1
        self.observed.append((patient_id, vital_type, value, measured_at))


@dataclass
class Curves:
    """An observer of waveforms and sensors that keeps what it is told."""

    taken: list[tuple[str, Waveform]] = field(default_factory=list)
    leads: list[tuple[str, str, str | None, bool, datetime]] = field(default_factory=list)

    def take(self, patient_id: str, received: Received) -> None:
        self.taken += ((patient_id, waveform) for waveform, _, _ in received)

    def lead(self, patient_id: str, type: str, lead: str | None, *, is_off: bool, at: datetime) -> None:
        self.leads.append((patient_id, type, lead, is_off, at))


class Station:
    def __init__(self, ward: Ward, *, most_patients: int = 1000) -> None:
        self.ward = ward
        self.rules = Notebook()
        self.curves = Curves()
        self.bus = InProcessBus()
        self.viewers = VitalsViewers(self.bus, ward.metrics, slow_consumer_seconds=60)
        self.writer = ReadingWriter(ward.db, ward.metrics)
        self.service = VitalsService(
            ward.db, self.writer, self.rules, self.viewers, ward.clock, ward.metrics, most_patients=most_patients
        )

    def reading(
        self, value: float = 72, *, seconds: float = 0, type: str = "heart_rate", unit: str = "/min"
    ) -> Reading:
        """A reading of so many seconds after now; before, where they are negative."""
        return Reading(type, value, unit, self.ward.clock.now() + timedelta(seconds=seconds))

    def count(self, name: str, **labels: str) -> float:
        return self.ward.metrics.registry.get_sample_value(name, labels) or 0

    @contextmanager
    def screen(self) -> Iterator[PacedSink]:
        """What a viewer of the patient is shown while the block lasts."""
        screen = PacedSink(framing=unframed)
        with self.viewers.watching(PATIENT, screen, lambda: None) as viewer:
            viewer.show([], lambda _frame: True)
            yield screen

    async def stored(self, patient_id: str = PATIENT) -> list[Reading]:
        """Everything that the table holds of a patient, oldest first."""
        async with self.ward.db.read() as session:
            return await repository.oldest_first(session, HistoryFilter(patient_id), limit=100_000)


@asynccontextmanager
async def open_station(ward: Ward, *, most_patients: int = 1000) -> AsyncIterator[Station]:
    """A station whose writer runs while the block lasts."""
    station = Station(ward, most_patients=most_patients)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(station.writer.run)
        yield station
        tasks.cancel_scope.cancel()
