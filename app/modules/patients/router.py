"""Patient records by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.core.bodies import JSONRoute
from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import Id
from app.modules.care_team.service import CareTeamService, NotOnCareTeam
from app.modules.patients.errors import PatientExists, UnknownPatient, UserHasPatientRecord
from app.modules.patients.schemas import NewPatient, Patient, PatientChanges, PatientPage
from app.modules.patients.service import PatientService
from app.modules.users.service import UnknownUser

router = APIRouter(prefix="/api/v1/patients", tags=["patients"], route_class=JSONRoute)

Patients = Annotated[PatientService, service(PatientService)]
CareTeam = Annotated[CareTeamService, service(CareTeamService)]
PatientId = Annotated[Id, Path(alias="patientId")]


@router.get(
    "",
    summary="The patients that the caller may see, by id",
    description="Those on whose care team the caller stands, and the caller's own record; for admins all.",
    responses=problem_responses(NotSignedIn, TokenExpired),
)
async def list_patients(
    caller: Caller,
    patients: Patients,
    care_team: CareTeam,
    cursor: Annotated[Id | None, Query(description="The `nextCursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PatientPage:
    return await patients.page(await care_team.visible_patients(caller), after=cursor, limit=limit)


@router.get(
    "/{patientId}",
    summary="One patient that the caller may see",
    responses=problem_responses(NotSignedIn, TokenExpired, NotOnCareTeam, UnknownPatient),
)
async def get(caller: Caller, patient_id: PatientId, patients: Patients, care_team: CareTeam) -> Patient:
    await care_team.require_visible(caller, patient_id)
    return await patients.get(patient_id)


@router.post(
    "",
    summary="Make a patient record (admin)",
    status_code=201,
    responses=problem_responses(
        NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownUser, PatientExists, UserHasPatientRecord
    ),
)
async def create(caller: Caller, body: NewPatient, patients: Patients) -> Patient:
    require_role(caller, Role.ADMIN)
    return await patients.create(body.id, body.name, body.user_id, body.unit)


@router.patch(
    "/{patientId}",
    summary="Change a patient record: the name, or the unit that the patient lies on (admin)",
    responses=problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed, RoleNotHeld, UnknownPatient),
)
async def update(caller: Caller, patient_id: PatientId, body: PatientChanges, patients: Patients) -> Patient:
    require_role(caller, Role.ADMIN)
    return await patients.update(patient_id, body, caller)
