"""What a client has missed: snapshot, cursor, escalation across a restart, and a server that is killed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.core.roles import Role
from app.modules.alerts.repository import PAGE_SIZE
from app.modules.alerts.service import AlertService
from tests.modules.alerts.steps import (
    STREAM,
    acknowledge,
    alert_socket,
    both_ways,
    nurse_and_admin,
    quick_rules,
)
from tests.modules.ward import SetClock
from tests.servers import RunningServer, code_of, server_process, serving, until
from tests.sse import EventStream

pytestmark = pytest.mark.anyio


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
