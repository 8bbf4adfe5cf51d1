"""Patient records by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from app.core.bodies import JSONRoute
from app.core.errors import problem_responses
from app.core.roles import Role
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired, require_role
from app.core.services import service
from app.core.wire import Id
from app.modules.patients.errors import PatientExists, UnknownPatient, UserHasPatientRecord
from app.modules.patients.schemas import NewPatient, Patient, PatientChanges
from app.modules.patients.service import PatientService
from app.modules.users.service import UnknownUser

router = APIRouter(prefix="/api/v1/patients", tags=["patients"], route_class=JSONRoute)

Patients = Annotated[PatientService, service(PatientService)]


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
async def update(
    caller: Caller, patient_id: Annotated[Id, Path(alias="patientId")], body: PatientChanges, patients: Patients
) -> Patient:
    require_role(caller, Role.ADMIN)
    return await patients.update(patient_id, body, caller)
