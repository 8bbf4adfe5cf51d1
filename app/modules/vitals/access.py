"""Who may send a patient's vital signs, and who may see them."""

from __future__ import annotations

from app.core.security import Principal
from app.modules.care_team.service import CareTeamService, NotOnCareTeam, PatientIdRequired
from app.modules.patients.service import EVERY_PATIENT, is_patient_id


class VitalsAccess:
    """Answers with the id of the patient, or refuses. Vital signs are of one patient at a time."""

    def __init__(self, care_team: CareTeamService) -> None:
        self._care_team = care_team

    async def sender(self, principal: Principal, patient_id: str | None) -> str:
        """The patient that the caller may send for.

        Raises:
            AppError: there is none; see `CareTeamService.require_sender`.
        """
        return await self._care_team.require_sender(principal, patient_id)

    async def reader(self, principal: Principal, patient_id: str | None) -> str:
        """The patient that the caller may see, in any of their roles; their own where none is named.

        Raises:
            PatientIdRequired: none is named, and the caller has no record of their own.
            NotOnCareTeam: the caller has nothing to do with the patient.
        """
        patient_id = patient_id or principal.own_patient_id
        if patient_id is None or patient_id in EVERY_PATIENT:
            raise PatientIdRequired
        if is_patient_id(patient_id):
            for scope in await self._care_team.scopes(principal):
                if scope.patient_ids is None or patient_id in scope.patient_ids:
                    return patient_id
        raise NotOnCareTeam

    async def viewer(self, principal: Principal, role: str | None, patient_id: str | None) -> str:
        """The patient that the caller may see, in the one role that they name, if they name one.

        Raises:
            AppError: they may not; see `reader` and `CareTeamService.scope`.
        """
        if role is None:
            return await self.reader(principal, patient_id)
        scope = await self._care_team.scope(principal, role, patient_id)
        if scope.patient_ids is None:
            raise PatientIdRequired
        (covered,) = scope.patient_ids
        return covered
