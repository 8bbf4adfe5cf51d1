"""Care teams, and the role table: who may see and do what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.core.access import AccessChanges, Scope
from app.core.clock import Clock
from app.core.db import Database
from app.core.remembered import Remembered
from app.core.roles import AUDIENCE_ROLES, CARE_ROLES, Role, in_order
from app.core.security import Principal, RoleNotHeld, require_role
from app.modules.care_team import repository
from app.modules.care_team.errors import (
    InvalidRole,
    NotOnCareTeam,
    NotOwnRecord,
    PatientIdRequired,
    WildcardNeedsAdmin,
)
from app.modules.care_team.models import CareTeamGrant
from app.modules.care_team.schemas import CareTeam, Member
from app.modules.patients.service import EVERY_PATIENT, PatientService
from app.modules.users.service import UserService

__all__ = [
    "CareTeamService",
    "InvalidRole",
    "NotOnCareTeam",
    "NotOwnRecord",
    "PatientIdRequired",
    "WildcardNeedsAdmin",
]


class CareTeamService:
    def __init__(
        self, db: Database, access: AccessChanges, patients: PatientService, users: UserService, clock: Clock
    ) -> None:
        self._db = db
        self._access = access
        self._patients = patients
        self._users = users
        self._clock = clock
        self._grants = Remembered(access, self._read_grants)

    async def add(self, patient_id: str, user_id: str, granted_by: str | None = None) -> None:
        """Put the user on the patient's care team, if they do not stand there already.

        Raises:
            UnknownPatient: there is no such patient.
            UnknownUser: there is no such user.
        """
        await self._require_both(patient_id, user_id)
        now = self._clock.now()
        try:
            async with self._db.write() as session:
                if await repository.exists(session, patient_id, user_id):
                    return
                grant = CareTeamGrant(patient_id=patient_id, user_id=user_id, granted_by=granted_by, granted_at=now)
                await repository.insert(session, grant)
                await self._access.record(session, user_id, now=now)
        except IntegrityError:
            # Somebody has made the same grant at this very moment; anything else is a mistake.
            if not await self._stands_on_team(user_id, patient_id):
                raise
            return
        self._access.announce()

    async def remove(self, patient_id: str, user_id: str) -> None:
        """Take the user off the patient's care team, if they stand there.

        Raises:
            UnknownPatient: there is no such patient.
            UnknownUser: there is no such user.
        """
        await self._require_both(patient_id, user_id)
        async with self._db.write() as session:
            if not await repository.delete(session, patient_id, user_id):
                return
            await self._access.record(session, user_id, now=self._clock.now())
        self._access.announce()

    async def patients_granted_since(self, user_id: str, moment: datetime) -> frozenset[str]:
        """Those of the user's patients who came to them after this moment."""
        grants = await self._grants.get(user_id, None)
        return frozenset(patient_id for patient_id, granted_at in grants.items() if granted_at > moment)

    async def patients_of(self, user_id: str) -> frozenset[str]:
        """The patients on whose care team the user stands."""
        return frozenset(await self._grants.get(user_id, None))

    async def visible_patients(self, principal: Principal) -> frozenset[str] | None:
        """The patients of whom the caller may know, in any of their roles or as a device; none stands for all."""
        if Role.ADMIN in principal.roles:
            return None
        own = principal.own_patient_id
        visible = frozenset() if own is None else frozenset({own})
        if principal.roles & (CARE_ROLES | {Role.DEVICE}):
            visible |= await self.patients_of(principal.user_id)
        return visible

    async def require_visible(self, principal: Principal, patient_id: str) -> None:
        """Refuse who may not know of the patient.

        Raises:
            NotOnCareTeam: the caller has nothing to do with the patient.
            UnknownPatient: there is none, and the caller may know that.
        """
        visible = await self.visible_patients(principal)
        if visible is None:
            await self._patients.require(patient_id)
        elif patient_id not in visible:
            raise NotOnCareTeam

    async def team_of(self, patient_id: str) -> CareTeam:
        """Who stands on the patient's care team, by name."""

        def read(connection: sa.Connection) -> list[Member]:
            granted = repository.grants_for(connection, patient_id)
            return [
                Member(user_id=user.id, name=user.name, email=user.email, roles=user.roles, granted_at=granted[user.id])
                for user in self._users.among(connection, repository.on_team_of(patient_id))
            ]

        members = await self._db.run_read(read)
        return CareTeam(
            patient_id=patient_id, members=sorted(members, key=lambda member: (member.name.casefold(), member.email))
        )

    async def scope(self, principal: Principal, role: str, patient_id: str | None) -> Scope:
        """What the caller sees in this role: the role table of the contract, row by row.

        Raises:
            InvalidRole: the word is no role, or one that sees nothing.
            RoleNotHeld: the caller does not hold it.
            PatientIdRequired: the role is held for one patient at a time, and none is named.
            WildcardNeedsAdmin: every patient is asked for, in another role than `admin`.
            NotOnCareTeam: the caller has nothing to do with the patient, or there is no such patient.
            UnknownPatient: there is no such patient, and the caller may know that.
        """
        if role not in AUDIENCE_ROLES:
            raise InvalidRole
        held = Role(role)
        require_role(principal, held)
        if held is Role.PATIENT:
            return _own_scope(principal)
        if held is Role.ADMIN:
            if not patient_id or patient_id in EVERY_PATIENT:
                return Scope(held, frozenset({held}), None)
            await self._patients.require(patient_id)
        elif not patient_id:
            raise PatientIdRequired
        elif patient_id in EVERY_PATIENT:
            raise WildcardNeedsAdmin
        elif held is Role.HOSPITAL and Role.ADMIN in principal.roles:
            await self._patients.require(patient_id)
        else:
            await self._require_on_team(principal, patient_id)
        return Scope(held, frozenset({held}), frozenset({patient_id}))

    async def caregiver_scope(self, principal: Principal) -> Scope:
        """What the caller sees of every patient on whose care team they stand, in all roles of care at once.

        Raises:
            RoleNotHeld: the caller holds no role of care.
        """
        require_role(principal, *in_order(CARE_ROLES))
        held = principal.roles & CARE_ROLES
        role = Role.CAREGIVER if Role.CAREGIVER in held else in_order(held)[0]
        roles = held | {Role.HOSPITAL} if Role.DOCTOR in held else held
        return Scope(role, roles, await self.patients_of(principal.user_id))

    async def scopes(self, principal: Principal) -> tuple[Scope, ...]:
        """Everything that the caller sees by any role; nothing for one that only sends."""
        if Role.ADMIN in principal.roles:
            return (Scope(Role.ADMIN, frozenset({Role.ADMIN}), None),)
        found = []
        if principal.roles & CARE_ROLES:
            found.append(await self.caregiver_scope(principal))
        if Role.PATIENT in principal.roles:
            found.append(_own_scope(principal))
        return tuple(found)

    async def require_sender(self, principal: Principal, patient_id: str | None) -> str:
        """The patient that the caller sends vital signs for: themselves, or one that a device stands by.

        Raises:
            RoleNotHeld: the caller is neither a patient nor a device.
            NotOwnRecord: a patient names another one.
            PatientIdRequired: a device names none.
            NotOnCareTeam: a device does not stand on the care team.
        """
        require_role(principal, Role.PATIENT, Role.DEVICE)
        own = principal.own_patient_id
        if own is not None and patient_id in {None, "", own}:
            return own
        if Role.DEVICE not in principal.roles:
            raise NotOwnRecord
        if not patient_id:
            raise PatientIdRequired
        await self._require_on_team(principal, patient_id)
        return patient_id

    async def may_send(self, user_id: str, patient_id: str) -> bool:
        """Whether an account may send vital signs for the patient, signed in or not."""
        user = await self._users.get(user_id)
        if user.disabled:
            return False
        if Role.DEVICE in user.roles and await self._stands_on_team(user_id, patient_id):
            return True
        return await self._patients.own_patient_id(user_id) == patient_id

    async def require_raiser(self, principal: Principal, patient_id: str) -> None:
        """Refuse a caller who may not raise alerts for this patient.

        Raises:
            RoleNotHeld: the caller is neither an admin nor a device.
            UnknownPatient: an admin names a patient that there is not.
            NotOnCareTeam: a device does not stand on the care team.
        """
        require_role(principal, Role.ADMIN, Role.DEVICE)
        if Role.ADMIN in principal.roles:
            await self._patients.require(patient_id)
        else:
            await self._require_on_team(principal, patient_id)

    async def _require_both(self, patient_id: str, user_id: str) -> None:
        # Neither is ever deleted, so that what is true here is still true in the transaction below.
        await self._patients.require(patient_id)
        await self._users.get(user_id)

    async def _require_on_team(self, principal: Principal, patient_id: str) -> None:
        if not await self._stands_on_team(principal.user_id, patient_id):
            raise NotOnCareTeam

    async def _stands_on_team(self, user_id: str, patient_id: str) -> bool:
        return patient_id in await self._grants.get(user_id, None)

    async def _read_grants(self, user_id: str, _about: None) -> Mapping[str, datetime]:
        return await self._db.run_read(lambda it: repository.grants_of(it, user_id))


def _own_scope(principal: Principal) -> Scope:
    if principal.own_patient_id is None:
        raise RoleNotHeld("no patient record is your own")
    return Scope(Role.PATIENT, frozenset({Role.PATIENT}), frozenset({principal.own_patient_id}))
