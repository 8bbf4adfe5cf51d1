"""PURE: what has arrived from one device and is not worked off: waveforms, and apart from them everything else."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from operator import attrgetter
from typing import Final

import msgspec

#: What waits at most. Where there is more, nothing is read until half of it is worked off, or the oldest waveforms
#: are thrown away.
MOST_WAVEFORMS: Final = 256
MOST_OTHERS: Final = 1000
MOST_BYTES: Final = 262_144

#: A message that is no larger does not count among the bytes, because its like are limited by number.
SMALL_BYTES: Final = 1024

#: A waveform that has waited for so long is thrown away unread: nobody wants it any more.
STALE_SECONDS: Final = 5.0

#: A device that is so far ahead of us is asked to slow down.
MANY: Final = 200
OLD_SECONDS: Final = 1.25

#: Up to so many that wait, nobody asks whether the device is too fast.
FEW: Final = 20


# One is made for every frame; a named tuple takes three times as long for it.
class Arrived(msgspec.Struct, frozen=True, gc=False):
    """One message.

    Attributes:
        number: counted from 1 on its socket.
        at: when it arrived, by our clock, in seconds since 1970.
    """

    number: int
    message: str | bytes
    at: float


class Inbox:
    """Two queues in the order of arrival.

    Attributes:
        dropped: waveforms that were thrown away.
    """

    __slots__ = ("_bytes", "dropped", "others", "waveforms")

    def __init__(self) -> None:
        self.waveforms: deque[Arrived] = deque()
        self.others: deque[Arrived] = deque()
        self.dropped = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.waveforms) + len(self.others)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing more is to be read."""
        return self._bytes > MOST_BYTES or len(self.waveforms) > MOST_WAVEFORMS or len(self.others) > MOST_OTHERS

    @property
    def has_room(self) -> bool:
        """Whether so little waits that it is time to read on."""
        few = len(self.waveforms) <= MOST_WAVEFORMS // 2 and len(self.others) <= MOST_OTHERS // 2
        return few and self._bytes <= MOST_BYTES // 2

    def is_behind(self, now: float) -> bool:
        """Whether more waits, or for longer, than a device should be let go on with."""
        waveforms, others = self.waveforms, self.others
        if len(waveforms) + len(others) > MANY:
            return True
        is_old = bool(waveforms) and now - waveforms[0].at > OLD_SECONDS
        return is_old or (bool(others) and now - others[0].at > OLD_SECONDS)

    @property
    def are_few(self) -> bool:
        """Whether so little waits that nobody need ask whether the device is too fast."""
        return len(self.waveforms) <= FEW and len(self.others) <= FEW and self._bytes <= MOST_BYTES

    def put(self, arrived: Arrived, *, is_waveform: bool) -> None:
        """Take a message; one that is no waveform stays in its place until it has been worked off."""
        (self.waveforms if is_waveform else self.others).append(arrived)
        self._bytes += _weight(arrived)

    def next_waveforms(self, limit: int) -> list[Arrived]:
        """The oldest waveforms, so many at most, which are taken out."""
        some = [self.waveforms.popleft() for _ in range(min(limit, len(self.waveforms)))]
        if self._bytes:
            self._bytes -= sum(map(_weight, some))
        return some

    def is_stale(self, now: float) -> bool:
        """Whether a waveform has waited too long."""
        return bool(self.waveforms) and now - self.waveforms[0].at > STALE_SECONDS

    def drop_stale(self, now: float) -> int:
        """Throw away the waveforms that have waited too long; tells how many."""
        before = self.dropped
        while self.is_stale(now):
            self.next_waveforms(1)
            self.dropped += 1
        return self.dropped - before

    def drop_oldest(self) -> int:
        """Throw away the oldest waveforms until there is room for new ones; tells how many."""
        before = self.dropped
        while self.waveforms and (len(self.waveforms) > MOST_WAVEFORMS // 2 or self._bytes > MOST_BYTES // 2):
            self.next_waveforms(1)
            self.dropped += 1
        return self.dropped - before

    def put_among_others(self, arrived: Arrived) -> None:
        """Put a message that was taken for a waveform where it belongs in the order of arrival."""
        self.others.insert(bisect(self.others, arrived.number, key=_number), arrived)
        self._bytes += _weight(arrived)

    def done_with(self, other: Arrived) -> None:
        """One of the others has been worked off."""
        self.others.remove(other)
        self._bytes -= _weight(other)

    def has_waveforms_before(self, number: int) -> bool:
        """Whether a waveform waits that arrived before the message with this number."""
        return bool(self.waveforms) and self.waveforms[0].number < number

    def clear(self) -> None:
        """Throw away what waits."""
        self.waveforms.clear()
        self.others.clear()
        self._bytes = 0


_number = attrgetter("number")


def _weight(arrived: Arrived) -> int:
    size = len(arrived.message)
    return size if size > SMALL_BYTES else 0
