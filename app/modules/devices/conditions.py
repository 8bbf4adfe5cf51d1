"""Tells the alerts of conditions that come and go, in order, without keeping anybody waiting."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import anyio
import msgspec
import structlog
from sqlalchemy.exc import DataError, IntegrityError

from app.core.metrics import Metrics
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import AlertService, EventType, Finding, Kind

#: Where alerts about the measuring come from, and those that an ECG is the reason for.
DEVICES = "devices"
ECG = "ecg"

#: What conditions begin with that are about a device as a whole, and not about a sensor.
OF_DEVICE = "device_"

#: Patients whose open alerts are remembered at once.
MOST_PATIENTS = 10_000

#: Changes of one condition that wait while the database is away: how it began, and how it is now.
MOST_CHANGES = 4

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Present:
    """A condition as it is to be alarmed.

    Attributes:
        unless: conditions that explain it; while one of them is alarmed, this one is not.
    """

    condition: str
    vital_type: str
    finding: Finding
    kind: Kind = Kind.TECHNICAL
    source: str = DEVICES
    unless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gone:
    """A condition that is over; without a name, everything that is wrong with sensors."""

    condition: str | None
    kind: Kind = Kind.TECHNICAL


Change = Present | Gone


@dataclass(slots=True)
class _Patient:
    """What is open of a patient, as far as it is known, and what is still to be told.

    Attributes:
        open: of each condition that is alarmed as present, of which kind it is and why; none before it was read.
        changes_followed: how often the log has said something new.
    """

    open: dict[str, tuple[Kind, list[str]]] | None = None
    waiting: deque[Change] = field(default_factory=deque)
    changes_followed: int = 0


class _Event(msgspec.Struct, rename="camel"):
    """As much of an alert event as says what is open."""

    condition: str
    source: str
    kind: Kind
    condition_present: bool
    reasons: list[str]


_event = msgspec.json.Decoder(_Event)


class Conditions:
    """Raises and ends alerts for whoever notices something on the event loop.

    What is told of one patient is done in the order in which it was told, and again until the database has
    taken it. Saying what is known already costs nothing.
    """

    def __init__(self, alerts: AlertService, metrics: Metrics, *, most_patients: int = MOST_PATIENTS) -> None:
        self._alerts = alerts
        self._metrics = metrics
        self._most_patients = most_patients
        self._patients: OrderedDict[str, _Patient] = OrderedDict()
        self._turns: deque[str] = deque()
        self._arrived = anyio.Event()

    def tell(self, patient_id: str, change: Change) -> None:
        """Have an alert raised or ended soon; returns at once."""
        waiting = self._of(patient_id).waiting
        if not waiting:
            self._turns.append(patient_id)
            self._arrived.set()
        _add(waiting, change)

    def follow(self, entries: Iterable[LogEntry]) -> None:
        """Learn from the log what is open, whoever has raised or ended it."""
        for entry in entries:
            if (patient := self._patients.get(entry.patient_id)) is None:
                continue
            event = _event.decode(entry.payload)
            is_ours = event.source in (DEVICES, ECG)
            patient.changes_followed += is_ours
            if patient.open is None:
                continue
            # One that is latched is told anew when it comes back, and so is one of another system that has ended.
            if entry.event == EventType.RESOLVED or not event.condition_present:
                patient.open.pop(event.condition, None)
            elif is_ours:
                patient.open[event.condition] = event.kind, event.reasons

    async def run(self) -> None:
        """Do for ever what was told; after an error, what was not done is still there to be done."""
        while True:
            while self._turns:
                patient_id = self._turns.popleft()
                patient = self._patients[patient_id]
                try:
                    await self._do_next(patient_id, patient)
                finally:
                    # Whoever has more to be done stands at the end again, as does who was in the way of an error.
                    if patient.waiting:
                        self._turns.append(patient_id)
            self._arrived = anyio.Event()
            await self._arrived.wait()

    async def _do_next(self, patient_id: str, patient: _Patient) -> None:
        change = patient.waiting[0]
        try:
            await self._do(patient_id, patient, change)
        except (IntegrityError, DataError):
            # It would be refused again and again; what comes after it must not wait for ever.
            self._metrics.worker_failures.labels(worker="conditions").inc()
            _log.exception("conditions.refused", condition=change.condition)
        # Only now: it may have been put together with what came later, in which case it is done already.
        if patient.waiting and patient.waiting[0] is change:
            patient.waiting.popleft()

    async def _do(self, patient_id: str, patient: _Patient, change: Change) -> None:
        known = await self._open_of(patient_id, patient)
        if isinstance(change, Gone):
            for condition in _meant(change, known):
                await self._alerts.condition_gone(patient_id, condition)
                known.pop(condition, None)
        elif not change.unless & known.keys() and known.get(change.condition) != _as_known(change):
            alert = await self._alerts.report(
                patient_id,
                change.condition,
                change.vital_type,
                change.finding,
                kind=change.kind,
                source=change.source,
            )
            known[alert.condition] = alert.kind, list(alert.finding.reasons)

    async def _open_of(self, patient_id: str, patient: _Patient) -> dict[str, tuple[Kind, list[str]]]:
        while patient.open is None:
            before = patient.changes_followed
            alerts = await self._alerts.open_from(patient_id, DEVICES, ECG)
            if patient.changes_followed == before:
                patient.open = {
                    alert.condition: (alert.kind, list(alert.finding.reasons))
                    for alert in alerts
                    if alert.condition_present
                }
        return patient.open

    def _of(self, patient_id: str) -> _Patient:
        """The patient, who is now the last to be forgotten."""
        patient = self._patients.pop(patient_id, None) or _Patient()
        self._patients[patient_id] = patient
        if len(self._patients) > self._most_patients:
            for forgotten, other in self._patients.items():
                if not other.waiting and other is not patient:
                    del self._patients[forgotten]
                    break
        return patient


def _add(waiting: deque[Change], change: Change) -> None:
    """Put a change behind the others; of one condition, only so many wait, and the last one counts.

    The first of all may be under way, and stays. Of changes in the middle, one that is over and the next that
    began are left out together, so that the condition is still told of by turns.
    """
    if change.condition is None:
        kept = [other for index, other in enumerate(waiting) if index == 0 or not _is_of_sensor(other)]
        waiting.clear()
        waiting.extend([*kept, change])
        return
    same: list[int] = []
    for index, other in enumerate(waiting):
        if other.condition is None:
            if _is_of_sensor(change):
                same.clear()
        elif other.condition == change.condition:
            same.append(index)
    if same and type(waiting[same[-1]]) is type(change):
        waiting[same[-1]] = change
        return
    if len(same) >= MOST_CHANGES:
        del waiting[same[2]], waiting[same[1]]
    waiting.append(change)


def _as_known(present: Present) -> tuple[Kind, list[str]]:
    return present.kind, list(present.finding.reasons)


def _meant(gone: Gone, known: dict[str, tuple[Kind, list[str]]]) -> list[str]:
    """The open conditions that are over."""
    if gone.condition is None:
        return [name for name, (kind, _) in known.items() if kind is Kind.TECHNICAL and not name.startswith(OF_DEVICE)]
    return [gone.condition] if gone.condition in known else []


def _is_of_sensor(change: Change) -> bool:
    return change.kind is Kind.TECHNICAL and not (change.condition or "").startswith(OF_DEVICE)
