"""Carries a subscription to a client: as an event stream, or over the legacy WebSocket."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import msgspec
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.access import AccessChanges, Scope
from app.core.config import Settings
from app.core.errors import POLICY_VIOLATION, AppError, InvalidField, field_path
from app.core.security import Authenticator, Principal, TokenExpired
from app.core.sse import encode_event, encode_keepalive
from app.modules.alerts.errors import Draining
from app.modules.alerts.lifecycle import EventType
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.schemas import AlertAckPayload, alert_document
from app.modules.alerts.service import AlertService
from app.modules.alerts.subscription import (
    Closing,
    ClosingReason,
    Entries,
    Keepalive,
    Message,
    Opened,
    Ready,
    Scoped,
    Snapshot,
    Start,
    Subscription,
)

SSE = "sse"
WEBSOCKET = "websocket"

MOST_ERRORS_IN_A_ROW = 10

#: A stream whose right is over gets so long to say so, before it is cut off.
LAST_WORDS_SECONDS = 0.5

#: RFC 6455, 7.4.1, and the IANA registry of WebSocket close codes.
SERVICE_RESTART = 1012

EVENT_STREAM_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
    "Connection": "keep-alive",
}

FindScope = Callable[[Principal], Awaitable[Scope]]


@dataclass(frozen=True, slots=True)
class StreamOpener:
    """Opens subscriptions whose rights are followed for as long as they are open."""

    manager: AlertConnectionManager
    access: AccessChanges
    authenticator: Authenticator
    settings: Settings

    @contextmanager
    def open(
        self, caller: Principal, scope: Scope, find_scope: FindScope, start: Start, *, transport: str
    ) -> Iterator[Subscription]:
        """A subscription of this caller.

        Args:
            find_scope: asked again whenever the caller's rights have changed; what it answers is
                what the stream goes on with, and an `AppError` ends it.
        """
        with self.manager.subscribe(scope, start, transport=transport, expires_at=caller.expires_at) as subscription:

            async def recheck() -> None:
                try:
                    scope_now = await find_scope(await self.authenticator.renew(caller))
                except TokenExpired:
                    subscription.close(ClosingReason.TOKEN_EXPIRED)
                except AppError:
                    subscription.close(ClosingReason.ACCESS_CHANGED)
                else:
                    if scope_now != subscription.scope:
                        subscription.rescope(scope_now)

            unwatch = self.access.watch(caller.user_id, recheck, since=caller.access_version)
            try:
                yield subscription
            finally:
                unwatch()

    def require_not_draining(self) -> None:
        """
        Raises:
            Draining: this server takes no new streams.
        """
        if self.manager.is_draining:
            raise Draining

    def retry_ms(self) -> int:
        """When a client should come back: spread by half around the setting, so that they do not come at once."""
        return round(self.settings.retry_ms * random.uniform(0.5, 1.5))


class AlertEventStream(Response):
    """The SSE transport: opened, snapshot or replay, ready, then live events and keepalives."""

    media_type = "text/event-stream"

    def __init__(
        self, opener: StreamOpener, caller: Principal, scope: Scope, find_scope: FindScope, start: Start
    ) -> None:
        super().__init__(headers=EVENT_STREAM_HEADERS)
        del self.headers["content-length"]
        self._opener = opener
        self._subscribed = opener.open(caller, scope, find_scope, start, transport=SSE)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with self._subscribed as subscription:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
                tasks.start_soon(_cancel_after_end, subscription, tasks.cancel_scope)
                await self._write(subscription, send)
                tasks.cancel_scope.cancel()

    async def _write(self, subscription: Subscription, send: Send) -> None:
        delivered = self._opener.manager.metrics.events_delivered.labels(transport=SSE)
        async with aclosing(subscription.messages()) as messages:
            async for message in messages:
                body = _to_sse(message, self._opener.retry_ms())
                try:
                    with anyio.fail_after(self._opener.settings.slow_consumer_seconds):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                except TimeoutError:
                    subscription.close(ClosingReason.SLOW_CONSUMER)
                    return
                if isinstance(message, Snapshot | Entries):
                    delivered.inc(len(message.entries))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_on_disconnect(receive: Receive, cancel_scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel_scope.cancel()


async def _cancel_after_end(subscription: Subscription, cancel_scope: anyio.CancelScope) -> None:
    """A right that is over ends the stream also while a client that takes nothing holds its writer up."""
    await subscription.ended()
    await anyio.sleep(LAST_WORDS_SECONDS)
    cancel_scope.cancel()


def _to_sse(message: Message, retry_ms: int) -> bytes:
    match message:
        case Entries(entries):
            return b"".join([entry.sse for entry in entries])
        case Snapshot(entries):
            return b"".join([encode_event(entry.payload) for entry in entries])
        case Opened(cursor, recovered, reason):
            data: dict[str, Any] = {"epoch": cursor.epoch, "cursor": str(cursor), "recovered": recovered}
            if reason is not None:
                data["reason"] = reason
            return encode_event(msgspec.json.encode(data), event="stream.opened", retry_ms=retry_ms)
        case Ready(cursor, sent):
            data = {"cursor": str(cursor), "sent": sent}
            return encode_event(msgspec.json.encode(data), event="stream.ready", event_id=str(cursor))
        case Scoped(patient_ids):
            data = {"patientIds": sorted(patient_ids)}
            return encode_event(msgspec.json.encode(data), event="stream.scope")
        case Keepalive(cursor):
            return encode_keepalive(str(cursor))
        case Closing(reason):
            data = {"reason": reason, "retryMs": retry_ms}
            return encode_event(msgspec.json.encode(data), event="stream.closing", retry_ms=retry_ms)


class AlertSocket:
    """The legacy WebSocket: the same events as text frames, and acknowledgements the other way."""

    def __init__(
        self, websocket: WebSocket, alerts: AlertService, caller: Principal, subscription: Subscription
    ) -> None:
        self._websocket = websocket
        self._alerts = alerts
        self._caller = caller
        self._subscription = subscription

    async def run(self, *, slow_consumer_seconds: float, delivered: Callable[[int], None]) -> None:
        """Carry events and acknowledgements until one side ends it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._receive, tasks.cancel_scope)
            tasks.start_soon(_cancel_after_end, self._subscription, tasks.cancel_scope)
            try:
                await self._send(slow_consumer_seconds, delivered)
            except TimeoutError:
                self._subscription.close(ClosingReason.SLOW_CONSUMER)
            except WebSocketDisconnect:
                pass
            tasks.cancel_scope.cancel()

    async def _send(self, slow_consumer_seconds: float, delivered: Callable[[int], None]) -> None:
        async with aclosing(self._subscription.messages()) as messages:
            async for message in messages:
                if isinstance(message, Snapshot | Entries):
                    for entry in message.entries:
                        with anyio.fail_after(slow_consumer_seconds):
                            await self._websocket.send_text(entry.text)
                    delivered(len(message.entries))
                elif isinstance(message, Closing):
                    code = SERVICE_RESTART if message.reason is ClosingReason.DRAINING else POLICY_VIOLATION
                    await self._websocket.close(code, message.reason)

    async def _receive(self, cancel_scope: anyio.CancelScope) -> None:
        errors_in_a_row = 0
        try:
            while errors_in_a_row < MOST_ERRORS_IN_A_ROW:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect" or self._subscription.has_ended():
                    break
                try:
                    await self._acknowledge(message.get("text"))
                    errors_in_a_row = 0
                except AppError as error:
                    # A refusal (somebody else was first) is an answer, and no sign of a broken client.
                    errors_in_a_row += isinstance(error, InvalidField)
                    await self._send_json({"event": "error", "code": error.code, "detail": error.detail, **error.extra})
            else:
                await self._websocket.close(POLICY_VIOLATION, "too many errors in a row")
        except WebSocketDisconnect:
            pass
        cancel_scope.cancel()

    async def _acknowledge(self, text: str | None) -> None:
        if text is None:
            raise InvalidField("body", "send an acknowledgement as a text frame; binary frames are not understood")
        try:
            ack = AlertAckPayload.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidField(field_path(first["loc"]), first["msg"]) from None
        transition = await self._alerts.acknowledge(
            self._caller, ack.alert_id, ack.patient_id, status=ack.status, note=ack.note, scope=self._subscription.scope
        )
        if not transition.events:
            # A repetition writes no event, so this sender alone is told that it holds.
            await self._send_json({"event": EventType.ACKNOWLEDGED, **alert_document(transition.alert)})

    async def _send_json(self, document: dict[str, Any]) -> None:
        await self._websocket.send_text(msgspec.json.encode(document).decode())
