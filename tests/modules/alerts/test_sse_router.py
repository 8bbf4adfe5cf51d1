"""The alert streams as clients see them: real servers, real connections.

What each role may see, both ways of signing in, delivery over both transports, order, recovery,
snapshot, overflow, keepalive, acknowledgement, escalation across a restart, and a server that is
killed between its answer and the reader's return.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.core.db import Database
from app.core.roles import Role
from app.modules.alerts.repository import PAGE_SIZE
from app.modules.alerts.service import AlertService
from tests.modules.alerts.steps import (
    CARE,
    CAREGIVER_STREAM,
    STREAM,
    acknowledge,
    alert_socket,
    both_ways,
    directly_or_not,
    metric,
    nurse_and_admin,
    quick_rules,
    socket_refusal,
)
from tests.modules.ward import SetClock
from tests.servers import RunningServer, code_of, server_process, serving, until
from tests.sse import EventStream

pytestmark = pytest.mark.anyio


# --- who may listen -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "role", "patient_id"),
    [
        *((role.replace("_", "-"), role, "P1") for role in CARE),
        ("doctor", "hospital", "P1"),
        ("admin", "hospital", "P1"),
        ("admin", "admin", "P1"),
        ("admin", "admin", "P2"),
        ("admin", "admin", "*"),
        ("admin", "admin", "all"),
        ("admin", "admin", None),
        ("rosa", "patient", None),
        ("rosa", "patient", "P1"),
    ],
)
async def test_a_role_that_is_held_listens_to_its_patients(
    ward: RunningServer, who: str, role: str, patient_id: str | None
) -> None:
    async with ward.stream(who, role, patient_id) as stream:
        assert stream.status == 200
        opened = await stream.control("stream.opened")
        ready = await stream.control("stream.ready")
    assert opened["recovered"] is False
    assert ready["cursor"].startswith(opened["epoch"] + "-")


@pytest.mark.parametrize(
    ("who", "role", "patient_id", "refusal"),
    [
        (None, "nurse", "P1", (401, "not_signed_in")),
        ("nurse", "wizard", "P1", (403, "invalid_role")),
        ("device", "device", "P1", (403, "invalid_role")),
        ("nurse", "doctor", "P1", (403, "role_not_held")),
        ("nurse", "admin", "*", (403, "role_not_held")),
        ("nurse", "hospital", "P1", (403, "role_not_held")),
        ("nurse", "patient", "P1", (403, "role_not_held")),
        ("rosa", "nurse", "own", (403, "role_not_held")),
        ("device", "nurse", "P1", (403, "role_not_held")),
        ("admin", "nurse", "P1", (403, "role_not_held")),
        ("nurse", "nurse", None, (400, "patient_id_required")),
        ("nurse", "nurse", "", (400, "patient_id_required")),
        ("admin", "hospital", None, (400, "patient_id_required")),
        ("nurse", "nurse", "*", (403, "wildcard_needs_admin")),
        ("doctor", "hospital", "all", (403, "wildcard_needs_admin")),
        ("outsider", "nurse", "P1", (403, "not_on_care_team")),
        ("nurse", "nurse", "P2", (403, "not_on_care_team")),
        ("doctor", "hospital", "P2", (403, "not_on_care_team")),
        ("nurse", "nurse", "no-such-patient", (403, "not_on_care_team")),
        ("admin", "admin", "no-such-patient", (404, "unknown_patient")),
        ("nurse", "nurse", "not an id", (422, "validation_error")),
    ],
)
async def test_a_role_that_is_not_held_is_refused_with_the_reason(
    ward: RunningServer, who: str | None, role: str, patient_id: str | None, refusal: tuple[int, str]
) -> None:
    query = {"role": role} if patient_id is None else {"role": role, "patient_id": patient_id}
    response = await ward.call("GET", STREAM, who, params=query)
    assert code_of(response) == refusal
    assert await socket_refusal(ward, who, **query) == refusal[0]


async def test_a_missing_role_is_named(ward: RunningServer) -> None:
    response = await ward.call("GET", STREAM, "nurse", params={"patient_id": "P1"})
    assert code_of(response) == (422, "validation_error")
    assert response.json()["errors"][0]["field"] == "role"


@pytest.mark.parametrize("who", ["admin", "device", "rosa"])
async def test_the_stream_of_all_patients_is_for_roles_of_care(ward: RunningServer, who: str) -> None:
    response = await ward.call("GET", CAREGIVER_STREAM, who)
    assert code_of(response) == (403, "role_not_held")


async def test_a_bearer_token_and_a_cookie_open_the_same_stream(ward: RunningServer) -> None:
    token = ward.tokens["nurse"]
    async with (
        ward.stream("nurse") as by_header,
        ward.http.stream(
            "GET", STREAM, params={"role": "nurse", "patient_id": "P1"}, headers={"Cookie": f"access_token={token}"}
        ) as by_cookie,
    ):
        assert (by_header.status, by_cookie.status_code) == (200, 200)


async def test_a_token_in_the_address_does_not_open_an_event_stream(ward: RunningServer) -> None:
    params = {"role": "nurse", "patient_id": "P1", "token": ward.tokens["nurse"]}
    assert code_of(await ward.call("GET", STREAM, None, params=params)) == (401, "not_signed_in")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ."])
async def test_a_token_that_is_not_ours_opens_nothing(ward: RunningServer, token: str) -> None:
    response = await ward.call(
        "GET", STREAM, None, params={"role": "nurse"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert code_of(response) == (401, "not_signed_in")


async def test_an_expired_token_is_told_apart(ward: RunningServer) -> None:
    token = await ward.token("nurse", timedelta(seconds=-1))
    response = await ward.call(
        "GET", STREAM, None, params={"role": "nurse"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert code_of(response) == (401, "token_expired")


# --- what a stream looks like ---------------------------------------------------------------------


@both_ways
async def test_the_headers_keep_proxies_from_holding_events_back(ward: RunningServer) -> None:
    async with ward.stream("nurse") as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-cache"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["connection"] == "keep-alive"
        assert "content-length" not in stream.headers
        first = await stream.next(lambda message: True)
    assert first.event == "stream.opened"
    assert first.id is None
    assert 1500 <= int(first.retry or 0) <= 4500


async def test_an_alert_event_is_an_unnamed_message_with_an_id_and_the_fields_of_the_contract(
    ward: RunningServer,
) -> None:
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        raised = await ward.raise_alert("too-fast", threshold={"min": 40, "max": 180}, unit="/min", context={"bed": 1})
        assert raised.status_code == 201
        event = await stream.alert("alert")
        message = next(m for m in stream.received if m.data and m.event is None)
    assert message.id == f"{message.id.rsplit('-', 1)[0]}-1" if message.id else False
    assert event | {"alertId": "", "timestamp": "", "nextEscalationAt": "", "occurredAt": ""} == {
        "event": "alert", "alertId": "", "tier": "moderate", "priority": "medium", "patientId": "P1",
        "vitalType": "heart_rate", "vitalsWindow": [190, 192, 188], "unit": "/min",
        "threshold": {"min": 40, "max": 180},
        "reasons": ["reason of too-fast"], "recipients": ["nurse"], "condition": "too-fast", "kind": "physiological",
        "state": "active", "conditionPresent": True, "signal": "on", "responsibility": "undefined",
        "escalationLevel": 0, "nextEscalationAt": "", "timestamp": "", "context": {"bed": 1}, "source": "admin",
        "occurredAt": "",
    }  # fmt: skip
    assert {key: value for key, value in event.items() if key not in {"event", "occurredAt"}} == raised.json()


@both_ways
async def test_both_transports_get_the_same_events_in_the_same_order(ward: RunningServer) -> None:
    async with ward.stream("nurse") as stream, alert_socket(ward, "nurse", role="nurse", patient_id="P1") as socket:
        await stream.control("stream.ready")
        raised = [(await ward.raise_alert(f"c{number}")).json()["alertId"] for number in range(5)]
        await acknowledge(ward, raised[0], "nurse")
        await stream.alert("alert_acknowledged")
        by_socket = [json.loads(await socket.recv()) for _ in range(6)]
    assert by_socket == stream.alerts
    assert [event["alertId"] for event in by_socket[:5]] == raised


@both_ways
async def test_events_go_to_recipients_and_admins_and_to_nobody_else(ward: RunningServer) -> None:
    async with (
        ward.stream("nurse") as nurse,
        ward.stream("doctor", "doctor") as doctor,
        ward.stream("admin", "admin", "*") as admin,
        ward.stream("admin", "admin", "P2") as elsewhere,
        ward.stream("rosa", "patient") as rosa,
    ):
        for stream in (nurse, doctor, admin, elsewhere, rosa):
            await stream.control("stream.ready")
        await ward.raise_alert("for-doctors", recipients=["doctor"])
        await ward.raise_alert("for-nurses", recipients=["nurse"])
        await ward.raise_alert("for-rosa", patient_id="own", recipients=["patient"])
        await ward.raise_alert("elsewhere", patient_id="P2", recipients=["nurse"])
        await admin.alert("alert", condition="elsewhere")
        await elsewhere.alert("alert", condition="elsewhere")
        for stream, role in ((nurse, "nurse"), (doctor, "doctor")):
            await stream.alert("alert", condition=f"for-{role}s")
        await rosa.alert("alert")
        conditions = {
            name: [event["condition"] for event in stream.alerts]
            for name, stream in {
                "nurse": nurse,
                "doctor": doctor,
                "admin": admin,
                "P2": elsewhere,
                "rosa": rosa,
            }.items()
        }
    assert conditions == {
        "nurse": ["for-nurses"],
        "doctor": ["for-doctors"],
        "admin": ["for-doctors", "for-nurses", "for-rosa", "elsewhere"],
        "P2": ["elsewhere"],
        "rosa": ["for-rosa"],
    }


@directly_or_not
async def test_a_quiet_stream_carries_its_position_so_that_the_cursor_does_not_grow_old(
    tmp_path: Path, *, direct: bool
) -> None:
    async with serving(tmp_path, direct=direct, keepalive_seconds=0.05) as server:
        await nurse_and_admin(server)
        async with server.stream("nurse") as stream:
            await stream.control("stream.ready")
            await server.raise_alert("not-for-nurses", recipients=["doctor"])
            quiet = await stream.next(lambda m: m.comment == "keepalive" and (m.id or "").endswith("-1"))
            assert quiet.data is None
            cursor = stream.cursor
        async with server.stream("nurse", last_event_id=cursor) as stream:
            assert (await stream.control("stream.opened"))["recovered"] is True
            assert (await stream.control("stream.ready"))["sent"] == 0


# --- snapshot and recovery ------------------------------------------------------------------------


@both_ways
async def test_without_a_cursor_the_latest_event_of_each_open_alert_comes_without_an_id(ward: RunningServer) -> None:
    first = (await ward.raise_alert("a")).json()["alertId"]
    second = (await ward.raise_alert("b")).json()["alertId"]
    closed = (await ward.raise_alert("c")).json()["alertId"]
    await ward.raise_alert("hidden", recipients=["doctor"])
    await acknowledge(ward, first, "nurse")
    await ward.call("POST", f"/api/v1/alerts/alerts/{closed}/resolve?patient_id=P1", "nurse")
    async with ward.stream("nurse") as stream:
        ready = await stream.control("stream.ready")
        assert [(event["event"], event["alertId"]) for event in stream.alerts] == [
            ("alert", second),
            ("alert_acknowledged", first),
        ]
        assert stream.ids == []
        assert ready["sent"] == 2
        assert ready["cursor"] == stream.cursor
    async with ward.stream("nurse", params={"replay": "none"}) as stream:
        assert (await stream.control("stream.ready"))["sent"] == 0
        assert stream.alerts == []


@both_ways
async def test_with_a_cursor_exactly_what_was_missed_comes_once_and_in_order(ward: RunningServer) -> None:
    """More than one page of the log is missed."""
    count = PAGE_SIZE + 10
    async with ward.stream("nurse") as stream:
        await ward.raise_alert("seen")
        await stream.alert("alert")
        cursor = stream.cursor
    missed = [(await ward.raise_alert(f"missed-{number}")).json()["alertId"] for number in range(count)]
    async with ward.stream("nurse", last_event_id=cursor) as stream:
        opened = await stream.control("stream.opened")
        ready = await stream.control("stream.ready")
        live = (await ward.raise_alert("live")).json()["alertId"]
        await stream.alert("alert", alertId=live)
        assert [event["alertId"] for event in stream.alerts] == [*missed, live]
        assert stream.seqs == list(range(2, count + 3))
    assert (opened["recovered"], opened["cursor"]) == (True, cursor)
    assert ready["sent"] == count


async def test_a_cursor_may_come_in_the_address_but_the_header_is_newer(ward: RunningServer) -> None:
    """`EventSource` keeps its address when it reconnects, and sends the id that it has by then as a header."""
    for number in range(3):
        await ward.raise_alert(f"c{number}")
    first, second = (f"{ward.manager.epoch}-{seq}" for seq in (1, 2))
    for header, expected in ((None, [2, 3]), (second, [3])):
        async with ward.stream("nurse", last_event_id=header, params={"last_event_id": first}) as stream:
            assert (await stream.control("stream.opened"))["recovered"] is True
            await stream.control("stream.ready")
            assert stream.seqs == expected


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("nonsense-1", "unknown_epoch"),
        ("nonsense", "not_an_id"),
        ("-", "not_an_id"),
        ("1", "not_an_id"),
        ("{epoch}-999", "ahead_of_log"),
        ("{epoch}-", "not_an_id"),
        ("{epoch}--1", "unknown_epoch"),
        ("{epoch}-99999999999999999999999", "not_an_id"),
    ],
)
async def test_a_cursor_that_cannot_be_served_is_answered_with_the_snapshot_and_the_reason(
    ward: RunningServer, cursor: str, reason: str
) -> None:
    await ward.raise_alert("open")
    async with ward.stream("nurse", last_event_id=cursor.format(epoch=ward.manager.epoch)) as stream:
        opened = await stream.control("stream.opened")
        await stream.control("stream.ready")
    assert (opened["recovered"], opened["reason"]) == (False, reason)
    assert [event["condition"] for event in stream.alerts] == ["open"]


@both_ways
async def test_connecting_while_alerts_are_raised_leaves_no_gap_and_no_duplicate(ward: RunningServer) -> None:
    raised: list[str] = []

    async def keep_raising() -> None:
        for number in range(60):
            response = await ward.raise_alert(f"storm-{number}")
            raised.append(response.json()["alertId"])

    streams: list[EventStream] = []

    async def connect_at(count: int) -> None:
        await until(lambda: len(raised) >= count)
        async with ward.stream("nurse") as stream:
            streams.append(stream)
            await until(lambda: len(raised) == 60)
            await stream.next(lambda m: bool(m.data) and m.event is None and m.json["alertId"] == raised[-1])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_raising())
        for count in range(0, 60, 7):
            tasks.create_task(connect_at(count))
    for stream in streams:
        assert [event["alertId"] for event in stream.alerts] == raised


# --- slow readers ---------------------------------------------------------------------------------


@directly_or_not
async def test_a_slow_subscriber_catches_up_from_the_log(tmp_path: Path, *, direct: bool) -> None:
    """Its queue of 5 overflows while its connection takes nothing; reading again, it misses nothing.

    Fails when an overflow does not make it a reader of the log, so that memory would grow without bound,
    when the overflow loses its events, and when writing waits for the connection (checked so).
    """
    async with serving(tmp_path, direct=direct, subscriber_queue=5) as server:
        await nurse_and_admin(server)
        padding = {"padding": "x" * 30_000}
        async with (
            server.stream("nurse") as slow,
            server.stream("admin", "admin", "*", params={"replay": "none"}) as healthy,
        ):
            await slow.control("stream.ready")
            await healthy.control("stream.ready")
            slow.stop_reading()
            raised: list[str] = []
            while metric(server, "tocsin_subscriber_queue_overflows_total") == 0:
                raised.append((await server.raise_alert(f"c{len(raised)}", context=padding)).json()["alertId"])
                await healthy.alert("alert", alertId=raised[-1])
            raised += [(await server.raise_alert(f"extra-{n}")).json()["alertId"] for n in range(20)]
            await healthy.alert("alert", alertId=raised[-1])
            assert server.manager.open_count(lambda s: s.sink.is_paused and not s.is_live) == 1, "it reads the log"
            slow.read_again()
            await slow.alert("alert", alertId=raised[-1])
            assert [event["alertId"] for event in slow.alerts] == raised
            assert slow.ids == healthy.ids


@directly_or_not
async def test_a_reader_that_takes_nothing_is_closed_and_recovers_what_it_missed(
    tmp_path: Path, *, direct: bool
) -> None:
    async with serving(tmp_path, direct=direct, subscriber_queue=5, slow_consumer_seconds=0.3) as server:
        await nurse_and_admin(server)
        async with server.stream("nurse") as slow:
            await slow.control("stream.ready")
            slow.stop_reading()
            raised = 0
            while server.manager.open_count() == 1:
                await server.raise_alert(f"c{raised}", context={"padding": "x" * 30_000})
                raised += 1
            slow.read_again()
            await slow.end()
            cursor = slow.cursor
            before = slow.seqs
        async with server.stream("nurse", last_event_id=cursor) as again:
            assert (await again.control("stream.opened"))["recovered"] is True
            await again.control("stream.ready")
            assert [*before, *again.seqs] == list(range(1, raised + 1))
        assert metric(server, 'tocsin_streams_closed_total{reason="slow_consumer",transport="sse"}') == 1


@both_ways
async def test_no_open_stream_holds_a_database_connection(ward: RunningServer) -> None:
    """Fails the plain ASGI way when a dependency of the route has a session until the stream ends (checked
    so); where the connection is given away, nothing of the request is left that could hold one.
    """
    async with (
        ward.stream("nurse") as stream,
        ward.stream("nurse", path=CAREGIVER_STREAM) as of_all,
        alert_socket(ward, "nurse", role="nurse", patient_id="P1"),
    ):
        await stream.control("stream.ready")
        await of_all.control("stream.ready")
        await until(lambda: ward.manager.open_count() == 3)
        await until(lambda: ward.services.get(Database).checked_out() == 0)
        assert ward.manager.open_count() == 3


@both_ways
async def test_a_client_that_leaves_is_gone_from_the_index_at_once(ward: RunningServer) -> None:
    async with ward.stream("nurse") as stream, alert_socket(ward, "nurse", role="nurse", patient_id="P1"):
        await stream.control("stream.ready")
        await until(lambda: ward.manager.open_count() == 2)
    await until(lambda: ward.manager.open_count() == 0)
    assert (await ward.raise_alert("to-nobody")).status_code == 201


# --- acknowledgement ------------------------------------------------------------------------------


async def test_an_acknowledgement_answers_with_the_new_state_and_reaches_everybody_who_had_the_alert(
    ward: RunningServer,
) -> None:
    alert_id = (await ward.raise_alert("c", recipients=["nurse", "doctor"])).json()["alertId"]
    async with ward.stream("doctor", "doctor") as doctor, ward.stream("caregiver", "caregiver") as caregiver:
        await doctor.control("stream.ready")
        await caregiver.control("stream.ready")
        response = await acknowledge(ward, alert_id, "nurse", {"status": "confirmed", "note": "Patient stable"})
        told = await doctor.alert("alert_acknowledged", alertId=alert_id)
        assert caregiver.alerts == []
    assert response.status_code == 200
    answer = response.json()
    assert answer["message"] == "Alert acknowledged successfully"
    expected = {
        "alertId": alert_id, "state": "acknowledged", "signal": "acknowledged", "responsibility": "accepted",
        "acknowledgedBy": "nurse", "status": "confirmed", "note": "Patient stable", "nextEscalationAt": None,
        "conditionPresent": True,
    }  # fmt: skip
    assert answer.items() >= expected.items()
    assert told.items() >= expected.items()
    assert told["acknowledgedByUser"] == (await ward.call("GET", "/api/v1/users/me", "nurse")).json()["id"]


async def test_a_repeated_acknowledgement_is_harmless_and_another_persons_is_refused_with_who_and_when(
    ward: RunningServer,
) -> None:
    alert_id = (await ward.raise_alert("c", recipients=["nurse", "doctor"])).json()["alertId"]
    first = await acknowledge(ward, alert_id, "nurse")
    again = await acknowledge(ward, alert_id, "nurse")
    other = await acknowledge(ward, alert_id, "doctor")
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert code_of(other) == (409, "already_acknowledged")
    assert other.json()["acknowledgedBy"] == "nurse"
    assert other.json()["acknowledgedByName"] == "Nurse"
    assert other.json()["acknowledgedAt"] == first.json()["acknowledgedAt"]
    detail = (await ward.call("GET", f"/api/v1/alerts/{alert_id}", "doctor")).json()
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_acknowledged"]


@pytest.mark.parametrize(
    ("who", "patient_id", "refusals"),
    [
        (None, "P1", {(401, "not_signed_in")}),
        ("outsider", "P1", {(403, "not_on_care_team")}),
        ("outsider", None, {(404, "unknown_alert")}),
        ("caregiver", "P1", {(404, "unknown_alert")}),
        ("admin", "P2", {(404, "unknown_alert")}),
        ("device", "P1", {(403, "role_not_held")}),
    ],
)
async def test_who_may_not_see_an_alert_may_not_acknowledge_it(
    ward: RunningServer, who: str | None, patient_id: str | None, refusals: set[tuple[int, str]]
) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    query = {} if patient_id is None else {"patient_id": patient_id}
    response = await ward.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge", who, {}, params=query)
    assert code_of(response) in refusals


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "later"}, "status"),
        ({"note": "x" * 2001}, "note"),
        ({"note": 5}, "note"),
        ({"remark": "x"}, "remark"),
        ([], "body"),
    ],
)
async def test_an_acknowledgement_that_cannot_be_names_its_field(ward: RunningServer, body: object, field: str) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    response = await ward.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge?patient_id=P1", "nurse", body)
    assert code_of(response) == (422, "validation_error")
    assert response.json()["errors"][0]["field"] == field


async def test_an_unknown_alert_is_not_found(ward: RunningServer) -> None:
    assert code_of(await acknowledge(ward, "no-such-alert", "nurse")) == (404, "unknown_alert")


async def test_acknowledging_as_resolved_closes_the_alert_and_tells_both(ward: RunningServer) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        response = await acknowledge(ward, alert_id, "nurse", {"status": "resolved", "note": "Patient stable"})
        await stream.alert("alert_acknowledged", status="resolved")
        await stream.alert("alert_resolved", state="resolved", resolvedBy="nurse")
    assert response.json()["state"] == "resolved"


async def test_resolving_by_hand_is_told_once_however_often_it_is_asked(ward: RunningServer) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    address = f"/api/v1/alerts/alerts/{alert_id}/resolve?patient_id=P1"
    first = await ward.call("POST", address, "nurse", {"note": "lead was off"})
    second = await ward.call("POST", address, "nurse")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["resolutionNote"] == second.json()["resolutionNote"] == "lead was off"
    detail = (await ward.call("GET", f"/api/v1/alerts/{alert_id}", "nurse")).json()
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_resolved"]
    assert (await ward.raise_alert("c")).status_code == 201


# --- escalation, restart, kill --------------------------------------------------------------------


async def test_what_nobody_acknowledges_escalates_when_it_is_due_and_acknowledging_disarms_it(tmp_path: Path) -> None:
    async with serving(tmp_path, rules_file=quick_rules(tmp_path, 0.5, 0.5)) as server:
        await nurse_and_admin(server)
        await server.user("doctor", Role.DOCTOR)
        await server.user("dispatcher", Role.DISPATCHER)
        await server.grant("P1", "doctor", "dispatcher")
        async with (
            server.stream("doctor", "doctor") as doctor,
            server.stream("dispatcher", "dispatcher") as dispatcher,
            server.stream("nurse") as nurse,
        ):
            for stream in (doctor, dispatcher, nurse):
                await stream.control("stream.ready")
            raised = (await server.raise_alert("left-alone")).json()
            taken_on = (await server.raise_alert("taken-on")).json()
            await acknowledge(server, taken_on["alertId"], "nurse")
            first = await doctor.alert("alert_escalated")
            second = await dispatcher.alert("alert_escalated")
            await nurse.alert("alert_escalated", escalationLevel=2)
            assert [event["condition"] for event in nurse.alerts if event["event"] == "alert_escalated"] == [
                "left-alone"
            ] * 2
    assert first["occurredAt"] >= raised["nextEscalationAt"]
    assert (first["escalationLevel"], first["recipients"]) == (1, ["doctor", "nurse"])
    assert second["occurredAt"] >= first["nextEscalationAt"]
    assert (second["escalationLevel"], second["nextEscalationAt"]) == (2, None)


async def test_an_escalation_that_is_due_takes_none_along_that_is_not(tmp_path: Path) -> None:
    """Fails when neither the query for due rows nor the state machine compares the time (checked so; each
    of them alone is enough, and `test_lifecycle` has the second).
    """
    clock = SetClock()
    async with serving(tmp_path, clock=clock) as server:
        await nurse_and_admin(server)
        first = (await server.raise_alert("first")).json()
        clock.advance(timedelta(seconds=1))
        second = (await server.raise_alert("second")).json()
        clock.moment = datetime.fromisoformat(first["nextEscalationAt"])
        await server.services.get(AlertService).escalate_due()
        events = {}
        for alert in (first, second):
            detail = (await server.call("GET", f"/api/v1/alerts/{alert['alertId']}", "admin")).json()
            events[alert["condition"]] = [event["event"] for event in detail["timeline"]]
    assert events == {"first": ["alert", "alert_escalated"], "second": ["alert"]}


async def test_an_escalation_that_fell_due_while_the_server_was_down_fires_once_when_it_is_back(tmp_path: Path) -> None:
    rules = quick_rules(tmp_path, 0.3, 3600)
    async with serving(tmp_path, rules_file=rules) as server:
        await nurse_and_admin(server)
        alert = (await server.raise_alert("left-alone")).json()
        tokens = server.tokens
    await anyio.sleep(0.3)  # The time itself is what this is about: the due time passes with no server there.
    async with serving(tmp_path, rules_file=rules) as server:
        server.tokens = tokens
        async with server.stream("admin", "admin", "*") as stream:
            escalated = await stream.alert("alert_escalated")
        detail = (await server.call("GET", f"/api/v1/alerts/{alert['alertId']}", "admin")).json()
    assert escalated["escalationLevel"] == 1
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_escalated"]


async def test_after_kill_9_a_reconnect_gets_exactly_what_was_missed(tmp_path: Path) -> None:
    """The kill comes right after the answer. Fails when the commit may come later than that (checked so: by a
    fifth of a second), and with it the answer to an acknowledgement.
    """
    with server_process(tmp_path) as server:
        server.cli("user", "create", "admin@example.org", "--role", "admin")
        server.cli("patient", "create", "P1")
        admin = {"Authorization": "Bearer " + server.cli("token", "admin@example.org")}
        body = {"patientId": "P1", "vitalType": "heart_rate", "tier": "slight", "reasons": ["r"]}
        query = {"role": "admin", "patient_id": "P1"}
        async with httpx.AsyncClient(base_url=server.url, headers=admin) as http:
            async with EventStream.open(http, STREAM, params=query) as stream:
                await http.post("/api/v1/alerts", json=body | {"condition": "seen"})
                await stream.alert("alert")
                cursor = stream.cursor
            answered = []
            for number in range(20):
                response = await http.post("/api/v1/alerts", json=body | {"condition": f"c{number}"})
                answered.append(("alert", response.json()["alertId"]))
            server.kill()
            server.start()
            first = answered[0][1]
            assert (await http.post(f"/api/v1/alerts/alerts/{first}/acknowledge")).status_code == 200
            answered.append(("alert_acknowledged", first))
            server.kill()
            server.start()
            async with EventStream.open(http, STREAM, params=query, headers={"Last-Event-ID": cursor}) as stream:
                assert (await stream.control("stream.opened"))["recovered"] is True
                await stream.control("stream.ready")
                assert [(event["event"], event["alertId"]) for event in stream.alerts] == answered


@both_ways
async def test_a_stopping_server_tells_its_streams_and_takes_no_new_ones(ward: RunningServer) -> None:
    async with ward.stream("nurse") as stream, alert_socket(ward, "nurse", role="nurse", patient_id="P1") as socket:
        await stream.control("stream.ready")
        await ward.manager.drain(0)
        closing = await stream.control("stream.closing")
        assert closing["reason"] == "draining"
        assert closing["retryMs"] > 0
        await stream.end()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        refused = await ward.call("GET", STREAM, "nurse", params={"role": "nurse", "patient_id": "P1"})
        ready = await ward.call("GET", "/readyz")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "draining")
    assert code_of(refused) == (503, "draining")
    assert refused.headers["retry-after"]
    assert (ready.status_code, ready.json()["checks"]["streams"]) == (503, "draining")
