"""Follows the end of the alert log, and hands what is new to this node's readers, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from app.core.bus import Bus
from app.core.tasks import until_beat
from app.modules.alerts.schemas import LogEntry, LogReader

#: What is published says how far the log goes now.
SUBJECT = "alerts.log"

Follower = Callable[[Sequence[LogEntry], int], None]


class LogTail:
    """Reads on when the bus says that the log has grown, and looks by itself now and then.

    The bus only makes it quick: a message that is lost, or an event that another process wrote,
    is found at the next look.
    """

    def __init__(self, log: LogReader, bus: Bus, *, poll_seconds: float) -> None:
        self._log = log
        self._bus = bus
        self._poll_seconds = poll_seconds
        self._followers: list[Follower] = []
        self._wake = anyio.Event()
        self.position = 0

    def add_follower(self, follower: Follower) -> None:
        """Call `follower(entries, through)` with everything new; it must not wait, nor raise."""
        self._followers.append(follower)

    def take_written(self, entries: Sequence[LogEntry]) -> None:
        """Take in what this process has just committed, without reading it again where it follows on.

        The log has no gaps, so that what follows on this node's position is all there is up to its own
        end. Where it does not, somebody else has written in between, and the log is read.
        """
        if entries[0].seq == self.position + 1:
            self._hand_on(entries, entries[-1].seq)
        self._bus.publish(SUBJECT, b"%d" % entries[-1].seq)

    async def start(self) -> None:
        """Begin at the present end of the log: what lies before it is read by those who need it."""
        self.position = (await self._log.bounds()).head
        for follower in self._followers:
            follower((), self.position)

    async def run(self) -> None:
        """Follow the log for ever."""
        unsubscribe = self._bus.subscribe(SUBJECT, self._hear)
        try:
            while True:
                self._wake = anyio.Event()
                await self._read_on()
                with anyio.move_on_after(until_beat(self._poll_seconds)):
                    await self._wake.wait()
        finally:
            unsubscribe()

    def _hear(self, head: bytes) -> None:
        if int(head) > self.position:
            self._wake.set()

    async def _read_on(self) -> None:
        is_last = (await self._log.bounds()).head <= self.position
        while not is_last:
            page = await self._log.page(None, after=self.position)
            is_last = page.is_last
            # The position may have moved on while the page was read.
            new = [entry for entry in page.entries if entry.seq > self.position]
            if page.through > self.position:
                self._hand_on(new, page.through)

    def _hand_on(self, entries: Sequence[LogEntry], through: int) -> None:
        self.position = through
        for follower in self._followers:
            follower(entries, through)
