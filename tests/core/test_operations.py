"""What an operator and a client's author ask of a running server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from app.core.db import Database
from app.core.errors import Problem
from app.core.operations import ReadinessChecks
from app.core.roles import Role
from tests.modules.ward import SetClock
from tests.servers import RunningServer, code_of, serving, until

pytestmark = pytest.mark.anyio

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
STREAMS = ("/api/v1/alerts/stream", "/api/v1/caregivers/alerts/stream")
OPEN_TO_ALL = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("post", "/api/v1/login/access-token"),
    ("post", "/api/v1/login/cookie"),
    ("post", "/api/v1/refresh-token"),
}


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with a ward whose people and ids are not to be mistaken for anything else."""
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nightingale", Role.NURSE, password="correct horse battery")
        await server.user("rosa-lind", Role.PATIENT, patient_of="patient-4711")
        await server.grant("patient-4711", "nightingale")
        yield server


# --- alive and ready ------------------------------------------------------------------------------


async def test_a_server_in_order_is_alive_and_ready(ward: RunningServer) -> None:
    alive, ready = await ward.http.get("/healthz"), await ward.http.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ok",
        "checks": dict.fromkeys(("database", "bus", "escalation", "silence", "streams"), "ok"),
    }


async def test_a_server_says_that_it_is_the_demo_and_others_say_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, env="demo") as demo:
        assert (await demo.http.get("/healthz")).json() == {"status": "ok", "demo": True}


async def test_a_database_without_our_tables_turns_readiness_red_until_it_has_them(ward: RunningServer) -> None:
    """Fails when the check asks for no table (checked so with `SELECT 1`)."""
    db = ward.services.get(Database)
    async with db.write() as session:
        await session.execute(sa.text("ALTER TABLE alembic_version RENAME TO elsewhere"))
    alive, ready = await ward.http.get("/healthz"), await ward.http.get("/readyz")
    async with db.write() as session:
        await session.execute(sa.text("ALTER TABLE elsewhere RENAME TO alembic_version"))

    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert ready.json()["checks"].pop("database") == "no answer (OperationalError)"
    assert (await ward.http.get("/readyz")).status_code == 200


async def test_an_escalation_worker_that_is_stuck_turns_readiness_red_until_it_goes_on(tmp_path: Path) -> None:
    """It is stuck behind a transaction that does not end. Fails when rounds are not dated (checked so)."""
    clock = SetClock()
    async with serving(tmp_path, clock=clock) as server:
        await server.user("admin", Role.ADMIN)
        await server.patient("P1")
        raised = await server.raise_alert("left-alone")
        assert raised.json()["nextEscalationAt"] is not None
        async with server.services.get(Database).write():
            clock.advance(timedelta(minutes=30))
            stuck = await server.http.get("/readyz")
        assert (stuck.status_code, stuck.json()["checks"]["escalation"]) == (
            503,
            "the worker has not finished a round lately",
        )
        checks = server.services.get(ReadinessChecks)
        await until(lambda: checks.escalation() and checks.silence())
        assert (await server.http.get("/readyz")).status_code == 200


async def test_a_node_that_cannot_notice_silence_is_not_ready_until_it_can(tmp_path: Path) -> None:
    clock = SetClock()
    async with serving(tmp_path, clock=clock) as server:
        checks, db = server.services.get(ReadinessChecks), server.services.get(Database)
        await until(checks.silence)
        async with db.write() as session:
            await session.execute(sa.text("ALTER TABLE device_presence RENAME TO elsewhere"))
        clock.advance(timedelta(seconds=15))
        await until(checks.escalation)
        stuck = await server.http.get("/readyz")
        async with db.write() as session:
            await session.execute(sa.text("ALTER TABLE elsewhere RENAME TO device_presence"))
        words = "the worker has not finished a round lately"
        assert (stuck.status_code, stuck.json()["checks"]["silence"]) == (503, words)
        assert [name for name, said in stuck.json()["checks"].items() if said != "ok"] == ["silence"]
        await until(checks.silence)
        assert (await server.http.get("/readyz")).status_code == 200


async def test_a_server_that_is_about_to_stop_wants_no_more_traffic(ward: RunningServer) -> None:
    await ward.manager.drain(0)
    ready = await ward.http.get("/readyz")

    assert (ready.status_code, ready.json()["checks"]["streams"]) == (503, "draining")
    assert (await ward.http.get("/healthz")).status_code == 200


