"""What a stream and a WebSocket have in common when their bytes are written straight to the socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from app.core.sinks import SinkOwner

#: Linux's option (tcp(7)); elsewhere there is none.
_USER_TIMEOUT: int = getattr(socket, "TCP_USER_TIMEOUT", 0)

#: Closing with this option discards what was not sent, so that nothing of a dead peer stays in the kernel.
_DISCARD_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection:
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
        # uvloop's transport raises where it is closed, asyncio's passes over it.
        if not self._transport.is_closing():
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
