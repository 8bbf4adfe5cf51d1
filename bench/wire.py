"""One client's WebSocket, and the poll under which all of them lie."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from bench.load import SOURCES, OpeningError
from bench.websocket import CLOSE, PING, PONG, FrameReader, masked

READ_BYTES = 65_536
OPENING_SECONDS = 30.0


class Poll:
    """Calls back whoever can be read."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}

    def add(self, fd: int, on_readable: Callable[[], None]) -> None:
        self._readers[fd] = on_readable
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def pump(self, timeout: float) -> None:
        """Wait for something to come, and have all that has taken in."""
        readers = self._readers
        for fd, _ in self._epoll.poll(max(0.0, timeout)):
            on_readable = readers.get(fd)
            if on_readable is not None:
                on_readable()

    def close(self) -> None:
        self._epoll.close()


class Wire:
    """An open WebSocket; `take` gives the messages that have come, and answers pings.

    Attributes:
        send: the socket's own.
        closed: why it is closed, once it is.
        greeting: what came together with the answer to the handshake.
    """

    __slots__ = ("closed", "fd", "greeting", "reader", "recv", "send", "sock")

    def __init__(self, address: tuple[str, int], index: int, request: bytes) -> None:
        """
        Raises:
            OpeningError: the server answers anything but 101.
        """
        self.sock = sock = socket.create_connection(address, OPENING_SECONDS, (SOURCES[index % len(SOURCES)], 0))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(request)
            rest = _read_answer(sock)
        except BaseException:
            sock.close()
            raise
        sock.setblocking(False)
        self.fd, self.send, self.recv = sock.fileno(), sock.send, sock.recv
        self.closed: str | None = None
        self.reader = FrameReader()
        self.greeting = self.understand(rest) if rest else []

    def take(self) -> list[tuple[int, bytes]]:
        """What has come in, without pings; reads once."""
        try:
            data = self.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            self.closed = str(error)
            return []
        return self.understand(data)

    def understand(self, data: bytes) -> list[tuple[int, bytes]]:
        """The messages that are complete with these bytes."""
        if not data:
            self.closed = self.closed or "the server ended the connection"
            return []
        messages = []
        for opcode, payload in self.reader.feed(data):
            if opcode == PING:
                self.send(masked(PONG, payload))
            elif opcode == CLOSE:
                self.closed = f"closed with {int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}"
            else:
                messages.append((opcode, payload))
        return messages

    def close(self) -> None:
        self.sock.close()


def _read_answer(sock: socket.socket) -> bytes:
    """What came behind the head of the answer to a handshake."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = sock.recv(READ_BYTES)
        if not piece:
            raise OpeningError(f"the server ended the handshake: {answer[:500]!r}")
        answer += piece
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        raise OpeningError(f"the handshake was refused: {answer[:500].decode(errors='replace')}")
    return rest
