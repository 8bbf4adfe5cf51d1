"""Writing to the connection itself under uvicorn.

ASGI costs a task per open response, and an awaited call per message. Where many clients get the same
bytes, that is most of what delivery costs. So uvicorn's protocols are extended here, in this one place:

* A streamed HTTP response may be taken over. Its head is sent the ASGI way; then the transport gets a
  protocol of ours, the request's task ends, and all that HTTP kept for it is let go.
* A WebSocket lends its transport. It stays uvicorn's in everything else.

Both are offered in the ASGI scope under `extensions`, and where they are not (another server, HTTP/1.0,
TLS, a test's transport) there is `ASGISink` instead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Send
from starlette.types import Scope as ASGIScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.core.errors import problem_response
from app.core.limits import ConnectionLimits, LimitReached
from app.core.pace import RequestPace
from app.core.sinks import LINGER_SECONDS, Framing, SinkOwner

EXTENSION = "tocsin.direct"

#: Linux's option (tcp(7)); elsewhere there is none.
_USER_TIMEOUT: int = getattr(socket, "TCP_USER_TIMEOUT", 0)

#: What is relied on below, as those names that the functions of uvicorn mention.
_RELIED_ON = (
    (HttpToolsProtocol.__init__, {"connections", "transport", "flow", "pipeline", "cycle", "parser"}),
    (HttpToolsProtocol.on_message_begin, {"scope"}),
    (HttpToolsProtocol.on_headers_complete, {"_start_asgi_task"}),
    (HttpToolsProtocol.data_received, {"handle_websocket_upgrade"}),
    (RequestResponseCycle.__init__, {"disconnected", "response_started", "response_complete"}),
    (RequestResponseCycle.send, {"chunked_encoding", "expected_content_length"}),
    (WebSocketsSansIOProtocol.__init__, {"transport", "conn"}),
    (WebSocketsSansIOProtocol.handle_connect, {"scope"}),
)

#: Closing with this option discards what was not sent, so that nothing of a dead peer stays in the kernel.
_DISCARD_ON_CLOSE = struct.pack("ii", 1, 0)

_log = structlog.get_logger(__name__)


def as_chunk(body: bytes) -> bytes:
    """A chunk of a chunked HTTP/1.1 body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(body), body)


_LAST_CHUNK = b"0\r\n\r\n"


def as_text_frame(text: bytes) -> bytes:
    """A whole text message from a server: one frame, final and not masked (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81" + bytes((size,)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + text
    return b"\x81\x7f" + size.to_bytes(8) + text


def take_over(scope: ASGIScope) -> DirectStream | None:
    """The connection of a streamed response whose head has been sent, if the server gives it away.

    From then on nothing may be sent the ASGI way, and the application is to return.
    """
    offered = scope.get("extensions", {}).get(EXTENSION)
    return None if offered is None else cast("DirectStream | None", offered())


def borrow(scope: ASGIScope) -> DirectSocket | None:
    """The connection of an accepted WebSocket, for whole frames of ours between those of the server."""
    offered = scope.get("extensions", {}).get(EXTENSION)
    return None if offered is None else cast("DirectSocket | None", offered())


class _Connection:
    """Writes to the socket of a transport.

    A chunk that the kernel takes whole never goes through the transport: `send` is the socket's own,
    because the call, the buffer and the queue of the transport cost a tenth of a delivery. That keeps the
    order only as long as nothing waits in the transport. Its limits are therefore set to zero, so that
    "paused" means "something waits", and `send` is not to be used then.
    """

    __slots__ = ("_socket", "_transport", "_user_timeout_ms", "is_paused", "owner", "send")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.owner: SinkOwner | None = None
        self.is_paused = False
        self._transport = transport
        # The descriptor stays the transport's. It is given back in `_let_go`, which runs before the
        # transport closes it: a number that is used again would be somebody else's connection.
        theirs = transport.get_extra_info("socket")
        self._socket = socket.socket(theirs.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=theirs.fileno())
        self.send: Callable[[bytes], int] = self._socket.send
        self._user_timeout_ms = self._socket.getsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT) if _USER_TIMEOUT else 0

    def write(self, chunk: bytes) -> None:
        self._transport.write(chunk)

    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        self.owner = None
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD_ON_CLOSE)
        self._transport.abort()

    def pause(self) -> None:
        self.is_paused = True
        # From here on it is the owner's patience that counts. The kernel would give up a peer that
        # acknowledges but takes nothing, and nobody could tell it from one that is gone.
        self._set_user_timeout(0)
        if self.owner is not None:
            self.owner.pause()

    def resume(self) -> None:
        self.is_paused = False
        self._set_user_timeout(self._user_timeout_ms)
        if self.owner is not None:
            self.owner.resume()

    def _set_user_timeout(self, milliseconds: int) -> None:
        if self._user_timeout_ms and self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, milliseconds)

    def _let_go(self) -> None:
        self._socket.detach()
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.left()


class DirectStream(_Connection, asyncio.Protocol):
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


class DirectSocket(_Connection):
    """A WebSocket's connection, lent; the ASGI side opens and closes it."""

    __slots__ = ("_on_end",)

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._on_end = asyncio.Event()
        transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size():
            self.pause()  # its protocol, which passes this on, does not know of this object yet

    @property
    def framing(self) -> Framing:
        return as_text_frame

    def end(self, last_words: bytes = b"") -> None:
        self.owner = None
        if last_words:
            self.write(as_text_frame(last_words))
        self._on_end.set()

    async def run(self) -> None:
        """Return when the sink has ended, so that the ASGI side can close the socket."""
        await self._on_end.wait()

    def lost(self) -> None:
        self._on_end.set()
        self._let_go()


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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
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
        self.parser = self.cycle = self.scope = self.headers = self.transport = self.flow = None  # type: ignore[assignment]
        return stream


class LendingSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which lends its connection where the application asks for it."""

    _direct: DirectSocket | None = None

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            cast("dict[str, Any]", self.scope)["extensions"][EXTENSION] = self._lend

    def _lend(self) -> DirectSocket | None:
        is_plain_tcp = self.scheme == "ws" and self.transport.get_extra_info("socket") is not None
        if not is_plain_tcp or self.conn.extensions or self.transport.is_closing() or not self.handshake_complete:
            return None
        self._direct = DirectSocket(self.transport)
        return self._direct

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._direct is not None:
            self._direct.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._direct is not None:
            self._direct.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._direct is not None:
            self._direct.lost()
            self._direct = None
        super().connection_lost(exc)


def protocols(limits: ConnectionLimits) -> dict[str, Any]:
    """What to give to `uvicorn.Config`: the extended protocols, or uvicorn's own where it has changed too much."""
    missing = [
        f"{function.__qualname__}: {name}"
        for function, names in _RELIED_ON
        for name in sorted(names - set(function.__code__.co_names))
    ]
    if missing:
        _log.warning("direct.unavailable", missing=missing, falls_back_to="plain ASGI")
        return {"http": "httptools", "ws": "websockets-sansio"}
    return {"http": partial(StreamingProtocol, limits=limits, pace=RequestPace()), "ws": LendingSocketProtocol}
