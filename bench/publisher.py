"""Asks a server to publish, over one connection that is kept while it is used."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.framing import AnswerReader

PublishRequest = Callable[[int], bytes]

#: Servers close a connection that was idle for some seconds (uvicorn: 5); one this old is not used again.
IDLE_SECONDS = 2.0


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
        self._used_at = time.monotonic()

    @property
    def is_stale(self) -> bool:
        """Whether the server may close it, or has."""
        return not self.is_waiting and time.monotonic() - self._used_at > IDLE_SECONDS

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
        if not data and not self.is_waiting:
            self._used_at = -IDLE_SECONDS  # nothing was lost by it
            self.close()
            return
        if not data:
            raise PublishRefusedError("the server closed the publisher's connection")
        self._reader.collect(data)
        if not self._reader.ended:
            return
        if not 200 <= self._reader.status < 300:
            raise PublishRefusedError(f"{self._reader.status}: {self._reader.text[:500].decode(errors='replace')}")
        self.is_waiting = False
        self._used_at = time.monotonic()

    def close(self) -> None:
        self._sock.close()