async def test_each_check_turns_red_by_itself_and_says_what_is_wrong() -> None:
    async def answers() -> None:
        pass

    async def refuses() -> None:
        raise ConnectionRefusedError

    def yes() -> bool:
        return True

    def no() -> bool:
        return False

    red = {
        "database": (ReadinessChecks(refuses, yes, yes, yes, yes), "no answer (ConnectionRefused"),
        "bus": (ReadinessChecks(answers, no, yes, yes, yes), "not connected"),
        "escalation": (ReadinessChecks(answers, yes, no, yes, yes), "the worker has not"),
        "silence": (ReadinessChecks(answers, yes, yes, no, yes), "the worker has not"),
        "streams": (ReadinessChecks(answers, yes, yes, yes, no), "draining"),
    }
    for name, (checks, words) in red.items():
        results = await checks.run()
        assert results.pop(name).startswith(words)
        assert set(results.values()) == {"ok"}


# --- metrics --------------------------------------------------------------------------------------


async def test_metrics_are_prometheus_text_in_which_nobody_is_named(ward: RunningServer) -> None:
    """Fails when a label is given the id of a patient, or of the user (both checked so)."""
    nobody_may_read = {*ward.tokens.values(), "patient-4711", "nightingale", "rosa"}
    for name in ("admin", "nightingale", "rosa-lind"):
        nobody_may_read.add((await ward.call("GET", "/api/v1/users/me", name)).json()["id"])
    nobody_may_read.add(await _a_day_on_the_ward(ward))

    response = await ward.http.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}

    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    samples = [sample for family in families.values() for sample in family.samples]
    counted = {sample.name: sample.value for sample in samples if not sample.name.endswith("_created")}
    for name in (
        "tocsin_alert_events_total", "tocsin_streams_opened_total", "tocsin_streams_closed_total",
        "tocsin_events_delivered_total", "tocsin_vitals_readings_total", "tocsin_requests_refused_total",
        "tocsin_sign_ins_total", "tocsin_raise_to_acknowledge_seconds_count", "tocsin_alert_log_head",
    ):  # fmt: skip
        assert counted[name] >= 1, name
    labels = {(name, value) for sample in samples for name, value in sample.labels.items()}
    assert {name for name, _ in labels} <= {
        "transport", "role", "start", "reason", "event", "tier", "step", "type", "code", "result", "worker", "what",
        "le",
    }  # fmt: skip
    assert not [(name, value) for name, value in labels for word in nobody_may_read if word in value]
    assert not [word for word in nobody_may_read if word in response.text]


async def _a_day_on_the_ward(ward: RunningServer) -> str:
    """Everything that is counted happens once; gives the id of the alert."""
    for password in ("correct horse battery", "wrong"):
        credentials = {"username": "nightingale@example.org", "password": password}
        await ward.http.post("/api/v1/login/access-token", data=credentials)
    reading = {"type": "heart_rate", "value": 72, "unit": "/min", "timestamp": "2026-01-02T03:04:05Z"}
    assert (await ward.call("POST", "/api/v1/vitals", "rosa-lind", reading)).status_code == 201
    for wrong in ({"type": "patient-4711"}, {"patientId": "nightingale"}):
        assert (await ward.call("POST", "/api/v1/vitals", "rosa-lind", reading | wrong)).status_code >= 400
    async with ward.stream("nightingale", patient_id="patient-4711") as stream:
        await stream.control("stream.ready")
        raised = (await ward.raise_alert("patient-4711", patient_id="patient-4711")).json()
        await stream.alert("alert")
    address = f"/api/v1/alerts/alerts/{raised['alertId']}/acknowledge"
    assert (await ward.call("POST", address, "nightingale", {"note": "for rosa"})).status_code == 200
    await ward.call("GET", "/api/v1/alerts/patient-4711", "nightingale")
    await ward.call("GET", "/patient-4711")
    await until(lambda: ward.manager.open_count() == 0)
    alert_id: str = raised["alertId"]
    return alert_id


# --- the interface description --------------------------------------------------------------------


async def test_the_description_is_whole_and_says_how_to_sign_in(ward: RunningServer) -> None:
    document = (await ward.http.get("/openapi.json")).json()

    assert document["openapi"].startswith("3.1.")
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
    operations = _operations(document)
    assert all(operation["summary"] and operation["tags"] for operation in operations.values())
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)

    schemes = document["components"]["securitySchemes"]
    assert (schemes["cookie"]["in"], schemes["cookie"]["name"]) == ("cookie", "access_token")
    sign_in_url = schemes["bearer"]["flows"]["password"]["tokenUrl"]
    credentials = {"username": "nightingale@example.org", "password": "correct horse battery"}
    assert (await ward.http.post(sign_in_url, data=credentials)).json()["token_type"] == "bearer"


