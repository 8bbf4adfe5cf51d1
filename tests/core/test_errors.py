from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from app.core.errors import (
    PROBLEM_JSON,
    AppError,
    InvalidField,
    ServiceUnavailable,
    field_path,
    install_error_handlers,
    problem_responses,
    validation_problem,
)
from app.core.wire import Id, WireInput


class BedTaken(AppError):
    status, code = 409, "bed_taken"


class BedUnknown(AppError):
    status, code = 404, "bed_unknown"


class BedBroken(AppError):
    status, code = 409, "bed_broken"


class Admission(WireInput):
    patient_id: str
    vitals_window: list[float] = Field(min_length=1)


def failing_app() -> FastAPI:
    """Routes that fail in each of the ways there are."""
    app = FastAPI()
    install_error_handlers(app)
    errors: dict[str, Exception] = {
        "taken": BedTaken("bed 7 is taken", extra={"takenBy": "p1"}, headers={"X-Bed": "7"}),
        "field": InvalidField("since", "must lie in the past"),
        "unavailable": ServiceUnavailable("not now", retry_after_seconds=5),
        "http": HTTPException(403, "not here", headers={"X-Why": "rules"}),
        "locked": OperationalError("UPDATE patients SET name = ?", None, Exception("database is locked")),
        "gone": InterfaceError("SELECT name FROM patients", None, Exception("connection is closed")),
        "unexpected": RuntimeError("patient p1 has no bed"),
    }

    @app.get("/fail/{how}")
    async def fail(how: str) -> None:
        raise errors[how]

    @app.post("/admissions")
    async def admit(admission: Admission, bed: Annotated[int, Query(ge=1)]) -> None:
        """Takes what can be."""

    @app.websocket("/early/{how}")
    async def fail_early(socket: WebSocket, how: str) -> None:
        raise errors[how]

    @app.websocket("/late/{how}")
    async def fail_late(socket: WebSocket, how: str) -> None:
        await socket.accept()
        raise errors[how]

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(failing_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ward") as client:
        yield client


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("body", "vitalsWindow", 2), "vitalsWindow[2]"),
        (("body", "readings", 3, "value"), "readings[3].value"),
        (("body", "grid", 1, 2), "grid[1][2]"),
        (("body", 0, "value"), "[0].value"),
        (("query", "patient_id"), "patient_id"),
        (("path", "alertId"), "alertId"),
        (("header", "last-event-id"), "last-event-id"),
        (("body",), "body"),
        (("query",), "query"),
        (("body", "body"), "body"),
        (("threshold", "min"), "threshold.min"),
        ((), "body"),
    ],
)
def test_a_field_is_named_as_a_person_writes_it(location: tuple[int | str, ...], path: str) -> None:
    assert field_path(location) == path


@pytest.mark.parametrize(
    ("how", "status", "title", "code", "detail"),
    [
        ("taken", 409, "Conflict", "bed_taken", "bed 7 is taken"),
        ("field", 422, "Unprocessable Entity", "validation_error", "since: must lie in the past"),
        ("unavailable", 503, "Service Unavailable", "service_unavailable", "not now"),
        ("http", 403, "Forbidden", "forbidden", "not here"),
    ],
)
async def test_every_error_is_answered_as_a_problem_document(
    how: str, status: int, title: str, code: str, detail: str, http: httpx.AsyncClient
) -> None:
    answer = await http.get(f"/fail/{how}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM_JSON
    expected = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    assert expected.items() <= answer.json().items()
    # Python 3.13 writes 422 as "Unprocessable Content", as RFC 9110 does.
    assert answer.json()["title"] in {title, title.replace("Entity", "Content")}


async def test_an_errors_own_members_and_headers_are_in_the_answer(http: httpx.AsyncClient) -> None:
    taken = await http.get("/fail/taken")
    assert (taken.json()["takenBy"], taken.headers["x-bed"]) == ("p1", "7")

    assert (await http.get("/fail/http")).headers["x-why"] == "rules"
    assert (await http.get("/fail/unavailable")).headers["retry-after"] == "5"
    field = await http.get("/fail/field")
    assert field.json()["errors"] == [{"field": "since", "message": "must lie in the past"}]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/admissions", 405)])
async def test_what_the_framework_refuses_is_a_problem_document_too(
    method: str, path: str, status: int, http: httpx.AsyncClient
) -> None:
    answer = await http.request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON)
    assert answer.json()["code"] == {404: "not_found", 405: "method_not_allowed"}[status]


