"""The doors of alerts: streams, the legacy WebSocket, acknowledgement, raising and history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Response, WebSocket

from app.core.bodies import JSONRoute
from app.core.errors import problem_responses
from app.core.limits import TooManyConnections, TooManyStreams
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
from app.modules.alerts.description import EVENT_STREAM
from app.modules.alerts.encoding import SocketEncoding
from app.modules.alerts.errors import AlreadyAcknowledged, Draining, UnknownAlert
from app.modules.alerts.lifecycle import Alert, Kind, Tier
from app.modules.alerts.repository import HistoryFilter
from app.modules.alerts.schemas import (
    AlertAcknowledgmentRequest,
    AlertDetail,
    AlertOutcome,
    AlertPage,
    AlertPayload,
    AlertResolutionRequest,
    AlertView,
    alert_document,
)
from app.modules.alerts.service import AlertService
from app.modules.alerts.streams import AlertEventStream, AlertSocket, StreamOpener
from app.modules.care_team.service import (
    CareTeamService,
    InvalidRole,
    NotOnCareTeam,
    PatientIdRequired,
    WildcardNeedsAdmin,
)
from app.modules.patients.service import UnknownPatient

#: Two nodes' clocks may differ by so much; a snapshot too many does no harm.
CLOCKS_DIFFER = timedelta(seconds=60)

router = APIRouter(prefix="/api/v1", tags=["alerts"], route_class=JSONRoute)

Alerts = Annotated[AlertService, service(AlertService)]
CareTeam = Annotated[CareTeamService, service(CareTeamService)]
Opener = Annotated[StreamOpener, service(StreamOpener)]

RoleAsked = Annotated[str, Query(description="The role to listen in; see the role table.", max_length=64)]
PatientAsked = Annotated[
    str | None,
    Query(
        pattern=r"^(\*|[A-Za-z0-9._:-]{0,64})$",
        description="The patient to listen to; `*` or `all` for every patient (admin).",
    ),
]
PatientNamed = Annotated[Id | None, Query(description="The patient that the alert is expected to belong to.")]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The last id received; what came after it is sent first.")
]
LastEventIdInQuery = Annotated[
    str | None, Query(alias="last_event_id", description="The same, for clients that cannot set the header.")
]
Replay = Annotated[
    Literal["snapshot", "none"],
    Query(description="`none` leaves the snapshot of open alerts out when no cursor is brought."),
]

_CALLER_PROBLEMS = (NotSignedIn, TokenExpired, OriginNotAllowed)
_STREAM_PROBLEMS = (NotSignedIn, TokenExpired, RoleNotHeld, Draining, TooManyConnections, TooManyStreams)


@router.get(
    "/alerts/stream",
    summary="Listen to the alerts of a patient, or as an admin of all, as server-sent events",
    response_class=Response,
    responses={
        200: EVENT_STREAM,
        **problem_responses(
            *_STREAM_PROBLEMS, InvalidRole, PatientIdRequired, WildcardNeedsAdmin, NotOnCareTeam, UnknownPatient
        ),
    },
)
async def stream_alerts(
    caller: Caller,
    opener: Opener,
    care_team: CareTeam,
    role: RoleAsked,
    patient_id: PatientAsked = None,
    replay: Replay = "snapshot",
    last_event_id: LastEventId = None,
    last_event_id_in_query: LastEventIdInQuery = None,
) -> Response:
    find_scope = partial(care_team.scope, role=role, patient_id=patient_id or None)
    scope = await find_scope(caller)
    opener.admit(caller)
    start = await opener.manager.where_to_start(
        last_event_id or last_event_id_in_query, wants_snapshot=replay != "none"
    )
    return AlertEventStream(opener, caller, scope, find_scope, start)


@router.get(
    "/caregivers/alerts/stream",
    summary="Listen to the alerts of every patient on whose care team the caller stands, as server-sent events",
    response_class=Response,
    responses={200: EVENT_STREAM, **problem_responses(*_STREAM_PROBLEMS)},
)
async def stream_alerts_of_care_teams(
    caller: Caller,
    opener: Opener,
    care_team: CareTeam,
    replay: Replay = "snapshot",
    last_event_id: LastEventId = None,
    last_event_id_in_query: LastEventIdInQuery = None,
) -> Response:
    scope = await care_team.caregiver_scope(caller)
    opener.admit(caller)
    start = await opener.manager.where_to_start(
        last_event_id or last_event_id_in_query, wants_snapshot=replay != "none"
    )
    newcomers: frozenset[str] = frozenset()
    if start.recovered and (last_seen_at := await opener.manager.log.time_of(start.position)):
        newcomers = await care_team.patients_granted_since(caller.user_id, last_seen_at - CLOCKS_DIFFER)
    start = replace(start, newcomers=newcomers)
    return AlertEventStream(opener, caller, scope, care_team.caregiver_scope, start)


@router.websocket("/alerts/ws")
async def alert_socket(
    websocket: WebSocket,
    caller: SocketCaller,
    opener: Opener,
    care_team: CareTeam,
    alerts: Alerts,
    role: RoleAsked,
    patient_id: PatientAsked = None,
    replay: Replay = "snapshot",
) -> None:
    """The legacy channel: the same events in the same scope, and `{"event": "ack", …}` the other way."""
    find_scope = partial(care_team.scope, role=role, patient_id=patient_id or None)
    scope = await find_scope(caller)
    opener.admit(caller)
    start = await opener.manager.where_to_start(None, wants_snapshot=replay != "none")
    await websocket.accept(subprotocol=offered_subprotocol(websocket))
    await AlertSocket(websocket, alerts, caller).run(
        lambda sink: opener.open(caller, scope, find_scope, start, sink, transport=SocketEncoding.transport)
    )


@router.post(
    "/alerts/alerts/{alert_id}/acknowledge",
    summary="Take an alert on: it is silenced, and does not escalate any further",
    response_model=AlertOutcome,
    responses=problem_responses(*_CALLER_PROBLEMS, NotOnCareTeam, UnknownAlert, AlreadyAcknowledged),
)
async def acknowledge_alert(
    alert_id: Id,
    caller: Caller,
    alerts: Alerts,
    body: AlertAcknowledgmentRequest | None = None,
    patient_id: PatientNamed = None,
) -> Response:
    body = body or AlertAcknowledgmentRequest()
    done = await alerts.acknowledge(caller, alert_id, patient_id, status=body.status, note=body.note)
    return _outcome("Alert acknowledged successfully", done.alert)


@router.post(
    "/alerts/alerts/{alert_id}/resolve",
    summary="Close an alert by hand",
    response_model=AlertOutcome,
    responses=problem_responses(*_CALLER_PROBLEMS, NotOnCareTeam, UnknownAlert),
)
async def resolve_alert(
    alert_id: Id,
    caller: Caller,
    alerts: Alerts,
    body: AlertResolutionRequest | None = None,
    patient_id: PatientNamed = None,
) -> Response:
    done = await alerts.resolve(caller, alert_id, patient_id, note=body.note if body else None)
    return _outcome("Alert resolved successfully", done.alert)


@router.post(
    "/alerts",
    summary="Raise an alert from another system (admin, device)",
    description="A condition that has an open alert already is answered with that one, and status 200.",
    status_code=201,
    response_model=AlertView,
    responses={
        200: {"model": AlertView, "description": "The alert that was open already"},
        **problem_responses(*_CALLER_PROBLEMS, RoleNotHeld, NotOnCareTeam, UnknownPatient),
    },
)
async def raise_alert(body: AlertPayload, caller: Caller, alerts: Alerts) -> Response:
    alert, is_new = await alerts.raise_alert(caller, body)
    return _json(alert_document(alert), status_code=201 if is_new else 200)


@router.get(
    "/alerts",
    summary="The alerts that the caller may see, newest first",
    response_model=AlertPage,
    responses=problem_responses(NotSignedIn, TokenExpired, NotOnCareTeam),
)
async def list_alerts(
    caller: Caller,
    alerts: Alerts,
    patient_id: PatientNamed = None,
    state: Annotated[
        Literal["open", "active", "acknowledged", "resolved"] | None, Query(description="`open` is all but resolved.")
    ] = None,
    tier: Annotated[Tier | None, Query()] = None,
    kind: Annotated[Kind | None, Query(description="`technical` alerts are about the measuring.")] = None,
    since: Annotated[Timestamp | None, Query(description="Raised at or after this time.")] = None,
    cursor: Annotated[str | None, Query(description="`nextCursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    wanted = HistoryFilter(patient_id, state, tier, since, kind=kind)
    page, next_cursor = await alerts.history(caller, wanted, cursor=cursor, limit=limit)
    return _json({"alerts": [alert_document(alert) for alert in page], "nextCursor": next_cursor})


@router.get(
    "/alerts/{alert_id}",
    summary="One alert, with everything that has happened to it",
    response_model=AlertDetail,
    responses=problem_responses(NotSignedIn, TokenExpired, UnknownAlert),
)
async def get_alert(alert_id: Id, caller: Caller, alerts: Alerts) -> Response:
    alert, timeline = await alerts.get(caller, alert_id)
    return _json({**alert_document(alert), "timeline": [msgspec.Raw(event.encode()) for event in timeline]})


def _outcome(message: str, alert: Alert) -> Response:
    return _json({"message": message, **alert_document(alert)})


def _json(document: dict[str, Any], *, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status_code=status_code, media_type="application/json")
