"""The alert streams as clients see them: who may listen, what a stream looks like, and readers that are slow."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.db import Database
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
    socket_refusal,
)
from tests.servers import RunningServer, code_of, serving, until

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