async def test_every_door_is_described_with_both_keys_and_opens_to_nobody_without(ward: RunningServer) -> None:
    """Fails when a route takes no `Caller`, or the description of one of the keys is gone (both checked so)."""
    both: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
    for (method, path), operation in _operations((await ward.http.get("/openapi.json")).json()).items():
        security = operation.get("security", [])
        if (method, path) in OPEN_TO_ALL:
            assert security == []
        elif path == "/api/v1/logout":
            assert security == [*both, {}]
        else:
            assert security == both, (method, path)
            assert {"401", "403" if method != "get" else "401"} <= set(operation["responses"])
            refused = await ward.call(method.upper(), path.replace("{", "").replace("}", ""))
            assert code_of(refused) == (401, "not_signed_in"), (method, path)


async def test_every_error_is_described_as_the_problem_document_that_is_sent(ward: RunningServer) -> None:
    """Fails when the framework's own description of errors of validation is left in (checked so)."""
    document = (await ward.http.get("/openapi.json")).json()
    for (method, path), operation in _operations(document).items():
        errors = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}
        assert "default" in errors
        if "parameters" in operation or "requestBody" in operation:
            assert errors["422"]["description"] == "`validation_error`"
        if path == "/readyz":
            del errors["503"]
        assert all(answer["content"] == PROBLEM for answer in errors.values()), (method, path)

    nurse = (await ward.call("GET", "/api/v1/users/me", "nightingale")).json()["id"]
    account = {"email": "admin@example.org", "roles": []}
    raised = (await ward.raise_alert(patient_id="patient-4711")).json()["alertId"]
    acknowledge = "/api/v1/alerts/alerts/{alert_id}/acknowledge"
    await ward.call("POST", acknowledge.format(alert_id=raised), "nightingale")
    expired = {"Authorization": f"Bearer {await ward.token('admin', timedelta(seconds=-1))}"}
    by_cookie = {"Cookie": f"access_token={ward.tokens['admin']}"}
    for path, answer in (
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", None, account)),
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", None, account, headers=expired)),
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", None, account, headers=by_cookie)),
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", "nightingale", account)),
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", "admin", account)),
        ("/api/v1/users", await ward.call("POST", "/api/v1/users", "admin", {})),
        ("/api/v1/patients", await ward.call("POST", "/api/v1/patients", "admin", {"id": "x", "userId": "nobody"})),
        ("/api/v1/patients", await ward.call("POST", "/api/v1/patients", "admin", {"id": "patient-4711"})),
        (
            "/api/v1/patients/{patientId}/care-team/{userId}",
            await ward.call("PUT", f"/api/v1/patients/nobody/care-team/{nurse}", "admin"),
        ),
        (acknowledge, await ward.call("POST", acknowledge.format(alert_id=raised), "admin")),
        (acknowledge, await ward.call("POST", acknowledge.format(alert_id="no-such"), "admin")),
        (STREAMS[0], await ward.call("GET", STREAMS[0] + "?role=nurse", "nightingale")),
        (STREAMS[0], await ward.call("GET", STREAMS[0] + "?role=nurse&patient_id=*", "nightingale")),
        (STREAMS[0], await ward.call("GET", STREAMS[0] + "?role=admin&patient_id=nobody", "admin")),
    ):
        problem = Problem.model_validate(answer.json())
        described = document["paths"][path][answer.request.method.lower()]["responses"][str(answer.status_code)]
        assert f"`{problem.code}`" in described["description"], (path, problem)


async def test_the_event_streams_are_described_message_by_message(ward: RunningServer) -> None:
    document = (await ward.http.get("/openapi.json")).json()
    by_patient, by_care_team = (document["paths"][path]["get"] for path in STREAMS)
    for operation in (by_patient, by_care_team):
        assert {"Last-Event-ID", "last_event_id", "replay"} <= {p["name"] for p in operation["parameters"]}
        assert set(operation["responses"]["200"]["content"]) == {"text/event-stream"}
    described = {
        message["properties"].get("event", {}).get("const"): message["properties"]
        for message in by_patient["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]["anyOf"]
    }
    async with ward.stream("nightingale", patient_id="patient-4711") as stream:
        await stream.control("stream.ready")
        await ward.raise_alert(patient_id="patient-4711")
        await stream.alert("alert")
        await ward.manager.drain(0)
        await stream.end()

    events = ["stream.opened", "stream.scope", "stream.ready", None, "stream.closing"]
    assert [message.event for message in stream.received] == events
    for message in stream.received:
        properties = described[message.event]
        sent = {name for name in ("id", "event", "retry", "data") if getattr(message, name) is not None}
        assert sent == set(properties)
        data = properties["data"]["contentSchema"]
        data = document["components"]["schemas"][data["$ref"].rpartition("/")[2]] if "$ref" in data else data
        assert set(data["required"]) <= set(message.json) <= set(data["properties"])


def _operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


async def test_the_page_that_describes_the_interface_asks_nothing_of_other_hosts(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        page = await server.http.get("/docs")
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert addresses, "the page loads something"
        for address in addresses:
            assert address.startswith("/"), address
            assert (await server.http.get(address)).status_code == 200, address
