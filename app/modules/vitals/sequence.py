"""PURE: what the numbers of a device's frames tell: which are missing, and which came late or twice."""

from __future__ import annotations

from enum import Enum
from typing import Final

#: A number so far behind the newest, or so far ahead of it, is not of the same count any more.
FAR: Final = 100_000

#: Missing numbers that are remembered, so that one which comes late is known for what it is: 50 s at 20 a second.
MOST_MISSING: Final = 1024


class Break(Enum):
    """What one number tells, where it is not the next one."""

    GAP = "gap"
    LATE = "late"
    REPEATED = "repeated"
    RESTART = "restart"


class Sequence:
    """The numbers of one device's frames, each 1 more than the one before.

    Attributes:
        missing: numbers that have not come, and may still come late.
        late: numbers that came behind greater ones.
        expected: the number that comes next, where one has come at all.
    """

    __slots__ = ("_open", "expected", "late", "missing")

    def __init__(self) -> None:
        self.missing = self.late = 0
        self.expected: int | None = None
        self._open: dict[int, None] = {}

    @property
    def has_begun(self) -> bool:
        """Whether the device numbers its frames at all."""
        return self.expected is not None

    def note(self, number: int) -> tuple[Break, int] | None:
        """Note a number in the order of arrival; tells what was out of order, and how many frames it is about."""
        expected = self.expected
        if number == expected or expected is None:
            self.expected = number + 1
            return None
        if number > expected:
            return self._skip(expected, number)
        if number in self._open:
            del self._open[number]
            self.missing -= 1
            self.late += 1
            return Break.LATE, 1
        if number == expected - 1 or (number > 0 and expected - number <= MOST_MISSING):
            return Break.REPEATED, 1
        return self._begin_again(number)

    def _skip(self, expected: int, number: int) -> tuple[Break, int]:
        count = number - expected
        if count > FAR:
            return self._begin_again(number)
        self.expected = number + 1
        self.missing += count
        self._open.update(dict.fromkeys(range(max(expected, number - MOST_MISSING), number)))
        while len(self._open) > MOST_MISSING:
            del self._open[next(iter(self._open))]
        return Break.GAP, count

    def _begin_again(self, number: int) -> tuple[Break, int]:
        self.expected = number + 1
        self._open.clear()
        return Break.RESTART, 1
