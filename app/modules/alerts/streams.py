"""Carries a subscription to a client: as an event stream, or over the legacy WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import msgspec
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.access import AccessChanges, Scope
from app.core.direct import as_chunk, borrow, take_over
from app.core.errors import POLICY_VIOLATION, AppError, InvalidField, field_path
from app.core.limits import ConnectionLimits
from app.core.security import Authenticator, Principal, TokenExpired
from app.core.sinks import LINGER_SECONDS, ASGISink, Sink, as_line, unframed
from app.core.websocket_frames import as_text_frame
from app.modules.alerts.encoding import ClosingReason, EventStreamEncoding, SocketEncoding, Wire
from app.modules.alerts.errors import Draining
from app.modules.alerts.lifecycle import EventType
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import AlertAckPayload, alert_document
from app.modules.alerts.service import AlertService
from app.modules.alerts.subscription import Start, Subscription

MOST_ERRORS_IN_A_ROW = 10

#: RFC 6455, 7.4.1, and the IANA registry of WebSocket close codes.
SERVICE_RESTART = 1012

EVENT_STREAM_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
    "Connection": "keep-alive",
}

FindScope = Callable[[Principal], Awaitable[Scope]]


class StreamRight:
    """The right behind an open stream, asked for again whenever the account's rights have changed."""

    __slots__ = ("_authenticator", "_caller", "_find_scope", "_subscription")

    def __init__(
        self, authenticator: Authenticator, caller: Principal, find_scope: FindScope, subscription: Subscription
    ) -> None:
        self._authenticator = authenticator
        self._caller = caller
        self._find_scope = find_scope
        self._subscription = subscription

    async def recheck(self) -> None:
        """Go on with what the caller may see now, or end the stream."""
        subscription = self._subscription
        try:
            scope_now = await self._find_scope(await self._authenticator.renew(self._caller))
        except TokenExpired:
            subscription.close(ClosingReason.TOKEN_EXPIRED)
        except AppError:
            subscription.close(ClosingReason.ACCESS_CHANGED)
        else:
            if scope_now != subscription.scope:
                subscription.rescope(scope_now)


class StreamOpener:
    """Opens streams whose rights are followed for as long as they are open."""

    def __init__(
        self,
        manager: AlertConnectionManager,
        access: AccessChanges,
        authenticator: Authenticator,
        limits: ConnectionLimits,
        *,
        retry_ms: int,
    ) -> None:
        self.manager = manager
        self._limits = limits
        self._access = access
        self._authenticator = authenticator
        event_stream, web_socket = EventStreamEncoding(retry_ms=retry_ms), SocketEncoding()
        wires = (
            Wire(event_stream, as_chunk),
            Wire(event_stream, unframed),
            Wire(web_socket, as_text_frame),
            Wire(web_socket, as_line),
        )
        self._wires = {(wire.transport, wire.framing): wire for wire in wires}

    def open(
        self, caller: Principal, scope: Scope, find_scope: FindScope, start: Start, sink: Sink, *, transport: str
    ) -> Subscription:
        """A subscription of this caller, which writes to the sink until it ends or the sink is left.

        Args:
            find_scope: asked again whenever the caller's rights have changed; what it answers is
                what the stream goes on with, and an `AppError` ends it.
        """
        subscription = self.manager.open(
            scope,
            start,
            sink=sink,
            wire=self._wires[transport, sink.framing],
            user_id=caller.user_id,
            expires_at=caller.expires_at,
        )
        right = StreamRight(self._authenticator, caller, find_scope, subscription)
        unwatch = self._access.watch(caller.user_id, right.recheck, since=caller.access_version)
        if subscription.is_open:
            subscription.on_end = unwatch
        else:
            unwatch()
        return subscription

    def admit(self, caller: Principal) -> None:
        """
        Raises:
            Draining: this server takes no new streams.
            LimitReached: it, or the caller, has as many as there may be.
        """
        if self.manager.is_draining:
            raise Draining
        self._limits.require_room_for_stream(
            open_streams=self.manager.open_count(), of_this_user=self.manager.streams_of(caller.user_id)
        )


