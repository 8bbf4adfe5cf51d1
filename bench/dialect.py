"""PURE: what a message means: an event with its number, the end of the opening, or neither."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

from bench.events import CONDITION_PREFIX


@dataclass(frozen=True, slots=True)
class Event:
    """One alert; the numbers of a stream's events rise by one."""

    seq: int


@dataclass(frozen=True, slots=True)
class Opened:
    """The server has said where in its log the stream stands."""

    epoch: str
    seq: int
    recovered: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything up to `seq` has been sent; from here on the stream is live."""

    seq: int
    sent: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A keepalive: the server says that everything up to `seq` has been sent."""

    seq: int


@dataclass(frozen=True, slots=True)
class Closing:
    """The server is about to end the stream."""

    reason: str


Meaning = Event | Opened | Ready | Reached | Closing | None


class Dialect(Protocol):
    """How one server speaks."""

    @property
    def announces_ready(self) -> bool:
        """Whether a message ends the opening; otherwise the head of the answer does."""
        ...

    def read(self, message: bytes) -> Meaning: ...


_SEQ = re.compile(rb'"condition":\s?"' + CONDITION_PREFIX.encode() + rb'(\d+)"')


class NumberInEvent:
    """The peers: the number is that of the alert inside the JSON."""

    announces_ready = False

    def read(self, message: bytes) -> Meaning:
        found = _SEQ.search(message)
        return None if found is None else Event(int(found[1]))


_ID = re.compile(rb"^id: (\S+)-(\d+)$", re.MULTILINE)
_NAME = re.compile(rb"^event: (\S+)$", re.MULTILINE)
_DATA = re.compile(rb"^data: (.*)$", re.MULTILINE)


class TocsinDialect:
    """Tocsin: ids are `<epoch>-<seq>`, and stream control has names."""

    announces_ready = True

    def read(self, message: bytes) -> Meaning:
        name, data, identity = _NAME.search(message), _DATA.search(message), _ID.search(message)
        if data is None:
            return None if identity is None else Reached(int(identity[2]))
        if name is None:
            return None if identity is None else Event(int(identity[2]))
        told = json.loads(data[1])
        if name[1] == b"stream.opened":
            seq = int(told["cursor"].rpartition("-")[2])
            return Opened(told["epoch"], seq, told["recovered"])
        if name[1] == b"stream.ready":
            return Ready(int(told["cursor"].rpartition("-")[2]), told["sent"])
        if name[1] == b"stream.closing":
            return Closing(told["reason"])
        return None
