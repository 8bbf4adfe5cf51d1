"""PURE: what has arrived from one device and is not worked off: waveforms, and apart from them everything else."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

#: What waits, beyond which nothing more is read from the device until half of it is worked off. What is under way
#: then comes late, but reading it only to throw it away would leave no time for anything else.
MOST_WAVEFORMS: Final = 256
MOST_OTHERS: Final = 1000
MOST_BYTES: Final = 262_144

#: A waveform that has waited for so long is thrown away unread: nobody wants it any more.
STALE_SECONDS: Final = 5.0

#: A device that is so far ahead of us is asked to slow down.
MANY: Final = 200
OLD_SECONDS: Final = 1.0


class Arrived(NamedTuple):
    """One message.

    Attributes:
        number: counted from 1 on its socket.
        at: when it arrived, in seconds of the event loop.
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
        if len(self) > MANY:
            return True
        return any(queue and now - queue[0].at > OLD_SECONDS for queue in (self.waveforms, self.others))

    def put(self, arrived: Arrived, *, is_waveform: bool) -> None:
        """Take a message; one that is no waveform stays in its place until it has been worked off."""
        (self.waveforms if is_waveform else self.others).append(arrived)
        self._bytes += len(arrived.message)

    def next_waveform(self) -> Arrived:
        """The oldest waveform, which is taken out."""
        arrived = self.waveforms.popleft()
        self._bytes -= len(arrived.message)
        return arrived

    def drop_stale(self, now: float) -> int:
        """Throw away the waveforms that have waited too long; tells how many."""
        before = self.dropped
        while self.waveforms and now - self.waveforms[0].at > STALE_SECONDS:
            self.next_waveform()
            self.dropped += 1
        return self.dropped - before

    def done_with_other(self) -> None:
        """The oldest of the others has been worked off."""
        self._bytes -= len(self.others.popleft().message)

    def has_waveforms_before(self, number: int) -> bool:
        """Whether a waveform waits that arrived before the message with this number."""
        return bool(self.waveforms) and self.waveforms[0].number < number

    def clear(self) -> None:
        """Throw away what waits."""
        self.waveforms.clear()
        self.others.clear()
        self._bytes = 0
