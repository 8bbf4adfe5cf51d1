"""PURE: where one subscriber stands in the alert log.

A subscriber is a cursor. While it is *live* and its connection takes more, it is *ready*: entries are
written to it as they come. While the connection takes nothing they wait in a short queue. When that is
full the subscriber stops being live: the queue is thrown away, because the log holds the same entries,
and it reads on from its position at its own pace until it has caught up. Connecting, reconnecting and
being slow are the same thing.

The invariant: the entries handed out have strictly rising numbers, and are all those after the
position where it began that it was meant to see.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    @property
    def seq(self) -> int: ...


Entry = TypeVar("Entry", bound=Numbered)


class Feed(Generic[Entry]):
    """Hands one subscriber each entry once, in order, at once or from the queue or from the log.

    Attributes:
        position: everything up to here has been handed out, or was not meant for this subscriber.
        is_live: whether entries are taken as they come; if not, the log is to be read from `position`.
        is_ready: whether a new entry is to be handed out at once. Whoever does so sets `position`.
        is_blocked: whether the connection takes nothing for now.
    """

    __slots__ = ("_queue", "_queue_limit", "is_blocked", "is_live", "is_ready", "position")

    def __init__(self, position: int, *, queue_limit: int) -> None:
        self.position = position
        self.is_live = False
        self.is_ready = False
        self.is_blocked = False
        # None while nothing waits: most never have anything in it, and there are many thousand of them.
        self._queue: list[Entry] | None = None
        self._queue_limit = queue_limit

    def keep(self, entry: Entry) -> bool:
        """Let a new entry wait, if it is wanted; false when that made the queue overflow."""
        if not self.is_live or entry.seq <= self.position:
            return True
        if self._queue is None:
            self._queue = []
        if len(self._queue) >= self._queue_limit:
            self.fall_behind()
            return False
        self._queue.append(entry)
        return True

    def block(self) -> None:
        """The connection takes nothing for now."""
        self.is_blocked = True
        self.is_ready = False

    def unblock(self) -> list[Entry]:
        """The connection takes more: hand out what waits in the queue."""
        self.is_blocked = False
        entries, self._queue = self._queue or [], None
        if entries:
            self.position = entries[-1].seq
        self.is_ready = self.is_live
        return entries

    def fall_behind(self) -> None:
        """Stop being live; what waits in the queue is left to the log."""
        self._queue = None
        self.is_live = self.is_ready = False

    def advance(self, through: int, *, head: int) -> None:
        """The log was read up to `through`, and its entries handed out.

        Args:
            head: the number up to which entries have been offered. With `through` at or past it,
                whatever comes next will be offered: the subscriber is live, with no gap.
        """
        self.position = max(self.position, through)
        self.is_live = self.position >= head
        self.is_ready = self.is_live and not self.is_blocked and self._queue is None

    def settle(self, head: int) -> int:
        """The position to tell a quiet client: what was offered up to `head` was not meant for it."""
        if self.is_live and self._queue is None:
            self.position = max(self.position, head)
        return self.position
