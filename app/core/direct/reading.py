"""Reads many connections beside their transports, with one callback of the event loop for all of them."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

#: Read of one connection before others have their turn: taking it holds the loop for less than a tenth of a
#: millisecond.
READ_BYTES = 4096

#: Connections that are read before everything else in the event loop has its turn.
AT_ONCE = 64

#: After reading it is looked again so much later, and not at each arrival: waking for each handful of frames costs a
#: sixth of what receiving them does. It is what a frame may be late by, and what a device that waits for an answer
#: before it sends on waits each time.
COALESCE_SECONDS = 0.008

_log = structlog.get_logger(__name__)


class Receiver(Protocol):
    """Whoever takes what arrives on one connection."""

    def data_received(self, data: bytes) -> None: ...

    def nothing_more_comes(self) -> None:
        """The other end has closed its side, or the connection is broken."""
        ...

    def break_off(self) -> None:
        """Cut the connection off."""
        ...


class SocketReader:
    """All connections that are read so.

    A transport that reads hands over each piece by a callback, a context and several objects of its own. With a
    thousand devices that is a tenth of what receiving a frame costs: all of it has left the processor's caches since
    the device's last one. So one epoll stands in the event loop for all of them, while there are any. As long as
    something is found each time it is a timer that has the connections looked at, as network cards do.

    Args:
        coalesce_seconds: from one look to the next.
    """

    def __init__(self, *, coalesce_seconds: float = COALESCE_SECONDS) -> None:
        self._coalesce_seconds = coalesce_seconds
        # By descriptor: nothing else of a connection is touched before its receiver.
        self._receivers: dict[int, Receiver] = {}
        self._epoll: Any = None
        #: When it is looked next. While there is none, the event loop tells that something has arrived; while
        #: connections are being read, neither.
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        """How many connections are being read."""
        return len(self._receivers)

    def begin(self, transport: asyncio.Transport, receiver: Receiver) -> Reading | None:
        """Read in the place of a transport; None where that cannot be done."""
        socket = transport.get_extra_info("socket")
        if socket is None or not hasattr(select, "epoll"):
            return None
        transport.pause_reading()
        reading = Reading(self, transport, receiver, socket.fileno())
        reading.resume_reading()
        return reading

    def add(self, fd: int, receiver: Receiver) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._wait()
        self._receivers[fd] = receiver
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        del self._receivers[fd]
        self._epoll.unregister(fd)
        if not self._receivers:
            self._wait_no_more()
            self._epoll.close()
            self._epoll = None

    def _wait(self) -> None:
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._begin_reading)

    def _wait_no_more(self) -> None:
        if self._timer is None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        else:
            self._timer.cancel()
            self._timer = None

    def _begin_reading(self) -> None:
        self._wait_no_more()
        self._read()

    def _read(self) -> None:
        self._timer = None
        epoll = self._epoll
        arrived = epoll.poll(0, AT_ONCE)
        if not arrived:
            self._wait()
            return
        is_more = True
        try:
            is_more = self._read_all(arrived)
        finally:
            # Also where somebody's failing was worse than can be logged: nobody else would ever be read again.
            # None may be left, or only such as came in the meantime and are waited for.
            if self._epoll is epoll:
                seconds = 0 if is_more else self._coalesce_seconds
                self._timer = asyncio.get_running_loop().call_later(seconds, self._read)

    def _read_all(self, arrived: Sequence[tuple[int, int]]) -> bool:
        """Read once each of the connections that have sent something; answers whether there may be more."""
        is_more = len(arrived) == AT_ONCE
        for fd, _ in arrived:
            # It may have been paused, or be gone, by what another one has sent just now.
            receiver = self._receivers.get(fd)
            if receiver is None:
                continue
            try:
                data = os.read(fd, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            is_more = is_more or len(data) == READ_BYTES
            try:
                if data:
                    receiver.data_received(data)
                else:
                    receiver.nothing_more_comes()
            except Exception:
                # Its own alone, as with a transport: the others go on.
                _log.exception("direct.receiving_failed")
                receiver.break_off()
        return is_more


class Reading:
    """One connection that is read, or paused: what its transport is to whoever receives."""

    __slots__ = ("_fd", "_has_ended", "_is_paused", "_reader", "_receiver", "_transport")

    def __init__(self, reader: SocketReader, transport: asyncio.Transport, receiver: Receiver, fd: int) -> None:
        self._reader = reader
        self._transport = transport
        self._receiver = receiver
        self._fd = fd
        self._is_paused = True
        self._has_ended = False

    def pause_reading(self) -> None:
        """Leave what arrives where it is; also the end is not noticed."""
        if not self._is_paused:
            self._is_paused = True
            self._reader.remove(self._fd)

    def resume_reading(self) -> None:
        """Read again, unless there is nothing more to be read."""
        if self._is_paused and not self._has_ended:
            self._is_paused = False
            self._reader.add(self._fd, self._receiver)

    def stop(self) -> None:
        """Never read again; to be called before the descriptor is closed."""
        self.pause_reading()
        self._has_ended = True

    def leave_to_transport(self) -> None:
        """Have the transport find for itself that nothing more comes, and do what is to be done then."""
        self.stop()
        if not self._transport.is_closing():
            self._transport.resume_reading()
