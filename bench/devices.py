"""Devices: each sends a frame of its patient's ECG twenty times a second, and every frame is accounted for."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bench.clients import Clients
from bench.deadline import Deadline
from bench.ecg import FRAME_SECONDS, to_timestamp
from bench.websocket import TEXT, BrokenFrameError, masked
from bench.wire import Poll, Wire

#: Devices are not in step: those of one group send together, and the groups one after another.
GROUPS = 25

#: The answer to the question whether everything has been taken may take so long.
FLUSH_SECONDS = 60.0

#: Makes the message of a group, as it goes over the wire, of the frame's number, its timestamp and the group.
MakeMessage = Callable[[int, str, int], bytes]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was sent in a stretch of time.

    Attributes:
        frames: how many.
        seconds: how long it took.
        late_seconds: by how much the load itself was behind at the worst.
        load_share: of one core, by the load.
    """

    frames: int
    seconds: float
    late_seconds: float
    load_share: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What the server says of all devices together, and how long it took to say so."""

    accepted: int
    refused: int
    seconds: float


class Devices(Clients):
    """Devices under one poll. All of a group send the same bytes at the same time.

    Attributes:
        number: of the frame that each of them sends next.
        sent: frames of all devices so far, and readings.
        sent_at_ns: of each timestamp that was sent, its frame's number and just before when.
        told: how often servers have said what, by the event's name.
    """

    called = "device"

    def __init__(self, poll: Poll, message: MakeMessage) -> None:
        super().__init__(poll)
        self.sent = 0
        self.sent_at_ns: dict[bytes, tuple[int, int]] = {}
        self.told: Counter[str] = Counter()
        self._message = message
        self.number = 0
        self._began_at = 0.0
        self._flushed: dict[int, tuple[int, int]] = {}

    def stream(self, seconds: float, on_tick: Callable[[int], None] | None = None) -> Stretch:
        """Send for so long, going on where the last stretch ended.

        Args:
            on_tick: called before the first group of each frame has its turn, with the frame's number.
        """
        groups = [self.wires[at::GROUPS] for at in range(GROUPS)]
        start, sent_before, cpu_before = time.monotonic(), self.sent, time.process_time()
        # The clock of the frames goes on without a gap, whatever was done in between.
        now = time.time()
        if self._began_at + self.number * FRAME_SECONDS < now - FRAME_SECONDS:
            self._began_at = now - self.number * FRAME_SECONDS
        first, late = self.number, 0.0
        while self.number - first < round(seconds / FRAME_SECONDS):
            tick_at = start + (self.number - first) * FRAME_SECONDS
            if on_tick is not None:
                on_tick(self.number)
            for at, group in enumerate(groups):
                due = tick_at + at * FRAME_SECONDS / GROUPS
                while (left := due - time.monotonic()) > 0:
                    self._poll.pump(left)
                late = max(late, -left)
                if group:
                    self._send(at, group)
            self.number += 1
        elapsed = time.monotonic() - start
        share = (time.process_time() - cpu_before) / elapsed
        return Stretch(self.sent - sent_before, elapsed, late, share)

    def _send(self, at: int, group: list[Wire]) -> None:
        number = self.number
        # The first sample of a frame is as old as the frame is long.
        timestamp = to_timestamp(self._began_at + (number - 1 + at / GROUPS) * FRAME_SECONDS)
        message = self._message(number, timestamp, at)
        self.sent_at_ns[timestamp.encode()] = (number, time.monotonic_ns())
        size = len(message)
        for wire in group:
            try:
                if wire.send(message) != size:
                    self._problem("a frame did not fit into the socket: the server does not read")
            except BlockingIOError:
                self._problem("a socket is full: the server does not read")
            except OSError as error:
                self._problem(f"a device was cut off: {error}")
        self.sent += len(group)
        self._poll.pump(0)

    def send_reading(self, index: int, vital_type: str, value: float, unit: str) -> None:
        """One device sends a numeric of now."""
        reading = {"type": vital_type, "value": value, "unit": unit, "timestamp": to_timestamp(time.time())}
        self.wires[index].send(masked(TEXT, json.dumps(reading).encode()))
        self.sent += 1

    def flush(self) -> Tally:
        """What the server has taken of everything sent so far, as it says to each device.

        Raises:
            OverdueError: it does not say so in time.
        """
        self._flushed.clear()
        start, deadline = time.monotonic(), Deadline(FLUSH_SECONDS, "flushing")
        for wire in self.wires:
            if wire.closed is None:
                wire.send(masked(TEXT, b'{"event":"flush","id":1}'))
        while len(self._flushed) < sum(wire.closed is None for wire in self.wires):
            self._poll.pump(0.2)
            deadline.check(f"{len(self._flushed)} of {len(self.wires)} have an answer")
        accepted = sum(accepted for accepted, _ in self._flushed.values())
        refused = sum(refused for _, refused in self._flushed.values())
        return Tally(accepted, refused, time.monotonic() - start)

    def verdict(self, tally: Tally) -> list[str]:
        """Everything that is wrong with the run so far; nothing when each frame was accepted."""
        wrong = list(self.problems)
        if tally.accepted != self.sent:
            wrong.append(f"{tally.accepted:,} of {self.sent:,} frames were accepted")
        if tally.refused:
            wrong.append(f"{tally.refused:,} frames were refused")
        return wrong

    def _take(self, index: int, wire: Wire) -> None:
        try:
            messages = wire.take()
        except BrokenFrameError as error:
            wire.closed, messages = str(error), []
        for _, payload in messages:
            told = json.loads(payload)
            self.told[told.get("event", "?")] += 1
            if told.get("event") == "flushed":
                self._flushed[index] = (told["frames"], told["errors"])
            elif told.get("event") == "error":
                self._problem(f"the server says: {payload.decode()}")
        if wire.closed is not None:
            self._cut_off(index, wire, wire.closed)
