"""One event stream of alerts, read message by message, with the time at which each was there."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from bench.framing import AnswerReader
from bench.load import OpeningError
from bench.wire import READ_BYTES, Poll

OPENING_SECONDS = 30.0

#: Takes an event, and when it had been read, in nanoseconds of the epoch.
TakeEvent = Callable[[dict[str, Any], int], None]


class AlertStream:
    """Hands on every alert event of a stream; what controls the stream is passed over.

    Attributes:
        ended: why it has ended; empty while it has not.
    """

    def __init__(self, poll: Poll, address: tuple[str, int], request: bytes, take: TakeEvent) -> None:
        """
        Raises:
            OpeningError: it is refused, or not ready in time.
        """
        self.ended = ""
        self._poll = poll
        self._take = take
        self._is_ready = False
        self._reader = AnswerReader()
        self._sock = socket.create_connection(address, OPENING_SECONDS)
        try:
            self._sock.sendall(request)
            while not self._is_ready:
                self._read()
                if self.is_over or self._reader.status not in (0, 200):
                    raise OpeningError(f"{self._reader.status}: {self.ended}")
        except BaseException:
            self._sock.close()
            raise
        self._sock.setblocking(False)
        poll.add(self._sock.fileno(), self._read)

    @property
    def is_over(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self._poll.remove(self._sock.fileno())
        self._sock.close()

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            data, self.ended = b"", str(error)
        if not data:
            self.ended = self.ended or "the server ended the stream"
            self._poll.remove(self._sock.fileno())
            return
        now_ns = time.time_ns()
        for message in self._reader.feed(data):
            fields = dict(line.partition(b": ")[::2] for line in message.split(b"\n"))
            if fields.get(b"event") == b"stream.ready":
                self._is_ready = True
            elif b"event" not in fields and b"data" in fields:
                self._take(json.loads(fields[b"data"]), now_ns)
