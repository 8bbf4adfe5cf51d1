"""Clients of a server under one poll, and what goes wrong with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from bench.load import MOST_PROBLEMS
from bench.wire import Poll, Wire


class Clients(ABC):
    """Clients of one sort, each with a WebSocket of its own.

    Attributes:
        called: what each of them is.
        problems: what has gone wrong, each thing once, and no more of them than somebody would read.
    """

    called: ClassVar[str]

    def __init__(self, poll: Poll) -> None:
        self.wires: list[Wire] = []
        self.problems: list[str] = []
        self._poll = poll

    def connect(self, address: tuple[str, int], requests: Sequence[bytes]) -> None:
        """One client for each request, in addition.

        Raises:
            OpeningError: one is refused.
        """
        for request in requests:
            index = len(self.wires)
            wire = Wire(address, index, request)
            self.wires.append(wire)
            self._poll.add(wire.fd, partial(self._take, index, wire))

    def close(self) -> None:
        """Every client leaves."""
        for wire in self.wires:
            self._poll.remove(wire.fd)
            wire.close()
        self.wires.clear()

    @abstractmethod
    def _take(self, index: int, wire: Wire) -> None:
        """Read what has come for this client."""

    def _cut_off(self, index: int, wire: Wire, why: str) -> None:
        self._poll.remove(wire.fd)
        self._problem(f"{self.called} {index} was cut off: {why}")

    def _problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS and text not in self.problems:
            self.problems.append(text)
