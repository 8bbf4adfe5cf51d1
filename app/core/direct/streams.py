"""A streamed HTTP response that has its connection to itself."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Message, Receive, Send
from starlette.types import Scope as ASGIScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.core.direct.connection import Connection
from app.core.errors import problem_response
from app.core.limits import ConnectionLimits, LimitReached
from app.core.pace import RequestPace
from app.core.sinks import LINGER_SECONDS, Framing

EXTENSION = "tocsin.direct"


def as_chunk(body: bytes) -> bytes:
    """A chunk of a chunked HTTP/1.1 body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(body), body)


_LAST_CHUNK = b"0\r\n\r\n"


def take_over(scope: ASGIScope) -> DirectStream | None:
    """The connection of a streamed response whose head has been sent, if the server gives it away.

    From then on nothing may be sent the ASGI way, and the application is to return.
    """
    offered = scope.get("extensions", {}).get(EXTENSION)
    return None if offered is None else cast("DirectStream | None", offered())


class DirectStream(Connection, asyncio.Protocol):
    """A streamed response on its own: the transport's protocol in place of uvicorn's."""

    __slots__ = ("_connections", "_cut_off")

    def __init__(self, transport: asyncio.Transport, connections: set[Any]) -> None:
        super().__init__(transport)
        self._cut_off: asyncio.TimerHandle | None = None
        # uvicorn waits for those in its set when it stops, and counts them.
        self._connections = connections
        connections.add(self)
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=0)

    @property
    def framing(self) -> Framing:
        return as_chunk

    def end(self, last_words: bytes = b"") -> None:
        self.owner = None
        self._transport.write((as_chunk(last_words) if last_words else b"") + _LAST_CHUNK)
        self._transport.close()
        self._cut_off = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)

    # What the transport calls.

    def pause_writing(self) -> None:
        self.pause()

    def resume_writing(self) -> None:
        self.resume()

    def data_received(self, data: bytes) -> None:
        """A client has nothing more to say on this connection; what it says is not listened to."""

    def eof_received(self) -> None:
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._let_go()

    def shutdown(self) -> None:
        """uvicorn calls this when it stops; streams have had their last words by then."""
        self._transport.close()


async def _without_chunks(
    app: Any, cycle: RequestResponseCycle, scope: ASGIScope, receive: Receive, send: Send
) -> None:
    """Answer an HTTP/1.0 client, which does not know the chunks that uvicorn would send it (RFC 9112, 6.1).

    A body whose length is not told ends with the connection.
    """
    ends_with_connection = False

    async def send_whole(message: Message) -> None:
        nonlocal ends_with_connection
        if message["type"] == "http.response.start":
            message["headers"] = [header for header in message["headers"] if header[0].lower() != b"connection"]
            ends_with_connection = b"content-length" not in {name.lower() for name, _ in message["headers"]}
            if ends_with_connection:
                cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
        elif ends_with_connection and not message.get("more_body", False):
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    await app(scope, receive, send_whole)


class StreamingProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which gives a connection away where the application asks for it.

    Args:
        limits: a connection beyond them is answered with the reason when its first request is there,
            because a client that is closed while it sends may never see an answer.
    """

    def __init__(self, *args: Any, limits: ConnectionLimits, pace: RequestPace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._pace = pace
        self._refusal: LimitReached | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._refusal = self._limits.refuse_connection(len(self.connections))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        app = app if self._refusal is None else self._refuse
        if cycle.scope["http_version"] == "1.0":
            app = partial(_without_chunks, app, cycle)
        self._pace.start(partial(super()._start_asgi_task, cycle, app))

    def handle_websocket_upgrade(self) -> None:
        if self._refusal is None:
            super().handle_websocket_upgrade()
        else:
            # There is no task for it, nor will be: the answer is written as it is.
            answer = self._problem(self._refusal)
            headers = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
            self.transport.write(b"HTTP/1.1 503 Service Unavailable\r\n%b\r\n%b" % (headers, bytes(answer.body)))
            self.transport.close()

    async def _refuse(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        assert self._refusal is not None
        await self._problem(self._refusal)(scope, receive, send)

    @staticmethod
    def _problem(refusal: LimitReached) -> Response:
        headers = {**refusal.headers, "Connection": "close"}
        return problem_response(refusal.status, refusal.code, refusal.detail, headers=headers)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: self._give_away}

    def _give_away(self) -> DirectStream | None:
        cycle = self.cycle
        is_plain_tcp = self.scheme == "http" and self.transport.get_extra_info("socket") is not None
        is_streaming = cycle.response_started and not cycle.response_complete and cycle.chunked_encoding
        if not is_plain_tcp or not is_streaming or self.pipeline or cycle.disconnected or self.transport.is_closing():
            return None
        # To uvicorn the exchange is over: its task may end, and nothing more is written by it.
        cycle.response_complete = cycle.disconnected = True
        self.connections.discard(self)
        stream = DirectStream(self.transport, self.connections)
        # These refer to one another in circles, which only the garbage collector would find.
        for name in ("parser", "cycle", "scope", "headers", "transport", "flow"):
            setattr(self, name, None)
        return stream
