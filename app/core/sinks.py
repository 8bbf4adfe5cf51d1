"""Where a stream's bytes go without anybody waiting: they are handed over, and the connection does the rest.

A publisher must not wait for a subscriber, so that a sink never makes its writer wait. It says instead
when it has had enough (`is_paused`), and tells its owner when it takes more, or is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import anyio

#: A client gets so long to take the last words of a stream, before its connection is cut.
LINGER_SECONDS = 1.0

#: Bytes that may wait for a connection in memory before it counts as paused; with as few, it takes more.
HIGH_WATER_BYTES = 65_536
LOW_WATER_BYTES = 16_384

Framing = Callable[[bytes], bytes]


def unframed(body: bytes) -> bytes:
    """The framing of a sink whose server frames the bytes itself."""
    return body


def as_line(body: bytes) -> bytes:
    """The framing of messages that have no line end in them, so that they can be told apart again."""
    return body + b"\n"


class SinkOwner(Protocol):
    """Whoever writes to a sink."""

    def pause(self) -> None:
        """The connection takes nothing for now."""
        ...

    def resume(self) -> None:
        """The connection takes bytes again."""
        ...

    def left(self) -> None:
        """The connection is gone, and not because the owner ended it."""
        ...


class Sink(Protocol):
    """One connection to write to.

    Attributes:
        is_paused: nothing more should be written for now; what is written all the same waits in memory.
        owner: who is told; nobody any more once it has ended.
    """

    is_paused: bool
    owner: SinkOwner | None

    @property
    def framing(self) -> Framing:
        """What makes the bytes of a message into those that are written."""
        ...

    @property
    def send(self) -> Callable[[bytes], int]:
        """Writes a chunk if the connection takes it at once, and answers how many bytes it took.

        To be called only while the sink is not paused. The rest of the chunk goes to `write`. It never
        calls the owner: whoever writes to many sinks writes down afterwards what each has taken.

        Raises:
            BlockingIOError: it took nothing.
            OSError: the connection is broken.
        """
        ...

    def write(self, chunk: bytes) -> None:
        """Take a chunk, which waits in memory where the connection does not take it at once."""
        ...

    def unsent_bytes(self) -> int:
        """How much waits in memory: a reader that makes progress makes it less."""
        ...

    def end(self, last_words: bytes = b"") -> None:
        """Write the last words and close; a client that does not take them in time is cut off."""
        ...

    def abort(self) -> None:
        """Cut the connection off; what it has not taken is thrown away."""
        ...


class ASGISink:
    """A sink over plain ASGI: what is written waits here until the server takes it.

    Args:
        deliver: hands one chunk to the server, and waits until it has room for more.
    """

    framing = staticmethod(unframed)

    def __init__(self, deliver: Callable[[bytes], Awaitable[None]]) -> None:
        self.is_paused = False
        self.owner: SinkOwner | None = None
        self._deliver = deliver
        self._waiting: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._wake = anyio.Event()
        self._has_ended = False
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Carry what is written to the client, until the sink has ended or is aborted."""
        with self._scope, suppress(OSError):
            while self._waiting or not self._has_ended:
                if not self._waiting:
                    self._wake = anyio.Event()
                    await self._wake.wait()
                    continue
                chunk = self._waiting[0]
                await self._deliver(chunk)
                self._waiting.popleft()
                self._unsent_bytes -= len(chunk)
                if self.is_paused and self._unsent_bytes <= LOW_WATER_BYTES:
                    self.is_paused = False
                    if self.owner is not None:
                        self.owner.resume()

    @property
    def is_cut_off(self) -> bool:
        """Whether the client was not given everything that was written."""
        return bool(self._waiting)

    def send(self, chunk: bytes) -> int:
        if self._unsent_bytes + len(chunk) > HIGH_WATER_BYTES:
            raise BlockingIOError
        self.write(chunk)
        return len(chunk)

    def write(self, chunk: bytes) -> None:
        if chunk and not self._has_ended:
            self._waiting.append(chunk)
            self._unsent_bytes += len(chunk)
            self._wake.set()
            if not self.is_paused and self._unsent_bytes > HIGH_WATER_BYTES:
                self.is_paused = True
                if self.owner is not None:
                    self.owner.pause()

    def unsent_bytes(self) -> int:
        return self._unsent_bytes

    def end(self, last_words: bytes = b"") -> None:
        self.write(last_words)
        self.owner = None
        self._has_ended = True
        self._scope.deadline = anyio.current_time() + LINGER_SECONDS
        self._wake.set()

    def abort(self) -> None:
        self.owner = None
        self._has_ended = True
        self._scope.cancel()