@pytest.mark.parametrize(
    ("body", "query", "fields"),
    [
        ('{"patientId": "p1", "vitalsWindow": [1, "x"]}', "?bed=1", ["vitalsWindow[1]"]),
        ('{"patientId": "p1", "vitalsWindow": []}', "?bed=0", ["bed", "vitalsWindow"]),
        ('{"vitalsWindow": [1]}', "?bed=1", ["patientId"]),
        ('{"patientId": "p1", "vitalsWindow": [1], "patient": "p1"}', "?bed=1", ["patient"]),
        ('{"patientId": "p1", "vitalsWindow": [1]}', "", ["bed"]),
        ("[]", "?bed=1", ["body"]),
        ("", "?bed=1", ["body"]),
        ('{"patientId": ', "?bed=1", ["body"]),
    ],
    ids=["item", "two", "missing", "unknown", "query", "list", "nothing", "no JSON"],
)
async def test_a_validation_error_names_each_field(
    body: str, query: str, fields: list[str], http: httpx.AsyncClient
) -> None:
    answer = await http.post(f"/admissions{query}", content=body, headers={"content-type": "application/json"})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "validation_error")
    assert [error["field"] for error in problem["errors"]] == fields
    assert all(f"{error['field']}: {error['message']}" in problem["detail"] for error in problem["errors"])


def test_what_a_validator_of_ours_says_is_told_as_it_is() -> None:
    found = {"type": "value_error", "loc": ("query", "type"), "msg": "Value error, use one of spo2, pulse"}

    answer = json.loads(bytes(validation_problem(RequestValidationError([found])).body))

    assert answer["detail"] == "type: use one of spo2, pulse"


def test_an_id_that_cannot_be_is_told_in_words() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Id).validate_python("bed 3")

    answer = json.loads(bytes(validation_problem(RequestValidationError(refused.value.errors())).body))

    assert answer["errors"][0]["message"] == "use 1 to 64 letters, digits and . _ : -"


@pytest.mark.parametrize("how", ["locked", "gone"])
async def test_a_database_that_does_not_answer_is_503_and_in_the_log(how: str, http: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        answer = await http.get(f"/fail/{how}")

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert "retry-after" in answer.headers
    assert "patients" not in answer.text
    assert [line["event"] for line in logs] == ["database.failed"]


async def test_an_unexpected_error_tells_the_caller_nothing_of_its_inside(http: httpx.AsyncClient) -> None:
    """Fails when the text of the error is put into the answer (checked so)."""
    with capture_logs() as logs:
        answer = await http.get("/fail/unexpected")

    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM_JSON)
    assert answer.json()["code"] == "internal_error"
    assert "p1" not in answer.text
    assert [(line["event"], line["path"]) for line in logs] == [("request.failed", "/fail/unexpected")]


async def handshake(path: str) -> list[dict[str, Any]]:
    """Everything that the application sends to a WebSocket that connects to this path."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": path,
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await failing_app()(scope, receive, send)
    return sent


async def test_a_websocket_is_refused_with_the_problem_document_before_it_is_open() -> None:
    start, body = await handshake("/early/taken")

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 409)
    assert (b"content-type", PROBLEM_JSON.encode()) in start["headers"]
    assert json.loads(body["body"])["code"] == "bed_taken"


async def test_a_websocket_that_is_open_is_closed_as_a_violation() -> None:
    accepted, closed = await handshake("/late/taken")

    assert accepted["type"] == "websocket.accept"
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_the_interface_description_groups_errors_by_their_status() -> None:
    described = problem_responses(BedTaken, BedUnknown, BedBroken)

    assert {status: answer["description"] for status, answer in described.items()} == {
        409: "`bed_taken`, `bed_broken`",
        404: "`bed_unknown`",
    }
    assert all(set(answer["content"]) == {PROBLEM_JSON} for answer in described.values())