class AlertEventStream(Response):
    """The SSE transport: opened, snapshot or replay, ready, then live events and keepalives."""

    media_type = "text/event-stream"

    def __init__(
        self, opener: StreamOpener, caller: Principal, scope: Scope, find_scope: FindScope, start: Start
    ) -> None:
        super().__init__(headers=EVENT_STREAM_HEADERS)
        del self.headers["content-length"]
        self._open = partial(opener.open, caller, scope, find_scope, start, transport=EventStreamEncoding.transport)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        connection = take_over(scope)
        if connection is not None:
            # The connection carries the stream from here on; nothing of this request stays alive for it.
            self._open(connection)
            return

        async def deliver(chunk: bytes) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        sink = ASGISink(deliver)
        subscription = self._open(sink)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
                await sink.run()
                if not sink.is_cut_off:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                tasks.cancel_scope.cancel()
        finally:
            subscription.left()


async def _cancel_on_disconnect(receive: Receive, cancel_scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel_scope.cancel()


class ASGISocketSink(ASGISink):
    """A sink whose server makes a frame of each message, so that messages are handed to it one by one."""

    framing = staticmethod(as_line)


class AlertSocket:
    """The legacy WebSocket: the same events as text frames, and acknowledgements the other way."""

    def __init__(self, websocket: WebSocket, alerts: AlertService, caller: Principal) -> None:
        self._websocket = websocket
        self._alerts = alerts
        self._caller = caller

    async def run(self, open_with: Callable[[Sink], Subscription]) -> None:
        """Carry events and acknowledgements until one side ends it."""
        sink = borrow(self._websocket.scope) or ASGISocketSink(self._deliver)
        subscription = open_with(sink)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._receive, subscription, tasks.cancel_scope)
                with suppress(WebSocketDisconnect):
                    await sink.run()
                    await self._close(subscription)
                tasks.cancel_scope.cancel()
        finally:
            subscription.left()

    async def _deliver(self, texts: bytes) -> None:
        for text in texts.splitlines():
            await self._websocket.send_text(text.decode())

    async def _close(self, subscription: Subscription) -> None:
        """Say why, to a client that still takes something; one that takes nothing is cut off."""
        if subscription.closing is not None:
            code = SERVICE_RESTART if subscription.closing is ClosingReason.DRAINING else POLICY_VIOLATION
            with anyio.move_on_after(LINGER_SECONDS):
                await self._websocket.close(code, subscription.closing)
                return
        subscription.sink.abort()

    async def _receive(self, subscription: Subscription, cancel_scope: anyio.CancelScope) -> None:
        errors_in_a_row = 0
        try:
            while errors_in_a_row < MOST_ERRORS_IN_A_ROW:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect" or subscription.has_ended():
                    break
                try:
                    await self._acknowledge(message.get("text"), subscription.scope)
                    errors_in_a_row = 0
                except AppError as error:
                    # A refusal (somebody else was first) is an answer, and no sign of a broken client.
                    errors_in_a_row += isinstance(error, InvalidField)
                    await self._send_json({"event": "error", "code": error.code, "detail": error.detail, **error.extra})
            else:
                await self._websocket.close(POLICY_VIOLATION, "too many errors in a row")
        except WebSocketDisconnect:
            pass
        if subscription.is_open:
            cancel_scope.cancel()

    async def _acknowledge(self, text: str | None, scope: Scope) -> None:
        if text is None:
            raise InvalidField("body", "send an acknowledgement as a text frame; binary frames are not understood")
        try:
            ack = AlertAckPayload.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidField(field_path(first["loc"]), first["msg"]) from None
        transition = await self._alerts.acknowledge(
            self._caller, ack.alert_id, ack.patient_id, status=ack.status, note=ack.note, scope=scope
        )
        if not transition.events:
            # A repetition writes no event, so this sender alone is told that it holds.
            await self._send_json({"event": EventType.ACKNOWLEDGED, **alert_document(transition.alert)})

    async def _send_json(self, document: dict[str, Any]) -> None:
        await self._websocket.send_text(msgspec.json.encode(document).decode())
