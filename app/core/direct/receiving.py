"""Takes the messages of a WebSocket out of what arrives on its connection, before uvicorn sees any of it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from app.core.direct.reading import READ_BYTES, Reading, SocketReader
from app.core.websocket_frames import Take, frame_bytes, take_messages


class Library(Protocol):
    """The protocol that reads whatever is not a whole message in one frame, and does everything else."""

    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool | None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def is_between_messages(self) -> bool:
        """Whether it has read everything that it was given, and waits for a new message to begin."""
        ...


class DirectReceiver(asyncio.Protocol):
    """Stands before the library's protocol on an open connection.

    It is an object of its own, and small, because it is gone through for every frame: uvicorn's has more
    attributes than Python finds fast. With a thousand connections each object that a frame touches has to be
    fetched from beyond the processor's caches, so that a frame that is complete touches as few as can be.

    Args:
        reader: reads in the place of the transport, if it can.
        is_library_reading: the library is in the middle of a frame or a message, so that what comes next is its.
        most_bytes: a larger message is left to the library, which refuses it.
        take: called with each message, on the event loop; must not raise.
    """

    __slots__ = (
        "_beginning",
        "_is_between_frames",
        "_is_held",
        "_is_library_closing",
        "_is_library_reading",
        "_is_scheduled",
        "_library",
        "_most_bytes",
        "_needed_bytes",
        "_rest",
        "_rest_at",
        "_source",
        "_take",
        "_transport",
        "_was_active",
    )

    def __init__(
        self,
        library: Library,
        transport: asyncio.Transport,
        most_bytes: int,
        take: Take,
        *,
        reader: SocketReader | None = None,
        is_library_reading: bool,
    ) -> None:
        self._library = library
        self._transport = transport
        #: Who reads: a transport reads up to 256 kB at a time, which can be thousands of messages.
        self._source: asyncio.Transport | Reading = transport
        self._most_bytes = most_bytes
        self._take = take
        self._is_library_reading = is_library_reading
        self._is_library_closing = False
        #: Whether what comes next is the beginning of a frame, and ours.
        self._is_between_frames = not is_library_reading
        self._is_held = self._was_active = self._is_scheduled = False
        #: The beginning of a frame whose end has not come yet, and how many bytes there must be to go on.
        self._beginning = bytearray()
        self._needed_bytes = 0
        #: What has been read in one go with what was taken, and from where on it waits for its turn.
        self._rest = b""
        self._rest_at = 0
        if reader is not None:
            self._source = reader.begin(transport, self) or transport

    def pause(self) -> None:
        """Read nothing more, and take nothing but what is being taken right now."""
        self._is_held = True
        if not self._transport.is_closing():
            self._source.pause_reading()

    def resume(self) -> None:
        """Take what comes again."""
        self._is_held = False
        self.read_on()

    def was_active(self) -> bool:
        """Whether anything arrived, or was held back, since this was last asked."""
        was_active, self._was_active = self._was_active, self._is_held
        return was_active

    def read_on(self) -> None:
        """Have the transport read again, unless something is to be taken first."""
        if self._is_held or self._transport.is_closing():
            return
        if not self._rest:
            self._source.resume_reading()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._take_rest)

    def data_received(self, data: bytes) -> None:
        self._was_active = True
        if len(data) > READ_BYTES:
            self._source.pause_reading()
            self._rest, self._rest_at = data, 0
            self._take_piece()
            self.read_on()
        elif self._is_between_frames:
            taken = take_messages(data, self._most_bytes, self._take)
            if taken != len(data):
                self._keep(data[taken:])
        else:
            self._receive(data)

    def _take_rest(self) -> None:
        self._is_scheduled = False
        if self._rest and not self._is_held:
            self._take_piece()
            self.read_on()

    def _take_piece(self) -> None:
        piece = self._rest[self._rest_at : self._rest_at + READ_BYTES]
        self._rest_at += READ_BYTES
        if self._rest_at >= len(self._rest):
            self._rest = b""
        self._receive(piece)

    def _receive(self, data: bytes | bytearray) -> None:
        if self._is_library_reading or self._is_library_closing:
            self._hand_over(self._beginning + data)
            return
        if self._beginning:
            self._beginning += data
            if len(self._beginning) < self._needed_bytes:
                return
            data, self._beginning = self._beginning, bytearray()
            self._is_between_frames = True
        taken = take_messages(data, self._most_bytes, self._take)
        if taken != len(data):
            self._keep(data[taken:])

    def _keep(self, rest: bytes | bytearray) -> None:
        """See to what is not a whole message that can be taken: it is not all there, or for the library."""
        needed_bytes = frame_bytes(rest, self._most_bytes)
        if needed_bytes > len(rest):
            self._beginning, self._needed_bytes = bytearray(rest), needed_bytes
            self._is_between_frames = False
        else:
            self._hand_over(rest)

    def _hand_over(self, data: bytes | bytearray) -> None:
        self._beginning.clear()
        if self._transport.is_closing():
            # A transport that is closing reads nothing; whoever reads in its place may not know yet.
            return
        self._library.data_received(bytes(data))
        self._is_library_reading = not self._library.is_between_messages()
        self._is_between_frames = not self._is_library_reading and not self._is_library_closing

    def leave_to_library(self) -> None:
        """Take nothing more: the connection is being closed."""
        self._is_library_closing = True
        self._is_between_frames = False

    def nothing_more_comes(self) -> None:
        """The other end has closed its side, or the connection is broken."""
        if isinstance(self._source, Reading):
            self._source.leave_to_transport()

    def break_off(self) -> None:
        """Cut the connection off."""
        self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._library.eof_received()

    def pause_writing(self) -> None:
        self._library.pause_writing()

    def resume_writing(self) -> None:
        self._library.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        while self._rest:
            self._take_piece()
        if isinstance(self._source, Reading):
            self._source.stop()
        self._library.connection_lost(exc)
