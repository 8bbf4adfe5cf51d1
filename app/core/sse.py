"""PURE: event-stream framing, as the HTML standard defines it (section 9.2, Server-sent events).

An event is encoded once, however many people read it: what leaves here are the very bytes that are
written to each connection.
"""

from __future__ import annotations

import re

_LINE_BREAK = re.compile(rb"\r\n|\r|\n")
_FORBIDDEN_IN_FIELD = re.compile(r"[\r\n\x00]")

#: Sent when a stream has been quiet, so that proxies and clients know that it lives.
KEEPALIVE_COMMENT = b": keepalive\n"


class SSEFieldError(ValueError):
    """An `id` or `event` value that would end its line and so forge another field."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} must hold no CR, LF or NUL")
        self.field = field


def encode_event(
    data: bytes, *, event: str | None = None, event_id: str | None = None, retry_ms: int | None = None
) -> bytes:
    """One complete message: what `EventSource` dispatches when the blank line arrives.

    Raises:
        SSEFieldError: `event` or `event_id` holds a CR, LF or NUL.
    """
    head = _fields(event=event, event_id=event_id, retry_ms=retry_ms)
    if b"\n" not in data and b"\r" not in data:
        return head + b"data: " + data + b"\n\n"
    lines = _LINE_BREAK.split(data)
    return head + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"


def encode_keepalive(event_id: str | None) -> bytes:
    """A message without data: it dispatches nothing, and moves the client's last event id to `event_id`."""
    return _fields(event_id=event_id) + KEEPALIVE_COMMENT + b"\n"


def _fields(*, event: str | None = None, event_id: str | None = None, retry_ms: int | None = None) -> bytes:
    head = b""
    if retry_ms is not None:
        head += b"retry: %d\n" % retry_ms
    if event_id is not None:
        _refuse_line_breaks("id", event_id)
        head += b"id: " + event_id.encode() + b"\n"
    if event is not None:
        _refuse_line_breaks("event", event)
        head += b"event: " + event.encode() + b"\n"
    return head


def _refuse_line_breaks(field: str, value: str) -> None:
    if _FORBIDDEN_IN_FIELD.search(value):
        raise SSEFieldError(field)
