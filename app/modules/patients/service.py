"""Patient records: made, looked for, and linked to the person whose own they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import InvalidField
from app.core.security import Principal
from app.core.wire import Id
from app.modules.patients import models, repository
from app.modules.patients.errors import PatientExists, UnknownPatient, UserHasPatientRecord
from app.modules.patients.schemas import Patient, PatientChanges, PatientPage
from app.modules.users.service import UserService, checked_name

__all__ = [
    "EVERY_PATIENT",
    "Move",
    "MoveListener",
    "PatientExists",
    "PatientService",
    "UnknownPatient",
    "UserHasPatientRecord",
    "is_patient_id",
]

#: Words that stand for every patient where an admin may name one.
EVERY_PATIENT = frozenset({"*", "all"})

#: Ids of patients that need not be looked for again.
MOST_KNOWN = 100_000

_ID: TypeAdapter[str] = TypeAdapter(Id)


@dataclass(frozen=True, slots=True)
class Move:
    """A patient comes to another unit, or to none."""

    patient_id: str
    before: str | None
    after: str | None
    by: Principal


class MoveListener(Protocol):
    """Has something to do when a patient moves; the limits module has."""

    async def moving(self, session: AsyncSession, move: Move) -> None:
        """Called in the transaction that moves the patient."""
        ...

    async def moved(self) -> None:
        """Called when it is committed."""
        ...


class PatientService:
    def __init__(self, db: Database, access: AccessChanges, users: UserService, clock: Clock) -> None:
        self._db = db
        self._access = access
        self._users = users
        self._clock = clock
        # A record is never deleted, so that one which was there once is there for ever.
        self._known: set[str] = set()
        self._move_listeners: list[MoveListener] = []

    def on_move(self, listener: MoveListener) -> None:
        """Have `listener` take part in every move of a patient."""
        self._move_listeners.append(listener)

    async def create(self, id: str, name: str | None, user_id: str | None = None, unit: str | None = None) -> Patient:
        """Make a record; with a user, that user holds the role `patient` from now on.

        Raises:
            InvalidField: the id, the name or the unit cannot be.
            UnknownUser: there is no such user.
            PatientExists: the id is taken.
            UserHasPatientRecord: another record is this user's own.
        """
        if not is_patient_id(id):
            raise InvalidField("id", "use 1 to 64 letters, digits and . _ : - (and not the word all)")
        if unit is not None and not _is_id(unit):
            raise InvalidField("unit", "use 1 to 64 letters, digits and . _ : -")
        if user_id is not None:
            await self._users.get(user_id)
        now = self._clock.now()
        patient = models.Patient(
            id=id, name=checked_name(id if name is None else name), user_id=user_id, unit=unit, created_at=now
        )
        try:
            async with self._db.write() as session:
                await repository.insert(session, patient)
                if user_id is not None:
                    await self._access.record(session, user_id, now=now)
        except IntegrityError:
            if await self.exists(id):
                raise PatientExists(id) from None
            raise UserHasPatientRecord from None
        if user_id is not None:
            self._access.announce()
        return Patient.model_validate(patient)

    async def update(self, patient_id: str, changes: PatientChanges, by: Principal) -> Patient:
        """Change a record; a patient who moves to another unit is under that unit's limits from now on.

        Raises:
            InvalidField: the name cannot be.
            UnknownPatient: there is no such patient.
        """
        move = None
        async with self._db.write() as session:
            patient = await repository.claim(session, patient_id) if is_patient_id(patient_id) else None
            if patient is None:
                raise UnknownPatient
            if changes.name is not None:
                patient.name = checked_name(changes.name)
            if "unit" in changes.model_fields_set and changes.unit != patient.unit:
                move = Move(patient_id, patient.unit, changes.unit, by)
                patient.unit = changes.unit
                await session.flush()
                for listener in self._move_listeners:
                    await listener.moving(session, move)
        if move is not None:
            for listener in self._move_listeners:
                await listener.moved()
        return Patient.model_validate(patient)

    async def get(self, patient_id: str) -> Patient:
        """The record with this id.

        Raises:
            UnknownPatient: there is none.
        """
        row = await self._db.run_read(lambda it: repository.one(it, patient_id))
        if row is None:
            raise UnknownPatient
        return Patient.model_validate(row)

    async def page(self, among: frozenset[str] | None, *, after: str | None, limit: int) -> PatientPage:
        """The first records by id, of those that come after this one.

        Args:
            among: the ids that there may be; none stands for all.
        """

        def read(connection: sa.Connection) -> list[Patient]:
            if among is None:
                return [Patient.model_validate(row) for row in repository.after(connection, after, limit=limit + 1)]
            # A page of ids goes into the query, so that it is short however many patients somebody has.
            wanted = sorted(it for it in among if after is None or it > after)[: limit + 1]
            found = [Patient.model_validate(row) for row in repository.among(connection, wanted)]
            return sorted(found, key=lambda patient: patient.id)

        found = await self._db.run_read(read)
        page = found[:limit]
        return PatientPage(patients=page, next_cursor=page[-1].id if len(found) > limit else None)

    async def in_unit(self, unit: str) -> frozenset[str]:
        """The ids of the patients who lie on the unit."""
        return await self._db.run_read(lambda it: repository.in_unit(it, unit))

    def unit_of(self, patient_id: str) -> sa.ScalarSelect[str | None]:
        """The unit that the patient lies on, as an expression, for whoever asks it together with something else."""
        return repository.unit_of(patient_id)

    async def exists(self, patient_id: str) -> bool:
        if patient_id in self._known:
            return True
        if not is_patient_id(patient_id):
            return False
        exists = await self._db.run_read(lambda it: repository.exists(it, patient_id))
        if exists:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.add(patient_id)
        return exists

    async def require(self, patient_id: str) -> None:
        """Refuse an id that is no patient's.

        Raises:
            UnknownPatient: it is none.
        """
        if not await self.exists(patient_id):
            raise UnknownPatient

    async def own_patient_id(self, user_id: str) -> str | None:
        """The record that is this user's own, if there is one."""
        async with self._db.read() as session:
            return await repository.own_patient_id(session, user_id)

    def record_of(self, user_id: str) -> sa.ScalarSelect[str | None]:
        """The same as an expression, for whoever asks it together with something else."""
        return repository.record_of(user_id)


def is_patient_id(text: str) -> bool:
    """Whether a patient can have this id at all."""
    return _is_id(text) and text not in EVERY_PATIENT


def _is_id(text: str) -> bool:
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True
