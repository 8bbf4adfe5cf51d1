"""Care teams by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import Id
from app.modules.care_team.schemas import CareTeam
from app.modules.care_team.service import CareTeamService, NotOnCareTeam
from app.modules.patients.service import UnknownPatient
from app.modules.users.service import UnknownUser

router = APIRouter(prefix="/api/v1/patients/{patientId}/care-team", tags=["care teams"])

PatientId = Annotated[Id, Path(alias="patientId")]
UserId = Annotated[Id, Path(alias="userId")]
Service = Annotated[CareTeamService, service(CareTeamService)]

_PROBLEMS = problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownPatient, UnknownUser)


@router.get(
    "",
    summary="Who stands on a patient's care team, by name (whoever may see the patient)",
    responses=problem_responses(NotSignedIn, TokenExpired, NotOnCareTeam, UnknownPatient),
)
async def members(caller: Caller, patient_id: PatientId, care_team: Service) -> CareTeam:
    await care_team.require_visible(caller, patient_id)
    return await care_team.team_of(patient_id)


@router.put(
    "/{userId}",
    summary="Put a user on a patient's care team (admin)",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
)
async def add(caller: Caller, patient_id: PatientId, user_id: UserId, care_team: Service) -> None:
    require_role(caller, Role.ADMIN)
    await care_team.add(patient_id, user_id, granted_by=caller.user_id)


@router.delete(
    "/{userId}",
    summary="Take a user off a patient's care team (admin)",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
)
async def remove(caller: Caller, patient_id: PatientId, user_id: UserId, care_team: Service) -> None:
    require_role(caller, Role.ADMIN)
    await care_team.remove(patient_id, user_id)
