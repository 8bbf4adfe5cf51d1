"""Errors as RFC 9457 problem details: one class per business case, each with its status and code."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketState

PROBLEM_JSON = "application/problem+json"
POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1

#: Where the interface description keeps its schemas.
SCHEMAS = "#/components/schemas/"

#: What the patterns of ids are made of; not everybody reads patterns.
_ID_CHARACTERS = "[A-Za-z0-9._:-]"

_log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """A value that cannot be, and what would be right."""

    field: str
    message: str


class Problem(BaseModel):
    """How every error is answered (RFC 9457). `code` is a stable word for programs."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = None


class AppError(Exception):
    """Something that the caller did, asked for or met, and is told of.

    Attributes:
        status: the HTTP status it is answered with.
        code: the stable word that clients may rely on.
        extra: further members of the problem document.
        headers: further headers of the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self, detail: str, *, extra: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra or {}
        self.headers = headers or {}


class InvalidField(AppError):
    """A value that cannot be: names the field and what would be right."""

    status, code = 422, "validation_error"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}", extra={"errors": [{"field": field, "message": message}]})
        self.field = field
        self.message = message


class BodyTooLarge(AppError):
    status, code = 413, "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than the {limit_bytes} bytes that are accepted")


class ServiceUnavailable(AppError):
    status, code = 503, "service_unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


def problem_response(
    status: int, code: str, detail: str, *, extra: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The answer that tells an error."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type=PROBLEM_JSON)


def problem_responses(*kinds: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these errors: grouped by status, with their codes."""
    by_status: dict[int, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind.code)
    return {
        status: {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": problem_content(),
        }
        for status, codes in by_status.items()
    }


def problem_content() -> dict[str, Any]:
    """What OpenAPI says of the body of an error."""
    return {PROBLEM_JSON: {"schema": {"$ref": SCHEMAS + Problem.__name__}}}


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of the application as a problem document."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(WebSocketRequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(OperationalError, _on_database_error)
    app.add_exception_handler(InterfaceError, _on_database_error)
    app.add_exception_handler(Exception, _on_unexpected_error)


def validation_problem(error: RequestValidationError | WebSocketRequestValidationError) -> JSONResponse:
    """The answer that names each field that cannot be, and says what would be right."""
    errors = [_field_problem(item) for item in error.errors()]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return problem_response(422, "validation_error", detail, extra={"errors": errors})


def _field_problem(item: dict[str, Any]) -> dict[str, str]:
    if item["type"] == "json_invalid":
        # Its location is the number of a character, and not that of an item.
        return {"field": "body", "message": f"not JSON: {item['ctx']['error']}"}
    if item["type"] == "string_pattern_mismatch" and _ID_CHARACTERS in item["ctx"]["pattern"]:
        return {"field": field_path(item["loc"]), "message": "use 1 to 64 letters, digits and . _ : -"}
    return {"field": field_path(item["loc"]), "message": str(item["msg"]).removeprefix("Value error, ")}


def field_path(location: tuple[int | str, ...]) -> str:
    """`("body", "vitalsWindow", 2)` as a person writes it: `vitalsWindow[2]`."""
    parts = location[1:] if len(location) > 1 and location[0] in {"body", "query", "path", "header"} else location
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else part)
    return path or "body"


async def _on_app_error(connection: Any, error: Exception) -> Any:
    assert isinstance(error, AppError)
    return await _answer(
        connection, problem_response(error.status, error.code, error.detail, extra=error.extra, headers=error.headers)
    )


async def _on_validation_error(connection: Any, error: Exception) -> Any:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    return await _answer(connection, validation_problem(error))


async def _on_http_exception(connection: Any, error: Exception) -> Any:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    headers = dict(error.headers) if error.headers else None
    return await _answer(connection, problem_response(error.status_code, code, str(error.detail), headers=headers))


async def _on_database_error(connection: Any, error: Exception) -> Any:
    _log.error("database.failed", exc_info=error)
    unavailable = ServiceUnavailable("the database does not answer; nothing was half done, so try again")
    return await _on_app_error(connection, unavailable)


async def _on_unexpected_error(request: Request, error: Exception) -> Response:
    _log.error("request.failed", path=request.url.path, exc_info=error)
    return problem_response(500, "internal_error", "the server met an error that it did not expect; it is in its log")


async def _answer(connection: HTTPConnection, response: JSONResponse) -> Response | None:
    """Answer on HTTP, on a WebSocket handshake, or on a WebSocket that is open already.

    What is returned is still to be sent: nothing, where a WebSocket has been answered here.
    """
    if not isinstance(connection, WebSocket):
        return response
    if connection.application_state == WebSocketState.CONNECTING:
        await connection.send_denial_response(response)
    elif connection.application_state == WebSocketState.CONNECTED:
        await connection.close(POLICY_VIOLATION)
    return None
