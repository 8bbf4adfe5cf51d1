"""A connection that takes as much as a test lets it take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from app.core.sinks import Framing, SinkOwner, unframed

ENDLESS = 1_000_000


class PacedSink:
    """A sink that takes a number of chunks and is paused then, until there is room again.

    Args:
        room: how many chunks it takes at first.
        takes_halves: `send` takes one half of a chunk at once, as a socket does whose buffer is nearly full.
        taking: called with each chunk before it is taken; what it raises, `send` raises.
        weight: each chunk that waits counts as so many bytes; as its own length when left out.

    Attributes:
        chunks: what it has taken.
        breaks, breaks_on_writing: whether `send` or `write` raises, as for a connection that is gone.
        last_words: what it was ended with.
    """

    def __init__(
        self,
        *,
        room: int = ENDLESS,
        takes_halves: bool = False,
        framing: Framing = unframed,
        taking: Callable[[bytes], None] = lambda _chunk: None,
        weight: int | None = None,
    ) -> None:
        self.is_paused = room == 0
        self.owner: SinkOwner | None = None
        self.chunks: list[bytes] = []
        self.breaks = self.breaks_on_writing = False
        self.has_ended = self.is_cut_off = False
        self.last_words = b""
        self._takes_halves = takes_halves
        self._taking = taking
        self._weight = weight
        self._framing = framing
        self._room = room
        self._waiting: deque[bytes] = deque()

    @property
    def framing(self) -> Framing:
        return self._framing

    def send(self, chunk: bytes) -> int:
        assert not self.is_paused, "a chunk may not overtake those that wait"
        assert not self.has_ended, "nothing comes after the last words"
        if self.breaks:
            raise ConnectionResetError
        if not self._room:
            raise BlockingIOError
        taken = len(chunk) // 2 if self._takes_halves else len(chunk)
        self._take(chunk[:taken])
        return taken

    def write(self, chunk: bytes) -> None:
        if self.breaks_on_writing:
            raise ConnectionResetError
        self._waiting.append(chunk)
        self._flush()
        if self._waiting and not self.is_paused:
            self.is_paused = True
            if self.owner is not None:
                self.owner.pause()

    def close_room(self) -> None:
        """Take nothing from now on; it is noticed at the next chunk."""
        self._room = 0

    def make_room(self, chunks: int = ENDLESS) -> None:
        self._room += chunks
        self._flush()
        if self.is_paused and not self._waiting:
            self.is_paused = False
            if self.owner is not None:
                self.owner.resume()

    @property
    def offered(self) -> bytes:
        """Everything that was written to it, and is not lost: what it has taken, and what waits."""
        return b"".join([*self.chunks, *self._waiting])

    def unsent_bytes(self) -> int:
        return sum(len(chunk) if self._weight is None else self._weight for chunk in self._waiting)

    def end(self, last_words: bytes = b"") -> None:
        self.owner, self.has_ended, self.last_words = None, True, last_words

    def abort(self) -> None:
        self.owner, self.has_ended, self.is_cut_off = None, True, True

    def _flush(self) -> None:
        while self._waiting and self._room:
            self._take(self._waiting.popleft())

    def _take(self, chunk: bytes) -> None:
        self._taking(chunk)
        self._room -= 1
        self.chunks.append(chunk)
