"""Sending a recording so that each frame of it arrives once, at its time, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
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
from app.commands.readings import RisingClock, encode_reading, now
from app.commands.signals import Piece
from app.commands.sources import Step
from app.commands.timeline import Timeline

#: After so many frames the server is asked to confirm them: this bounds what is sent again after a lost connection.
FLUSH_EVERY_FRAMES: Final = 2000

#: The same for waveforms, of which the server knows only the last 256 again.
FLUSH_EVERY_WAVEFORMS: Final = 200

#: How long a replay that goes as fast as it can holds back, when the server asks for it.
SLOW_DOWN_SECONDS: Final = 0.5

FLUSH_TIMEOUT_SECONDS: Final = 60.0
ATTEMPTS: Final = 6


class Observer(Protocol):
    """Is told what happens while a recording plays."""

    def played(self, seconds: float) -> None: ...
    def slowed_down(self) -> None: ...
    def refused(self, frame: object, code: object, detail: object) -> None: ...
    def lost(self, why: str, wait_seconds: float) -> None: ...


@dataclass(slots=True)
class Tally:
    """What was sent, each frame counted once, and how many of the frames the server could not use."""

    rows: int = 0
    readings: int = 0
    waveforms: int = 0
    samples: int = 0
    refused: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class Player:
    """Plays a recording to one patient's socket.

    Frames that the server has not confirmed are kept, and sent again as they were after a lost connection: the
    server knows a frame by what it measures and when, and takes it once. All frames are numbered in one row, as a
    device does.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        address: str,
        token: str,
        speed: float,
        observer: Observer,
        backoff: Callable[[int], float] = backoff_seconds,
    ) -> None:
        self._steps = steps
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}
        self._speed = speed
        self._observer = observer
        self._backoff = backoff
        self._clock = RisingClock()
        self._timeline: Timeline | None = None
        self._played = 0
        self._frames = 0
        self._unconfirmed: list[str | bytes] = []
        self._unconfirmed_waveforms = 0
        self._reached = False
        self._failures = 0
        self.tally = Tally()

    async def play(self) -> None:
        """Return when the server has taken every frame, and stored and ruled on every reading.

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
            while self._played < len(self._steps):
                await self._play_step(link, self._steps[self._played])
                if self._must_confirm() or await self._has_held_back(link):
                    await self._confirm(link)
            await self._confirm(link)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _play_step(self, link: Link, step: Step) -> None:
        timeline = await self._wait_for(step)
        frames = self._encode(step, timeline)
        # They count as sent before they are: whatever a lost connection has swallowed is then sent again.
        self._unconfirmed += frames
        self._played += 1
        for frame in frames:
            await link.send(frame)
        self._observer.played(step.offset_seconds - self._steps[0].offset_seconds)

    def _encode(self, step: Step, timeline: Timeline) -> Sequence[str | bytes]:
        """The frames of a step, stamped: numerics with the time of day, waveforms with their own."""
        first = self._frames
        if isinstance(step, Piece):
            self._frames += 1
            self._unconfirmed_waveforms += 1
            self.tally.waveforms += 1
            self.tally.samples += step.samples
            return [step.encode(timeline.taken_at(step.starts_at_seconds), first)]
        self._frames += len(step.readings)
        self.tally.rows += 1
        self.tally.readings += len(step.readings)
        sent_at = self._clock.tick()
        numbered = enumerate(step.readings.items(), first)
        return [encode_reading(kind, value, sent_at, seq) for seq, (kind, value) in numbered]

    async def _wait_for(self, step: Step) -> Timeline:
        """Return when a step is due; at the first one time begins."""
        loop = asyncio.get_running_loop()
        timeline = self._timeline or self._begin(loop.time())
        # Also where there is nothing to wait for, so that what the server says is heard.
        await asyncio.sleep(max(0.0, timeline.due(step.offset_seconds, loop.time()) - loop.time()))
        return timeline

    def _begin(self, started: float) -> Timeline:
        first = min(step.starts_at_seconds for step in self._steps)
        self._timeline = Timeline(
            first, self._steps[-1].offset_seconds, speed=self._speed, started=started, today=now()
        )
        return self._timeline

    def _must_confirm(self) -> bool:
        return len(self._unconfirmed) >= FLUSH_EVERY_FRAMES or self._unconfirmed_waveforms >= FLUSH_EVERY_WAVEFORMS

    async def _has_held_back(self, link: Link) -> bool:
        """Whether the server has asked for less and got a pause; what plays in its own time just goes on."""
        if not link.is_asked_to_slow_down:
            return False
        link.is_asked_to_slow_down = False
        self._observer.slowed_down()
        if math.isfinite(self._speed):
            return False
        await asyncio.sleep(SLOW_DOWN_SECONDS)
        return True

    async def _confirm(self, link: Link) -> None:
        self.tally.refused += await link.flush()
        self._unconfirmed.clear()
        self._unconfirmed_waveforms = 0
        self._failures = 0


class Link:
    """One connection to the mobile socket, read while it is written to, so that neither side waits for the other."""

    def __init__(self, socket: ClientConnection, observer: Observer) -> None:
        self._socket = socket
        self._observer = observer
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._flushes = 0
        self._errors = 0
        self.is_asked_to_slow_down = False

    async def send(self, frame: str | bytes) -> None:
        """Send one frame: JSON as text, MessagePack as binary."""
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
        elif frame.get("event") == "slow_down":
            self.is_asked_to_slow_down = True
        elif frame.get("event") == "error":
            self._observer.refused(frame.get("frame"), frame.get("code"), frame.get("detail"))


def _is_refusal(error: Exception) -> bool:
    """Whether trying again would get the same answer."""
    if isinstance(error, InvalidStatus):
        return is_final(error.response.status_code)
    return isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code == POLICY_VIOLATION
