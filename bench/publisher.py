"""Asks a server to publish, over one connection that is kept."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.framing import AnswerReader

PublishRequest = Callable[[int], bytes]


class PublishRefusedError(Exception):
    """The server did not take an event; the text says what it answered."""


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """A complete request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Publisher:
    """One request at a time: the next goes out when the last is answered."""

    address: tuple[str, int]
    request: PublishRequest
    is_waiting: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._sock = socket.create_connection(self.address, timeout=10)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = AnswerReader()

    @property
    def fd(self) -> int:
        return self._sock.fileno()

    def send(self, number: int) -> None:
        """Publish the event with this number."""
        self._sock.sendall(self.request(number))
        self._reader = AnswerReader()
        self.is_waiting = True

    def on_readable(self) -> None:
        """Take in what the server answers.

        Raises:
            PublishRefusedError: it is no success, or no answer.
        """
        data = self._sock.recv(65_536)
        if not data:
            raise PublishRefusedError("the server closed the publisher's connection")
        self._reader.collect(data)
        if not self._reader.ended:
            return
        if not 200 <= self._reader.status < 300:
            raise PublishRefusedError(f"{self._reader.status}: {self._reader.text[:500].decode(errors='replace')}")
        self.is_waiting = False

    def close(self) -> None:
        self._sock.close()
