"""Patient records by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from app.core.bodies import JSONRoute
from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.modules.patients.errors import PatientExists, UserHasPatientRecord
from app.modules.patients.schemas import NewPatient, Patient
from app.modules.patients.service import PatientService
from app.modules.users.service import UnknownUser

router = APIRouter(prefix="/api/v1/patients", tags=["patients"], route_class=JSONRoute)


@router.post(
    "",
    summary="Make a patient record (admin)",
    status_code=201,
    responses=problem_responses(
        NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownUser, PatientExists, UserHasPatientRecord
    ),
)
async def create(
    caller: Caller, body: NewPatient, patients: Annotated[PatientService, service(PatientService)]
) -> Patient:
    require_role(caller, Role.ADMIN)
    return await patients.create(body.id, body.name, body.user_id)
