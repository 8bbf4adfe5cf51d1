"""Rights that change while a stream is open: what ends, and what begins to flow."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.modules.alerts.steps import (
    CAREGIVER_STREAM,
    alert_socket,
    both_ways,
    directly_or_not,
    metric,
    nurse_and_admin,
)
from tests.servers import RunningServer, serving, until
from tests.sse import Received

pytestmark = pytest.mark.anyio


@both_ways
async def test_a_revoked_grant_ends_the_stream_with_its_reason_and_nothing_after_it(ward: RunningServer) -> None:
    async with ward.stream("nurse") as stream, alert_socket(ward, "nurse", role="nurse", patient_id="P1") as socket:
        await stream.control("stream.ready")
        await ward.revoke("P1", "nurse")
        closing = await stream.control("stream.closing")
        await ward.raise_alert("after")
        await stream.end()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closing["reason"] == "access_changed"
    assert stream.alerts == []
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "access_changed")


async def test_a_disabled_user_and_a_lost_role_end_the_stream(ward: RunningServer) -> None:
    for name, change in (("nurse", {"disabled": True}), ("doctor", {"roles": ["nurse"]})):
        async with ward.stream(name, name) as stream:
            await stream.control("stream.ready")
            me = await ward.call("GET", "/api/v1/users/me", name)
            changed = await ward.call("PATCH", f"/api/v1/users/{me.json()['id']}", "admin", change)
            assert changed.status_code == 200
            assert (await stream.control("stream.closing"))["reason"] == "access_changed"
            await stream.end()


@both_ways
async def test_the_end_of_the_token_is_the_end_of_the_stream(ward: RunningServer) -> None:
    ward.tokens["brief"] = await ward.token("nurse", timedelta(seconds=5))
    async with ward.stream("brief") as stream:
        await stream.control("stream.ready")
        assert (await stream.control("stream.closing"))["reason"] == "token_expired"
        await stream.end()


@both_ways
async def test_the_stream_of_all_patients_follows_grants_and_revocations(ward: RunningServer) -> None:
    await ward.raise_alert("already-open", patient_id="P2")
    async with ward.stream("nurse", path=CAREGIVER_STREAM) as stream:
        await stream.control("stream.ready")
        assert stream.alerts == []
        await ward.grant("P2", "nurse")
        await stream.alert("alert", condition="already-open")
        await ward.raise_alert("new", patient_id="P2")
        await stream.alert("alert", condition="new")
        await ward.raise_alert("first", patient_id="P1")
        await stream.alert("alert", condition="first")
        await ward.revoke("P1", "nurse")
        await until(lambda: ward.manager.open_count(lambda s: s.scope.patient_ids == frozenset({"P2"})) == 1)
        await ward.raise_alert("unseen", patient_id="P1")
        await ward.raise_alert("last", patient_id="P2")
        await stream.alert("alert", condition="last")
        assert [event["condition"] for event in stream.alerts] == ["already-open", "new", "first", "last"]


async def test_the_stream_of_all_patients_says_what_is_covered_whenever_that_changes(
    ward: RunningServer,
) -> None:
    def covers(*patient_ids: str, roles: list[str]) -> Callable[[Received], bool]:
        covered = {"patientIds": list(patient_ids), "roles": roles}
        return lambda m: m.event == "stream.scope" and m.json == covered

    me = (await ward.call("GET", "/api/v1/users/me", "nurse")).json()
    async with ward.stream("nurse", path=CAREGIVER_STREAM) as stream:
        assert await stream.control("stream.scope") == {"patientIds": ["P1"], "roles": ["nurse"]}
        await stream.control("stream.ready")
        await ward.grant("P2", "nurse")
        await stream.next(covers("P1", "P2", roles=["nurse"]))
        await ward.revoke("P1", "nurse")
        await stream.next(covers("P2", roles=["nurse"]))
        await ward.call("PATCH", f"/api/v1/users/{me['id']}", "admin", {"roles": ["nurse", "doctor"]})
        await stream.next(covers("P2", roles=["doctor", "hospital", "nurse"]))
        await ward.call("PATCH", f"/api/v1/users/{me['id']}", "admin", {"roles": ["doctor"]})
        await stream.next(covers("P2", roles=["doctor", "hospital"]))


async def test_every_stream_says_what_it_covers_before_it_is_ready(ward: RunningServer) -> None:
    for name, role, patient_id, covered in (
        ("nurse", "nurse", "P1", {"patientIds": ["P1"], "roles": ["nurse"]}),
        ("admin", "admin", "P2", {"patientIds": ["P2"], "roles": ["admin"]}),
        ("admin", "admin", "*", {"patientIds": None, "roles": ["admin"]}),
    ):
        async with ward.stream(name, role, patient_id) as stream:
            await stream.control("stream.ready")
            controls = [(message.event, message.json) for message in stream.received if message.event]
        assert ("stream.scope", covered) in controls[: [event for event, _ in controls].index("stream.ready")]


async def test_a_patient_granted_while_the_reader_was_away_comes_with_the_open_alerts(ward: RunningServer) -> None:
    """Their events lie before the cursor. Checked by leaving the newcomers out of the start: nothing comes."""
    await ward.raise_alert("before", patient_id="P2")
    await ward.raise_alert("seen")
    async with ward.stream("nurse", path=CAREGIVER_STREAM) as stream:
        await stream.control("stream.ready")
        cursor = stream.cursor
    await ward.grant("P2", "nurse")
    await ward.raise_alert("missed", patient_id="P2")
    async with ward.stream("nurse", path=CAREGIVER_STREAM, last_event_id=cursor) as stream:
        assert (await stream.control("stream.opened"))["recovered"] is True
        await stream.control("stream.ready")
        assert {"before", "missed"} <= {event["condition"] for event in stream.alerts}
        assert stream.seqs == [3]


async def test_a_role_gained_while_the_stream_is_open_brings_its_open_alerts(ward: RunningServer) -> None:
    await ward.raise_alert("for-doctors", recipients=["doctor"])
    async with ward.stream("nurse", path=CAREGIVER_STREAM) as stream:
        await stream.control("stream.ready")
        assert stream.alerts == []
        me = (await ward.call("GET", "/api/v1/users/me", "nurse")).json()
        await ward.call("PATCH", f"/api/v1/users/{me['id']}", "admin", {"roles": ["nurse", "doctor"]})
        await stream.alert("alert", condition="for-doctors")
        await ward.raise_alert("also-for-doctors", recipients=["doctor"])
        await stream.alert("alert", condition="also-for-doctors")


async def test_a_stream_is_counted_under_the_role_that_it_has_now(ward: RunningServer) -> None:
    """Fails when it is taken from the count of the role that it ends with, and was added to another (checked so)."""
    async with ward.stream("nurse", path=CAREGIVER_STREAM) as stream:
        await stream.control("stream.ready")
        me = (await ward.call("GET", "/api/v1/users/me", "nurse")).json()
        await ward.call("PATCH", f"/api/v1/users/{me['id']}", "admin", {"roles": ["doctor"]})
        await until(lambda: _open_as(ward, "doctor") == 1)
        assert _open_as(ward, "nurse") == 0
    await until(lambda: ward.manager.open_count() == 0)
    assert (_open_as(ward, "doctor"), _open_as(ward, "nurse")) == (0, 0)


def _open_as(server: RunningServer, role: str) -> float:
    return metric(server, f'tocsin_streams_open{{role="{role}",transport="sse"}}')


async def test_streams_that_close_while_rights_are_asked_again_leave_nothing_in_the_index(ward: RunningServer) -> None:
    """The server's own check at the end of the test fails when a left subscription is put back by `reindex`."""
    async with contextlib.AsyncExitStack() as streams:
        for _ in range(30):
            stream = await streams.enter_async_context(ward.stream("nurse", path=CAREGIVER_STREAM))
            await stream.control("stream.ready")
        await ward.grant("P2", "nurse")


