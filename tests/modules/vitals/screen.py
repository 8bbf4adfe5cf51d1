"""A viewer's connection that takes as much as it is told to."""

from __future__ import annotations

from collections import deque

from app.core.direct import as_text_frame
from app.core.sinks import Framing, SinkOwner


class Screen:
    """A sink that takes a number of chunks and is paused then, until there is room again.

    Attributes:
        taken: what it has taken, chunk by chunk.
        breaks_with: raised by each attempt to send.
    """

    def __init__(self, *, room: int = 1_000_000, framing: Framing = as_text_frame) -> None:
        self.is_paused = room == 0
        self.owner: SinkOwner | None = None
        self.taken: list[bytes] = []
        self.has_ended = self.is_cut_off = False
        self.breaks_with: Exception | None = None
        self._framing = framing
        self._room = room
        self._waiting: deque[bytes] = deque()

    @property
    def framing(self) -> Framing:
        return self._framing

    def send(self, chunk: bytes) -> int:
        assert not self.is_paused
        assert not self.has_ended
        if self.breaks_with is not None:
            raise self.breaks_with
        if self._room == 0:
            raise BlockingIOError
        self._room -= 1
        self.taken.append(chunk)
        return len(chunk)

    def write(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._flush()
        if self._waiting and not self.is_paused:
            self.is_paused = True
            if self.owner is not None:
                self.owner.pause()

    def make_room(self, chunks: int = 1_000_000) -> None:
        self._room += chunks
        self._flush()
        if self.is_paused and not self._waiting:
            self.is_paused = False
            if self.owner is not None:
                self.owner.resume()

    def unsent_bytes(self) -> int:
        return sum(map(len, self._waiting))

    def end(self, last_words: bytes = b"") -> None:
        self.owner, self.has_ended = None, True

    def abort(self) -> None:
        self.owner, self.has_ended, self.is_cut_off = None, True, True

    def _flush(self) -> None:
        while self._waiting and self._room:
            self._room -= 1
            self.taken.append(self._waiting.popleft())
