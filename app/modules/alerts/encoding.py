"""What a subscriber is told, and how each transport says it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from app.core.roles import Role
from app.core.sinks import Framing
from app.core.sse import encode_event, encode_keepalive
from app.modules.alerts.schemas import Cursor, LogEntry


class ClosingReason(StrEnum):
    TOKEN_EXPIRED = "token_expired"
    ACCESS_CHANGED = "access_changed"
    DRAINING = "draining"
    SLOW_CONSUMER = "slow_consumer"
    REPLACED = "replaced"


class NotRecovered(StrEnum):
    """Why a cursor that a client brought could not be served."""

    NOT_AN_ID = "not_an_id"
    UNKNOWN_EPOCH = "unknown_epoch"
    AHEAD_OF_LOG = "ahead_of_log"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Opened:
    """Always first. `recovered`: everything after the client's cursor follows."""

    cursor: Cursor
    recovered: bool
    reason: NotRecovered | None


@dataclass(frozen=True, slots=True)
class Scoped:
    """What is covered from here on: alerts of these patients (none: of all) that are addressed to these roles.

    What is shown of others is to be taken down. With `admin` among the roles, alerts to all of them are covered.
    """

    patient_ids: frozenset[str] | None
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Ready:
    """Snapshot or replay is complete."""

    cursor: Cursor
    sent: int


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Nothing was sent for a while; everything up to the cursor has been served, where there is one."""

    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class Closing:
    """Always last, unless the client goes first."""

    reason: ClosingReason


Message = Opened | Scoped | Ready | Keepalive | Closing


class Encoding(Protocol):
    """The bytes of one transport, without their framing.

    Attributes:
        transport: its name in metrics and the log.
    """

    transport: str

    def event(self, entry: LogEntry) -> bytes:
        """An event of the log, as a live or replayed one."""
        ...

    def snapshot(self, entry: LogEntry) -> bytes:
        """The latest event of an open alert; carries no id, so that a cut makes the snapshot start anew."""
        ...

    def message(self, message: Message) -> bytes:
        """A word about the stream itself; nothing where this transport does not say it."""
        ...


class EventStreamEncoding:
    """Server-sent events: alerts are unnamed messages, everything about the stream itself is named.

    Args:
        retry_ms: about when a client should come back; each gets another time within half of it, so
            that those who were cut off together do not come back together.
    """

    transport = "sse"

    def __init__(self, *, retry_ms: int) -> None:
        self._retry_ms = retry_ms

    def event(self, entry: LogEntry) -> bytes:
        return encode_event(entry.payload, event_id=f"{entry.epoch}-{entry.seq}")

    def snapshot(self, entry: LogEntry) -> bytes:
        return encode_event(entry.payload)

    def message(self, message: Message) -> bytes:
        match message:
            case Keepalive(cursor):
                return encode_keepalive(None if cursor is None else str(cursor))
            case Opened(cursor, recovered, reason):
                data: dict[str, Any] = {"epoch": cursor.epoch, "cursor": str(cursor), "recovered": recovered}
                if reason is not None:
                    data["reason"] = reason
                return encode_event(_json(data), event="stream.opened", retry_ms=self._jittered())
            case Ready(cursor, sent):
                data = {"cursor": str(cursor), "sent": sent}
                return encode_event(_json(data), event="stream.ready", event_id=str(cursor))
            case Scoped(patient_ids, roles):
                data = {"patientIds": None if patient_ids is None else sorted(patient_ids), "roles": sorted(roles)}
                return encode_event(_json(data), event="stream.scope")
            case Closing(reason):
                retry_ms = self._jittered()
                data = {"reason": reason, "retryMs": retry_ms}
                return encode_event(_json(data), event="stream.closing", retry_ms=retry_ms)

    def _jittered(self) -> int:
        return round(self._retry_ms * random.uniform(0.5, 1.5))


class SocketEncoding:
    """The legacy WebSocket: the events and nothing else; it closes with a code and the reason."""

    transport = "websocket"

    def event(self, entry: LogEntry) -> bytes:
        return entry.payload

    def snapshot(self, entry: LogEntry) -> bytes:
        return entry.payload

    def message(self, message: Message) -> bytes:
        return b""


class Wire:
    """An encoding and a framing together: the exact bytes that many connections get.

    There is one for each combination, so that subscribers can be told apart by it.
    """

    def __init__(self, encoding: Encoding, framing: Framing) -> None:
        self.transport = encoding.transport
        self._encoding = encoding
        self.framing = framing

    def event(self, entry: LogEntry) -> bytes:
        """The bytes of an event, made the first time that they are asked for."""
        found = entry.frames.get(self)
        if found is None:
            found = entry.frames[self] = self.framing(self._encoding.event(entry))
        return found

    def events(self, entries: Sequence[LogEntry]) -> bytes:
        return b"".join([self.event(entry) for entry in entries])

    def snapshot(self, entries: Sequence[LogEntry]) -> bytes:
        return b"".join([self.framing(self._encoding.snapshot(entry)) for entry in entries])

    def message(self, message: Message) -> bytes:
        body = self._encoding.message(message)
        return self.framing(body) if body else b""

    def last_words(self, message: Closing) -> bytes:
        """The closing message, unframed: the sink ends the connection in its own way."""
        return self._encoding.message(message)


def _json(document: dict[str, Any]) -> bytes:
    return msgspec.json.encode(document)
