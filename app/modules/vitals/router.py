"""Vital signs by HTTP and on two WebSockets."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from app.core.bodies import JSONRoute
from app.core.errors import InvalidField, ServiceUnavailable, problem_responses
from app.core.security import (
    Caller,
    NotSignedIn,
    OriginNotAllowed,
    RoleNotHeld,
    SocketCaller,
    TokenExpired,
    offered_subprotocol,
)
from app.core.services import service
from app.core.wire import Id, Timestamp
from app.modules.care_team.service import NotOnCareTeam, NotOwnRecord, PatientIdRequired
from app.modules.vitals.access import VitalsAccess
from app.modules.vitals.device_socket import DeviceSocket
from app.modules.vitals.errors import InvalidReadings
from app.modules.vitals.intake import Intake
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.renditions import Choice, Format
from app.modules.vitals.rights import SocketRights
from app.modules.vitals.schemas import (
    AnySeries,
    HistoryFilter,
    HistoryPage,
    Latest,
    NumericType,
    ReadingsInput,
    Resolution,
    SeriesFilter,
    SingleReadingInput,
    StoredReading,
    Taken,
    read_cursor,
)
from app.modules.vitals.series import SeriesService
from app.modules.vitals.service import VitalsService
from app.modules.vitals.viewer_socket import ViewerSocket
from app.modules.vitals.waveform_fields import HIGHEST_SAMPLE_RATE_HZ

LONGEST_SERIES = timedelta(days=400)

router = APIRouter(prefix="/api/v1/vitals", tags=["vitals"], route_class=JSONRoute)

PatientId = Annotated[Id | None, Query(description="May be left out for one's own record.")]
Vitals = Annotated[VitalsService, service(VitalsService)]
Access = Annotated[VitalsAccess, service(VitalsAccess)]
Rights = Annotated[SocketRights, service(SocketRights)]

_SENDING = problem_responses(
    NotSignedIn,
    TokenExpired,
    OriginNotAllowed,
    PatientIdRequired,
    RoleNotHeld,
    NotOnCareTeam,
    NotOwnRecord,
    InvalidReadings,
    ServiceUnavailable,
)
_READING = problem_responses(
    NotSignedIn, TokenExpired, PatientIdRequired, NotOnCareTeam, InvalidField, ServiceUnavailable
)


@router.post("", summary="Send one reading", status_code=201, responses=_SENDING)
async def send_one(
    caller: Caller, body: SingleReadingInput, vitals: Vitals, access: Access, patient_id: PatientId = None
) -> Taken:
    sent_for = await access.sender(caller, _one_of(body.patient_id, patient_id))
    return await vitals.record(sent_for, vitals.read_all([("", body.fields())]))


@router.post(
    "/bulk",
    summary="Send many readings of one patient: all of them are taken, or none",
    status_code=201,
    responses=_SENDING,
)
async def send_many(
    caller: Caller, body: ReadingsInput, vitals: Vitals, access: Access, patient_id: PatientId = None
) -> Taken:
    sent_for = await access.sender(caller, _one_of(body.patient_id, patient_id))
    items = ((f"readings[{index}].", item.fields()) for index, item in enumerate(body.readings))
    return await vitals.record(sent_for, vitals.read_all(items))


@router.get("/latest", summary="The newest reading of each type", responses=_READING)
async def latest(caller: Caller, vitals: Vitals, access: Access, patient_id: PatientId = None) -> Latest:
    seen = await access.reader(caller, patient_id)
    readings = await vitals.latest(seen)
    return Latest(patient_id=seen, readings=[StoredReading.of(reading) for reading in readings])


@router.get("/history", summary="Stored readings, newest first, in pages", responses=_READING)
async def history(
    caller: Caller,
    vitals: Vitals,
    access: Access,
    patient_id: PatientId = None,
    vital_type: Annotated[
        NumericType | None, Query(alias="type", description="Which vital sign; left out, all of them.")
    ] = None,
    since: Annotated[Timestamp | None, Query(description="From this moment on.")] = None,
    until: Annotated[Timestamp | None, Query(description="Before this moment.")] = None,
    limit: Annotated[int, Query(ge=1, le=5000, description="At most so many readings on a page.")] = 500,
    cursor: Annotated[str | None, Query(description="The `nextCursor` of the page before.")] = None,
) -> HistoryPage:
    _require_order(since, until)
    after = None if cursor is None else read_cursor(cursor)
    seen = await access.reader(caller, patient_id)
    wanted = HistoryFilter(seen, vital_type, since, until, after)
    readings, has_more = await vitals.newest_first(wanted, limit=limit)
    return HistoryPage.of(seen, readings, has_more=has_more)


@router.get(
    "/series",
    summary="Stored readings of one type, oldest first: raw, or min, mean and max of buckets",
    responses=_READING,
)
async def series(
    caller: Caller,
    stretches: Annotated[SeriesService, service(SeriesService)],
    access: Access,
    vital_type: Annotated[NumericType, Query(alias="type", description="Which vital sign.")],
    since: Annotated[Timestamp, Query(description="From this moment on.")],
    until: Annotated[Timestamp, Query(description="Before this moment; at most 400 days later.")],
    patient_id: PatientId = None,
    resolution: Annotated[
        Resolution,
        Query(description="`auto` is `raw` up to three readings for each point, and `buckets` for a longer stretch."),
    ] = "auto",
    points: Annotated[int, Query(ge=10, le=2000, description="At most so many buckets.")] = 500,
) -> AnySeries:
    _require_order(since, until)
    if until - since > LONGEST_SERIES:
        raise InvalidField("until", f"must be at most {LONGEST_SERIES.days} days after `since`")
    seen = await access.reader(caller, patient_id)
    return await stretches.read(SeriesFilter(seen, vital_type, since, until), resolution=resolution, points=points)


@router.websocket("/ws/mobile")
async def send_live(
    websocket: WebSocket,
    caller: SocketCaller,
    vitals: Vitals,
    access: Access,
    rights: Rights,
    intake: Annotated[Intake, service(Intake)],
    patient_id: str | None = None,
) -> None:
    """A device, or a patient's phone, sends frames."""
    async with rights.held(caller, partial(access.sender, patient_id=patient_id)) as right:
        await websocket.accept(offered_subprotocol(websocket))
        await right.bound(websocket, DeviceSocket(websocket, right, vitals, intake).run)


