"""PURE: where one subscriber stands in the alert log.

A subscriber is a cursor. While it is *live*, entries are offered to it as they come and wait in a
short queue. When the queue is full it stops being live: the queue is thrown away, because the log
holds the same entries, and the subscriber reads on from its position at its own pace until it has
caught up. Connecting, reconnecting and being slow are the same thing.

The invariant: the entries handed out have strictly rising numbers, and are all those after the
position where it began that it was meant to see.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    @property
    def seq(self) -> int: ...


Entry = TypeVar("Entry", bound=Numbered)


class Feed(Generic[Entry]):
    """Hands one subscriber each entry once, in order, from the queue or from the log.

    Attributes:
        position: everything up to here has been handed out, or was not meant for this subscriber.
        is_live: whether entries are taken as they come; if not, the log is to be read from `position`.
    """

    def __init__(self, position: int, *, queue_limit: int) -> None:
        self.position = position
        self.is_live = False
        self._queue: deque[Entry] = deque()
        self._queue_limit = queue_limit

    def offer(self, entry: Entry) -> bool:
        """Take a new entry in, if it is wanted; false when that made the queue overflow."""
        if not self.is_live or entry.seq <= self.position:
            return True
        if len(self._queue) >= self._queue_limit:
            self.fall_behind()
            return False
        self._queue.append(entry)
        return True

    def take(self) -> list[Entry]:
        """Hand out what waits in the queue."""
        entries = list(self._queue)
        self._queue.clear()
        if entries:
            self.position = entries[-1].seq
        return entries

    def fall_behind(self) -> None:
        """Stop being live; what waits in the queue is left to the log."""
        self._queue.clear()
        self.is_live = False

    def advance(self, through: int, *, head: int) -> None:
        """The log was read up to `through`, and its entries handed out.

        Args:
            head: the number up to which entries have been offered. With `through` at or past it,
                whatever comes next will be offered: the subscriber is live, with no gap.
        """
        self.position = max(self.position, through)
        self.is_live = self.position >= head

    def settle(self, head: int) -> int:
        """The position to tell a quiet client: what was offered up to `head` was not meant for it."""
        if self.is_live and not self._queue:
            self.position = max(self.position, head)
        return self.position
