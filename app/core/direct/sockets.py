"""A WebSocket that lends its connection for writing, and hands its messages over as they arrive."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from starlette.types import Scope as ASGIScope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State
from websockets.streams import StreamReader

from app.core.direct.connection import Connection
from app.core.direct.reading import SocketReader
from app.core.direct.receiving import DirectReceiver
from app.core.sinks import Framing
from app.core.websocket_frames import Take, as_binary_frame, as_text_frame

LENDING = "tocsin.lending"
RECEIVING = "tocsin.receiving"

#: Linux's option (tcp(7)); elsewhere there is none.
_NOT_SENT: int = getattr(socket, "TCP_NOTSENT_LOWAT", 0)


def borrow(scope: ASGIScope, *, is_binary: bool = False, most_unsent_bytes: int = 0) -> DirectSocket | None:
    """The connection of an accepted WebSocket, for whole frames of ours between those of the server.

    Args:
        is_binary: its messages are binary, and not text.
        most_unsent_bytes: about how much the kernel takes that it cannot send yet; 0 leaves it at what the
            system has set, which may be megabytes.
    """
    offered = scope.get("extensions", {}).get(LENDING)
    return (
        None
        if offered is None
        else cast("DirectSocket | None", offered(is_binary=is_binary, most_unsent_bytes=most_unsent_bytes))
    )


def receive_directly(scope: ASGIScope, take: Take, *, most_unread_bytes: int = 0) -> DirectReceiver | None:
    """Have every message of an accepted WebSocket taken as it arrives, if the server does that.

    From then on none comes the ASGI way, but for the one that tells of the end.

    Args:
        take: called on the event loop, also before this returns; must not raise.
        most_unread_bytes: about how much the kernel keeps that has not been read; 0 leaves it at what the system
            has set, which may be megabytes.
    """
    offered = scope.get("extensions", {}).get(RECEIVING)
    return (
        None if offered is None else cast("DirectReceiver | None", offered(take, most_unread_bytes=most_unread_bytes))
    )


class DirectSocket(Connection):
    """A WebSocket's connection, lent; the ASGI side opens and closes it."""

    __slots__ = ("_on_end", "framing")

    def __init__(self, transport: asyncio.Transport, *, is_binary: bool = False, most_unsent_bytes: int = 0) -> None:
        super().__init__(transport)
        self.framing: Framing = as_binary_frame if is_binary else as_text_frame
        self._on_end = asyncio.Event()
        if most_unsent_bytes and _NOT_SENT:
            self._socket.setsockopt(socket.IPPROTO_TCP, _NOT_SENT, most_unsent_bytes)
        transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size():
            self.pause()  # its protocol, which passes this on, does not know of this object yet

    def end(self, last_words: bytes = b"") -> None:
        self.owner = None
        if last_words:
            self.write(self.framing(last_words))
        self._on_end.set()

    async def run(self) -> None:
        """Return when the sink has ended, so that the ASGI side can close the socket."""
        await self._on_end.wait()

    def lost(self) -> None:
        self._on_end.set()
        self._let_go()


class LendingSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which lends its connection where the application asks for it.

    Args:
        reader: reads the connections whose messages are handed over.
    """

    _direct: DirectSocket | None = None
    _receiver: DirectReceiver | None = None

    #: Who takes the messages, if not the application's `receive`.
    _take: Take | None = None

    def __init__(self, *arguments: Any, reader: SocketReader | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reader = reader

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            offered = {LENDING: self._lend, RECEIVING: self._receive_with}
            cast("dict[str, Any]", self.scope)["extensions"].update(offered)

    def _lend(self, *, is_binary: bool, most_unsent_bytes: int) -> DirectSocket | None:
        is_plain_tcp = self.scheme == "ws" and self.transport.get_extra_info("socket") is not None
        if not is_plain_tcp or not self._is_open_and_plain():
            return None
        self._direct = DirectSocket(self.transport, is_binary=is_binary, most_unsent_bytes=most_unsent_bytes)
        return self._direct

    def _receive_with(self, take: Take, *, most_unread_bytes: int) -> DirectReceiver | None:
        if not self._is_open_and_plain():
            return None
        self._take = take
        theirs = self.transport.get_extra_info("socket")
        if most_unread_bytes and theirs is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, most_unread_bytes)
        self._pass_on()
        self._receiver = DirectReceiver(
            self,
            self.transport,
            self.config.ws_max_size,
            take,
            reader=self._reader if self.scheme == "ws" else None,
            is_library_reading=not self.is_between_messages(),
        )
        self.transport.set_protocol(self._receiver)
        return self._receiver

    def _is_open_and_plain(self) -> bool:
        return self.handshake_complete and not self.conn.extensions and not self.transport.is_closing()

    @property
    def close_sent(self) -> bool:
        """Whether the closing frame was sent; set by uvicorn. What comes then is the library's."""
        return self._close_sent

    @close_sent.setter
    def close_sent(self, is_sent: bool) -> None:
        self._close_sent = is_sent
        if is_sent and self._receiver is not None:
            self._receiver.leave_to_library()

    def is_between_messages(self) -> bool:
        """Whether the library has read everything that it was given, and waits for a new message to begin.

        Its parser is a generator, which asks between two frames whether there is more to read, and waits there.
        """
        waiting: Any = self.conn.parser
        while waiting.gi_yieldfrom is not None:
            waiting = waiting.gi_yieldfrom
        is_between_frames = waiting.gi_code is StreamReader.at_eof.__code__ and not self.conn.reader.buffer
        return is_between_frames and self.conn.current_size is None and self.conn.state is State.OPEN

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # Refused with an answer of its own. uvicorn takes it for a mistake that there was no handshake.
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        super().send_receive_event_to_app()
        if self._take is not None:
            self._pass_on()

    def _pass_on(self) -> None:
        """Have those messages taken that uvicorn has put into its queue, and read on."""
        assert self._take is not None
        others = []
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] == "websocket.receive":
                text = event.get("text")
                self._take(cast(bytes, event.get("bytes")) if text is None else text)
            else:
                others.append(event)
        for event in others:
            self.queue.put_nowait(event)
        if self.read_paused:
            self.read_paused = False
            if self._receiver is None:
                self.transport.resume_reading()
            else:
                self._receiver.read_on()

    def keepalive_timeout(self) -> None:
        """Give up a peer that has not answered a ping, unless it sends: its answer may stand behind that, unread."""
        if self._receiver is not None and self._receiver.was_active() and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            super().keepalive_timeout()

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
