"""Pure ASGI middleware: nothing here costs a task, or hides a disconnect from a stream."""

from __future__ import annotations

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import BodyTooLarge, problem_response
from app.core.metrics import Metrics

_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

#: How much of a refused body is read and thrown away, in multiples of the limit, and for how long.
_DRAINED_LIMITS = 16
_DRAIN_SECONDS = 5.0


class BodyLimit:
    """Refuses a request body above the limit, told or untold, before it is held in memory."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit_bytes:
                await self._refuse(scope, receive, send)
                return
        received = 0
        is_too_large = False

        async def receive_within_limit() -> Message:
            nonlocal received, is_too_large
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self._limit_bytes:
                    # To the application the client has gone; what it answers to that is not sent.
                    is_too_large = True
                    return {"type": "http.disconnect"}
            return message

        async def send_unless_refused(message: Message) -> None:
            if not is_too_large:
                await send(message)

        try:
            await self._app(scope, receive_within_limit, send_unless_refused)
        except ClientDisconnect:
            if not is_too_large:
                raise
        if is_too_large:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer once the rest has been read and thrown away, within bounds.

        A connection that is closed with unread bytes is reset, and the reset may overtake the answer.
        """
        left = _DRAINED_LIMITS * self._limit_bytes
        with anyio.move_on_after(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
        error = BodyTooLarge(self._limit_bytes)
        response = problem_response(error.status, error.code, error.detail, headers={"Connection": "close"})
        await response(scope, receive, send)


class ResponseHeaders:
    """Adds the security headers to every answer, and counts the refused ones by their status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_SECURITY_HEADERS]
                if message["status"] >= 400:
                    self._metrics.requests_refused.labels(code=str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, send_with_headers)
