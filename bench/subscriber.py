"""One subscriber of the load: its socket, how far its stream has come, and its books."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from enum import Enum, auto

from bench.framing import AnswerReader
from bench.ledger import Account


class State(Enum):
    NEW = auto()
    OPENING = auto()
    LIVE = auto()
    CLOSED = auto()


class Subscriber:
    """A client of one stream, which remembers its place when it is cut off.

    Attributes:
        epoch: which log the numbers are of; empty where the server does not say.
        replayed: events that came before the stream was ready.
        receive_buffer: how much the kernel takes in for it, in bytes; its own choice when none.
    """

    __slots__ = (
        "account",
        "closing",
        "epoch",
        "fd",
        "has_asked",
        "index",
        "reader",
        "ready_ns",
        "receive_buffer",
        "recovered",
        "recv",
        "replayed",
        "sock",
        "state",
    )

    def __init__(self, index: int, *, receive_buffer: int | None = None) -> None:
        self.index = index
        self.receive_buffer = receive_buffer
        self.account: Account | None = None
        self.epoch = ""
        self._forget()

    def _forget(self) -> None:
        self.sock: socket.socket | None = None
        self.fd = -1
        self.recv: Callable[[int], bytes] = _no_socket
        self.reader = AnswerReader()
        self.state = State.NEW
        self.has_asked = False
        self.ready_ns = 0
        self.replayed = 0
        self.recovered: bool | None = None
        self.closing: str | None = None

    @property
    def cursor(self) -> str | None:
        """The id of the last event received, to go on behind it."""
        if self.account is None or not self.epoch:
            return None
        return f"{self.epoch}-{self.account.expected - 1}"

    def connect(self, address: tuple[str, int], source: str) -> None:
        """Begin to connect; it never blocks."""
        self._forget()
        self.sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if self.receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        # The port is then chosen on connecting, so that two destinations can share it.
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
        self.state = State.OPENING
        self.fd, self.recv = sock.fileno(), sock.recv
        sock.connect_ex(address)

    def ask(self, request: bytes) -> None:
        """Send the request, once the connection stands.

        Raises:
            OSError: it does not.
        """
        assert self.sock is not None
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        if self.sock.send(request) != len(request):
            raise OSError("the request did not fit")
        self.has_asked = True

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock, self.fd, self.recv = None, -1, _no_socket
        self.state = State.CLOSED


#: From linux/in.h; the socket module has a name for it from Python 3.12 on.
_IP_BIND_ADDRESS_NO_PORT = 24


def _no_socket(_size: int) -> bytes:
    raise OSError("not connected")
