"""Care teams by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import Id
from app.modules.care_team.service import CareTeamService
from app.modules.patients.service import UnknownPatient
from app.modules.users.service import UnknownUser

router = APIRouter(prefix="/api/v1/patients/{patientId}/care-team/{userId}", tags=["care teams"])

PatientId = Annotated[Id, Path(alias="patientId")]
UserId = Annotated[Id, Path(alias="userId")]
CareTeam = Annotated[CareTeamService, service(CareTeamService)]

_PROBLEMS = problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownPatient, UnknownUser)


@router.put(
    "",
    summary="Put a user on a patient's care team (admin)",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
)
async def add(caller: Caller, patient_id: PatientId, user_id: UserId, care_team: CareTeam) -> None:
    require_role(caller, Role.ADMIN)
    await care_team.add(patient_id, user_id, granted_by=caller.user_id)


@router.delete(
    "",
    summary="Take a user off a patient's care team (admin)",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
)
async def remove(caller: Caller, patient_id: PatientId, user_id: UserId, care_team: CareTeam) -> None:
    require_role(caller, Role.ADMIN)
    await care_team.remove(patient_id, user_id)
