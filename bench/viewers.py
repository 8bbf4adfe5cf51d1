"""Viewers of live waveforms: each must get every frame from its first one on, once and in order."""

from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from collections.abc import Mapping

from bench.clients import Clients
from bench.ledger import Account
from bench.load import MOST_KNOWN
from bench.websocket import BrokenFrameError
from bench.wire import READ_BYTES, Poll, Wire

#: Where a frame of a waveform says when it began, in JSON as in MessagePack.
_TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")

#: The account of a viewer who has got nothing.
_NOTHING_CAME = Account(0)


class Viewers(Clients):
    """Viewers under one poll. All of them get the same bytes, so that each of those is taken apart once.

    Args:
        sent_at_ns: of each timestamp, its frame's number and when it was sent.

    Attributes:
        latencies_ns: from just before the frame's group was sent to the viewer's having read it.
    """

    called = "viewer"

    def __init__(self, poll: Poll, sent_at_ns: Mapping[bytes, tuple[int, int]]) -> None:
        super().__init__(poll)
        self.received = 0
        self.bytes_received = 0
        self.latencies_ns = array("q")
        self._sent_at_ns = sent_at_ns
        self._accounts: dict[int, Account] = {}
        self._known: dict[bytes, list[tuple[int, int]]] = {}

    def begin(self) -> None:
        """Start counting anew."""
        self.received = self.bytes_received = 0
        self.latencies_ns = array("q")

    def faults(self, last: int) -> Counter[str]:
        """How many frames were lost, doubled and reordered, over all viewers."""
        total: Counter[str] = Counter()
        for index in range(len(self.wires)):
            total += self._accounts.get(index, _NOTHING_CAME).faults(last)
        return total

    def verdict(self, last: int) -> list[str]:
        """Everything that is wrong with the run so far, when `last` was the last frame."""
        return [f"{number:,} frames {fault}" for fault, number in self.faults(last).items() if number] + self.problems

    def wait_for(self, last: int, *, within_seconds: float = 10.0) -> None:
        """Return when everybody has got this frame, or nobody gets anything any more."""
        until = time.monotonic() + within_seconds
        while time.monotonic() < until and not self._all_have(last):
            self._poll.pump(0.1)

    def _all_have(self, last: int) -> bool:
        accounts = self._accounts.values()
        return len(accounts) == len(self.wires) and all(account.expected > last for account in accounts)

    def _take(self, index: int, wire: Wire) -> None:
        try:
            data = wire.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._cut_off(index, wire, str(error))
            return
        now_ns = time.monotonic_ns()
        self.bytes_received += len(data)
        is_between = wire.reader.is_between_frames
        frames = self._known.get(data) if is_between else None
        if frames is None:
            try:
                frames = self._understand(wire, data)
            except BrokenFrameError as error:
                self._cut_off(index, wire, str(error))
                return
            if wire.closed is not None:
                self._cut_off(index, wire, wire.closed)
                return
            if is_between and wire.reader.is_between_frames and frames:
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[data] = frames
        if not frames:
            return
        account = self._accounts.get(index)
        if account is None:
            # A viewer is one from some moment after the handshake on: what it gets first tells when.
            account = self._accounts[index] = Account(frames[0][0])
        for number, sent_ns in frames:
            account.enter(number)
            self.latencies_ns.append(now_ns - sent_ns)
        self.received += len(frames)

    def _understand(self, wire: Wire, data: bytes) -> list[tuple[int, int]]:
        """The frames among what has come, each with its number and when it was sent; all else is passed over."""
        frames = []
        for _, payload in wire.understand(data):
            # A rate that is counted from the ECG may have the very time of a frame.
            found = _TIMESTAMP.search(payload) if b"samples" in payload else None
            sent = None if found is None else self._sent_at_ns.get(found[0])
            if sent is not None:
                frames.append(sent)
        return frames