@directly_or_not
async def test_a_right_that_ends_cuts_off_a_client_that_takes_nothing(tmp_path: Path, *, direct: bool) -> None:
    """Its writer waits for the client, and would for a minute. Checked by leaving the cut out: it does."""
    async with serving(tmp_path, direct=direct, slow_consumer_seconds=60, subscriber_queue=5) as server:
        await nurse_and_admin(server)
        async with server.stream("nurse") as slow:
            await slow.control("stream.ready")
            slow.stop_reading()
            while metric(server, "tocsin_subscriber_queue_overflows_total") == 0:
                await server.raise_alert(f"c{len(slow.received)}-{time.monotonic_ns()}", context={"x": "x" * 30_000})
            await server.revoke("P1", "nurse")
            await until(lambda: server.manager.open_count() == 0, within_seconds=3)
            slow.read_again()


async def test_who_may_no_longer_listen_may_no_longer_acknowledge_on_an_open_socket(tmp_path: Path) -> None:
    """The client takes nothing, so that its socket stays open for a moment after its right has ended.

    Fails when `_receive` does not ask whether the subscription has ended (checked so).
    """
    async with serving(tmp_path, subscriber_queue=5, slow_consumer_seconds=60) as server:
        await nurse_and_admin(server)
        alert_id = (await server.raise_alert("c")).json()["alertId"]
        tiny = socket.socket()
        tiny.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        tiny.connect((httpx.URL(server.url).host, httpx.URL(server.url).port))
        tiny.setblocking(False)
        address = server.socket_address("/api/v1/alerts/ws", role="nurse", patient_id="P1", replay="none")
        async with connect(address, additional_headers=server.bearer("nurse"), sock=tiny, max_queue=1) as client:
            while metric(server, "tocsin_subscriber_queue_overflows_total") == 0:
                await server.raise_alert(f"c{time.monotonic_ns()}", context={"x": "x" * 30_000})
            await server.revoke("P1", "nurse")
            await until(lambda: server.manager.open_count() == 0)
            ack = json.dumps({"event": "ack", "alertId": alert_id, "patientId": "P1"})
            with contextlib.suppress(ConnectionClosed):
                await client.send(ack)
            await until(lambda: not any(_is_socket(c) for c in server.server.server_state.connections))
            client.transport.abort()
        alert = (await server.call("GET", f"/api/v1/alerts/{alert_id}", "admin")).json()
        assert alert["state"] == "active"


def _is_socket(connection: object) -> bool:
    return isinstance(connection, WebSocketsSansIOProtocol)
