"""The newest part of the log, in memory, as the frames that readers get.

After a restart of the server or of a proxy everybody comes back at once, with cursors that lie close to
the end. They are served from here, so that they cost the database nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.access import Scope
from app.core.roles import to_mask
from app.modules.alerts.schemas import LogEntry, LogPage

#: What an entry takes besides its payload, twice: the object, its strings, and the frame's own head.
_OVERHEAD_BYTES = 1_000

#: So many entries are looked at in one go, and so many are given out.
LONGEST_LOOK = 5_000
PAGE_SIZE = 200


class RecentLog:
    """Entries without a gap, up to the end of the log as this node knows it.

    Attributes:
        after: what lies after this position is held.
        head: the position of the last entry.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self.after = 0
        self.head = 0
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._entries: list[LogEntry] = []
        self._first = 0

    def begin(self, entries: Sequence[LogEntry], *, head: int) -> None:
        """Hold these entries, the last ones of a log that ends at `head`."""
        self._entries.clear()
        self._first = self._size_bytes = 0
        self.head = head
        self.after = entries[0].seq - 1 if entries else head
        for entry in entries:
            self._hold(entry)

    def add(self, entry: LogEntry) -> None:
        """Hold the next entry, and let go of the oldest ones where there is no room.

        A number that does not follow on the last one makes it begin anew: there must be no gap.
        """
        if entry.seq != self.head + 1:
            self.begin((), head=entry.seq - 1)
        self.head = entry.seq
        self._hold(entry)

    def page(self, scope: Scope, *, after: int) -> LogPage | None:
        """The next entries after a position that a scope covers; nothing where some are held no more."""
        if after < self.after:
            return None
        mask, patient_ids = to_mask(scope.roles), scope.patient_ids
        start = self._first + after - self.after
        found: list[LogEntry] = []
        through = self.head
        for entry in self._entries[start : start + LONGEST_LOOK]:
            if patient_ids is not None and entry.patient_id not in patient_ids:
                continue
            if scope.sees_every_audience or entry.audience & mask:
                found.append(entry)
                if len(found) == PAGE_SIZE:
                    through = entry.seq
                    break
        else:
            through = min(self.head, max(after, self.after) + LONGEST_LOOK)
        return LogPage(found, through, is_last=through >= self.head)

    def __len__(self) -> int:
        return len(self._entries) - self._first

    def _hold(self, entry: LogEntry) -> None:
        self._entries.append(entry)
        self._size_bytes += _size_bytes(entry)
        while self._size_bytes > self._limit_bytes and len(self) > 1:
            oldest = self._entries[self._first]
            self._size_bytes -= _size_bytes(oldest)
            self.after = oldest.seq
            self._first += 1
        if self._first > len(self._entries) // 2:
            # Now and then, rather than with each entry: taking from the front of a list moves the rest.
            del self._entries[: self._first]
            self._first = 0


def _size_bytes(entry: LogEntry) -> int:
    return 2 * len(entry.payload) + _OVERHEAD_BYTES
