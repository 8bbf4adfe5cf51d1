"""Sending a recording so that each reading arrives once, at its time, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from app.commands.connection import (
    CLOSE_TIMEOUT_SECONDS,
    POLICY_VIOLATION,
    CommandError,
    backoff_seconds,
    explain_loss,
    is_final,
)
from app.commands.readings import RisingClock, encode_reading
from app.commands.recordings import Row

#: After so many frames the server is asked to confirm them: this bounds what is sent again after a lost connection.
FLUSH_EVERY_FRAMES: Final = 2000
FLUSH_TIMEOUT_SECONDS: Final = 60.0
ATTEMPTS: Final = 6


class Observer(Protocol):
    """Is told what happens while a recording plays."""

    def played(self, rows: int) -> None: ...
    def refused(self, frame: object, code: object, detail: object) -> None: ...
    def lost(self, why: str, wait_seconds: float) -> None: ...


class Player:
    """Plays rows to one patient's socket.

    Frames that the server has not confirmed are kept, and sent again as they were after a lost connection: the
    server knows a reading by patient, type and timestamp, and takes it once.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        address: str,
        token: str,
        speed: float,
        observer: Observer,
        backoff: Callable[[int], float] = backoff_seconds,
    ) -> None:
        self._rows = rows
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self._speed = speed
        self._observer = observer
        self._backoff = backoff
        self._clock = RisingClock()
        self._played = 0
        self._due: float | None = None
        self._unconfirmed: list[str] = []
        self._reached = False
        self._failures = 0
        self.sent = 0
        self.refused = 0

    async def play(self) -> None:
        """Return when the server has stored and ruled on every row.

        Raises:
            CommandError: the server is not there, refuses, or was lost and did not come back.
        """
        while True:
            try:
                async with connect(
                    self._address,
                    additional_headers=self._headers,
                    compression=None,
                    close_timeout=CLOSE_TIMEOUT_SECONDS,
                ) as socket:
                    self._reached = True
                    await self._play_over(Link(socket, self._observer))
                    return
            except (OSError, WebSocketException) as error:
                await self._recover(error)

    async def _recover(self, error: Exception) -> None:
        """Wait before the next try, or raise where there is none."""
        if _is_refusal(error):
            raise CommandError(explain_loss(error)) from error
        if not self._reached:
            raise CommandError(f"cannot reach {self._address.partition('?')[0]}: {explain_loss(error)}") from error
        self._failures += 1
        if self._failures >= ATTEMPTS:
            raise CommandError(f"{explain_loss(error)}; gave up after {ATTEMPTS} tries") from error
        seconds = self._backoff(self._failures)
        self._observer.lost(explain_loss(error), seconds)
        await asyncio.sleep(seconds)

    async def _play_over(self, link: Link) -> None:
        listening = asyncio.create_task(link.listen())
        try:
            for frame in self._unconfirmed:
                await link.send(frame)
            while self._played < len(self._rows):
                await self._play_row(link, self._rows[self._played])
                if len(self._unconfirmed) >= FLUSH_EVERY_FRAMES:
                    await self._confirm(link)
            await self._confirm(link)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _play_row(self, link: Link, row: Row) -> None:
        await self._wait_for(row)
        sent_at = self._clock.tick()
        frames = [encode_reading(kind, value, sent_at) for kind, value in row.readings.items()]
        # They count as sent before they are: whatever a lost connection has swallowed is then sent again.
        self._unconfirmed += frames
        self._played += 1
        self.sent += len(frames)
        for frame in frames:
            await link.send(frame)
        self._observer.played(self._played)

    async def _wait_for(self, row: Row) -> None:
        now = asyncio.get_running_loop().time()
        if self._played == 0 or self._due is None:
            self._due = now
        else:
            gap = row.offset_seconds - self._rows[self._played - 1].offset_seconds
            # Rows that are late because the server was away are not made up for in a burst: the recording moves on.
            self._due = max(self._due + gap / self._speed, now)
        if self._due > now:
            await asyncio.sleep(self._due - now)

    async def _confirm(self, link: Link) -> None:
        self.refused += await link.flush()
        self._unconfirmed.clear()
        self._failures = 0


class Link:
    """One connection to the mobile socket, read while it is written to, so that neither side waits for the other."""

    def __init__(self, socket: ClientConnection, observer: Observer) -> None:
        self._socket = socket
        self._observer = observer
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._flushes = 0
        self._errors = 0

    async def send(self, frame: str) -> None:
        """Send one text frame."""
        await self._socket.send(frame)

    async def listen(self) -> None:
        """Read until the connection ends: errors go to the observer, answers to whoever flushes."""
        try:
            async for message in self._socket:
                self._take(message)
        finally:
            self._answers.put_nowait(None)

    async def flush(self) -> int:
        """Return when all that was sent has been stored and ruled on: how much of it since the last time was refused.

        Raises:
            ConnectionClosed: the connection ended first.
            TimeoutError: no answer came for a minute.
        """
        self._flushes += 1
        await self._socket.send(json.dumps({"event": "flush", "id": self._flushes}))
        async with asyncio.timeout(FLUSH_TIMEOUT_SECONDS):
            while (answer := await self._answers.get()) is not None:
                if answer.get("id") == self._flushes:
                    before, self._errors = self._errors, int(answer.get("errors", 0))
                    return self._errors - before
        raise self._socket.protocol.close_exc

    def _take(self, message: str | bytes) -> None:
        try:
            frame = json.loads(message)
        except ValueError:
            return
        if not isinstance(frame, dict):
            return
        if frame.get("event") == "flushed":
            self._answers.put_nowait(frame)
        elif frame.get("event") == "error":
            self._observer.refused(frame.get("frame"), frame.get("code"), frame.get("detail"))


def _is_refusal(error: Exception) -> bool:
    """Whether trying again would get the same answer."""
    if isinstance(error, InvalidStatus):
        return is_final(error.response.status_code)
    return isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code == POLICY_VIOLATION