@router.websocket("/ws/frontend")
async def view_live(
    websocket: WebSocket,
    caller: SocketCaller,
    vitals: Vitals,
    access: Access,
    rights: Rights,
    viewers: Annotated[VitalsViewers, service(VitalsViewers)],
    patient_id: str | None = None,
    role: str | None = None,
    format: Format = Format.JSON,
    max_hz: Annotated[float | None, Query(gt=0, le=HIGHEST_SAMPLE_RATE_HZ)] = None,
    *,
    beats: bool = False,
) -> None:
    """A viewer sees the newest reading of each type, and then every frame as it comes."""
    async with rights.held(caller, partial(access.viewer, role=role, patient_id=patient_id)) as right:
        await websocket.accept(offered_subprotocol(websocket))
        viewer = ViewerSocket(websocket, right, vitals, viewers, Choice(format, max_hz, beats))
        await right.bound(websocket, viewer.run, cut_off=viewer.cut_off)


def _require_order(since: datetime | None, until: datetime | None) -> None:
    """Return where a stretch does not end before it begins.

    Raises:
        InvalidField: it does; an empty answer would look like a patient of whom nothing was measured.
    """
    if since is not None and until is not None and until < since:
        raise InvalidField("until", "must not be before `since`")


def _one_of(in_body: str | None, in_query: str | None) -> str | None:
    """The patient that a request names in its body, its query, or both.

    Raises:
        InvalidField: the two differ.
    """
    if in_body is not None and in_query is not None and in_body != in_query:
        raise InvalidField("patientId", "the query names another patient")
    return in_query if in_body is None else in_body
