"""The live wire between the parts of a node, and later between nodes.

A message on the bus is a hint that something is there to be read, never the thing itself: the
database holds the truth, and every subscriber also looks by itself now and then. Losing a message
costs time, not data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

Handler = Callable[[bytes], None]
Unsubscribe = Callable[[], None]

_log = structlog.get_logger(__name__)


class Bus(Protocol):
    def publish(self, subject: str, message: bytes) -> None:
        """Hand the message to every subscriber of the subject; returns at once."""
        ...

    def is_heard(self, subject: str) -> bool:
        """Whether anybody may be listening; what nobody hears need not be made."""
        ...

    def subscribe(self, subject: str, handler: Handler) -> Unsubscribe:
        """Call `handler` with each message until the returned function is called."""
        ...

    def is_healthy(self) -> bool:
        """Whether messages reach the other nodes."""
        ...


class InProcessBus:
    """The bus of a single process: a dictionary of handlers, called in the order they came."""

    def __init__(self) -> None:
        self._handlers: dict[str, dict[object, Handler]] = {}

    def publish(self, subject: str, message: bytes) -> None:
        for handler in tuple(self._handlers.get(subject, {}).values()):
            try:
                handler(message)
            except Exception:
                # One subscriber's error must not keep the message from the others.
                _log.exception("bus.handler_failed", subject=subject)

    def is_heard(self, subject: str) -> bool:
        return subject in self._handlers

    def subscribe(self, subject: str, handler: Handler) -> Unsubscribe:
        place = object()
        self._handlers.setdefault(subject, {})[place] = handler

        def unsubscribe() -> None:
            handlers = self._handlers.get(subject, {})
            handlers.pop(place, None)
            if not handlers:
                self._handlers.pop(subject, None)

        return unsubscribe

    def is_healthy(self) -> bool:
        return True

    def subscriber_count(self) -> int:
        return sum(len(handlers) for handlers in self._handlers.values())
