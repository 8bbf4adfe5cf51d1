"""Limits of patients and of units by HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.core.bodies import JSONRoute
from app.core.errors import AppError, InvalidField, problem_responses
from app.core.security import Caller, NotSignedIn, OriginNotAllowed, RoleNotHeld, TokenExpired
from app.core.services import service
from app.core.wire import Id
from app.modules.care_team.service import NotOnCareTeam
from app.modules.limits.access import LimitsAccess
from app.modules.limits.advisor import LimitAdvisor
from app.modules.limits.errors import LimitsChanged, NotOfUnit
from app.modules.limits.schemas import (
    LimitChanges,
    PatientLimits,
    PatientLimitsInput,
    Suggestions,
    UnitLimits,
    UnitLimitsInput,
    read_cursor,
)
from app.modules.limits.service import LimitsService
from app.modules.limits.settings import Holder, Kind
from app.modules.patients.service import UnknownPatient

router = APIRouter(prefix="/api/v1", tags=["limits"], route_class=JSONRoute)

OF_PATIENT, OF_UNIT = "/patients/{patientId}/limits", "/units/{unit}/limits"

PatientId = Annotated[Id, Path(alias="patientId")]
Unit = Annotated[Id, Path()]
Limits = Annotated[LimitsService, service(LimitsService)]
Access = Annotated[LimitsAccess, service(LimitsAccess)]
Advisor = Annotated[LimitAdvisor, service(LimitAdvisor)]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(description="The `nextCursor` of the page before.")]

_CALLER: tuple[type[AppError], ...] = (NotSignedIn, TokenExpired)
_SETTING = (*_CALLER, OriginNotAllowed, RoleNotHeld, LimitsChanged, InvalidField)


@router.get(
    OF_PATIENT,
    summary="The limits in force for a patient",
    responses=problem_responses(*_CALLER, NotOnCareTeam, UnknownPatient),
)
async def of_patient(caller: Caller, patient_id: PatientId, limits: Limits, access: Access) -> PatientLimits:
    await access.require_reader(caller, patient_id)
    return await limits.of_patient(patient_id)


@router.put(
    OF_PATIENT,
    summary="Set a patient's own limits, and the SpO2 scale of NEWS2 (doctor or nurse of the care team)",
    responses=problem_responses(*_SETTING, NotOnCareTeam),
)
async def set_for_patient(
    caller: Caller, patient_id: PatientId, body: PatientLimitsInput, limits: Limits, access: Access
) -> PatientLimits:
    by = await access.setter(caller, patient_id)
    return await limits.set_for_patient(patient_id, body, by)


@router.get(
    OF_PATIENT + "/changes",
    summary="Who has set a patient's limits, when and why, newest first (doctor or nurse of the care team, admin)",
    responses=problem_responses(*_CALLER, RoleNotHeld, NotOnCareTeam, UnknownPatient, InvalidField),
)
async def changes_of_patient(
    caller: Caller, patient_id: PatientId, limits: Limits, access: Access, limit: Limit = 50, cursor: Cursor = None
) -> LimitChanges:
    before = None if cursor is None else read_cursor(cursor)
    await access.require_auditor(caller, patient_id)
    return await limits.changes(Holder(Kind.PATIENT, patient_id), before=before, limit=limit)


@router.get(
    OF_PATIENT + "/suggestions",
    summary="Limits that the patient's own last hours suggest; none holds before a person has set it",
    responses=problem_responses(*_CALLER, RoleNotHeld, NotOnCareTeam, UnknownPatient),
)
async def suggestions(
    caller: Caller,
    patient_id: PatientId,
    advisor: Advisor,
    access: Access,
    hours: Annotated[int, Query(ge=1, le=24, description="How far back.")] = 4,
) -> Suggestions:
    await access.require_auditor(caller, patient_id)
    return await advisor.suggest(patient_id, timedelta(hours=hours))


@router.get(
    OF_UNIT,
    summary="The limits in force on a unit (admin, or doctor or nurse of a patient there)",
    responses=problem_responses(*_CALLER, RoleNotHeld, NotOfUnit),
)
async def of_unit(caller: Caller, unit: Unit, limits: Limits, access: Access) -> UnitLimits:
    await access.of_unit(caller, unit)
    return await limits.of_unit(unit)


@router.put(
    OF_UNIT,
    summary="Set the limits of a unit (admin, or doctor or nurse of a patient there)",
    responses=problem_responses(*_SETTING, NotOfUnit),
)
async def set_for_unit(caller: Caller, unit: Unit, body: UnitLimitsInput, limits: Limits, access: Access) -> UnitLimits:
    by = await access.of_unit(caller, unit)
    return await limits.set_for_unit(unit, body, by)


@router.get(
    OF_UNIT + "/changes",
    summary="Who has set a unit's limits, when and why, newest first (admin, or doctor or nurse of a patient there)",
    responses=problem_responses(*_CALLER, RoleNotHeld, NotOfUnit, InvalidField),
)
async def changes_of_unit(
    caller: Caller, unit: Unit, limits: Limits, access: Access, limit: Limit = 50, cursor: Cursor = None
) -> LimitChanges:
    before = None if cursor is None else read_cursor(cursor)
    await access.of_unit(caller, unit)
    return await limits.changes(Holder(Kind.UNIT, unit), before=before, limit=limit)
