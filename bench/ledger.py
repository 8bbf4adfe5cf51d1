"""PURE: the books of a run: what was published when, who received it, and what went wrong."""

from __future__ import annotations

from array import array
from collections import Counter


class Account:
    """One subscriber's place in the sequence; numbers are to rise by one.

    Attributes:
        expected: the number that comes next.
        missing: numbers that were jumped over and have not come.
    """

    __slots__ = ("doubled", "expected", "missing", "reordered")

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.missing: set[int] = set()
        self.doubled = 0
        self.reordered = 0

    def enter(self, seq: int) -> bool:
        """Take a number in; whether it is new."""
        if seq == self.expected:
            self.expected = seq + 1
            return True
        if seq > self.expected:
            self.missing.update(range(self.expected, seq))
            self.expected = seq + 1
            return True
        if seq in self.missing:
            self.missing.discard(seq)
            self.reordered += 1
            return True
        self.doubled += 1
        return False

    def faults(self, last: int) -> Counter[str]:
        """What is wrong with the sequence, when `last` was the last number published."""
        return Counter(
            lost=len(self.missing) + max(0, last + 1 - self.expected), doubled=self.doubled, reordered=self.reordered
        )


class Ledger:
    """What was published when, and how long each receipt took, in nanoseconds.

    Attributes:
        readers: how many subscribers are to receive each event.
        complete: how many events all of them have received.
    """

    def __init__(self) -> None:
        self.last = 0
        self.readers = 0
        self.complete = 0
        self.received = 0
        self.latencies_ns = array("q")
        self.sent_at_ns: dict[int, int] = {}
        self._receipts: dict[int, int] = {}

    def begin(self, last: int, readers: int) -> None:
        """Start counting anew, behind the number `last`."""
        self.last, self.readers = last, readers
        self.complete = self.received = 0
        self.latencies_ns = array("q")
        self.sent_at_ns.clear()
        self._receipts.clear()

    def publish(self, now_ns: int) -> int:
        """The number of the event that is sent now."""
        self.last += 1
        self.sent_at_ns[self.last] = now_ns
        self._receipts[self.last] = 0
        if self.readers == 0:
            self.complete += 1
        return self.last

    def receive(self, seq: int, now_ns: int) -> None:
        """A subscriber has got an event for the first time; one that was not published here counts for nothing."""
        sent_at_ns = self.sent_at_ns.get(seq)
        if sent_at_ns is None:
            return
        self.received += 1
        self.latencies_ns.append(now_ns - sent_at_ns)
        receipts = self._receipts[seq] + 1
        self._receipts[seq] = receipts
        if receipts == self.readers:
            self.complete += 1
