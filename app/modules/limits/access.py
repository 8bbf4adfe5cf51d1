"""Who may see limits, and who may set them."""

from __future__ import annotations

from app.core.roles import Role
from app.core.security import Principal, require_role
from app.modules.care_team.service import CareTeamService, NotOnCareTeam
from app.modules.limits.errors import NotOfUnit
from app.modules.limits.settings import Who
from app.modules.patients.service import PatientService

#: Who decides on limits at the bedside; a doctor before a nurse, where somebody is both.
DECIDING = (Role.DOCTOR, Role.NURSE)


class LimitsAccess:
    """Lets a caller through, or refuses; of who may set limits it says in which role."""

    def __init__(self, care_team: CareTeamService, patients: PatientService) -> None:
        self._care_team = care_team
        self._patients = patients

    async def require_reader(self, principal: Principal, patient_id: str) -> None:
        """Refuse who may not see the patient in any of their roles.

        Raises:
            NotOnCareTeam: the caller has nothing to do with the patient.
            UnknownPatient: there is none, and the caller may know that.
        """
        for scope in await self._care_team.scopes(principal):
            if scope.patient_ids is None:
                return await self._patients.require(patient_id)
            if patient_id in scope.patient_ids:
                return None
        raise NotOnCareTeam

    async def setter(self, principal: Principal, patient_id: str) -> Who:
        """The caller as a doctor or nurse of the patient's care team.

        Raises:
            RoleNotHeld: the caller is neither; being an admin is not enough.
            NotOnCareTeam: the caller is not on the team.
        """
        require_role(principal, *DECIDING)
        if patient_id not in await self._care_team.patients_of(principal.user_id):
            raise NotOnCareTeam
        return _deciding(principal)

    async def require_auditor(self, principal: Principal, patient_id: str) -> None:
        """Refuse who may not see who has set what, and why: doctors and nurses of the care team do, and admins.

        Raises:
            RoleNotHeld: the caller is none of these.
            NotOnCareTeam: the caller is not on the team.
            UnknownPatient: there is none, and the caller may know that.
        """
        if Role.ADMIN in principal.roles:
            return await self._patients.require(patient_id)
        await self.setter(principal, patient_id)
        return None

    async def of_unit(self, principal: Principal, unit: str) -> Who:
        """The caller as an admin, or as a doctor or nurse of a patient who lies on the unit.

        Raises:
            RoleNotHeld: the caller is none of these.
            NotOfUnit: the caller has nothing to do with the unit.
        """
        if Role.ADMIN in principal.roles:
            return Who(principal.user_id, principal.name, Role.ADMIN)
        require_role(principal, Role.ADMIN, *DECIDING)
        own = await self._care_team.patients_of(principal.user_id)
        if own.isdisjoint(await self._patients.in_unit(unit)):
            raise NotOfUnit
        return _deciding(principal)


def _deciding(principal: Principal) -> Who:
    role = next(it for it in DECIDING if it in principal.roles)
    return Who(principal.user_id, principal.name, role)
