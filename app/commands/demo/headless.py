"""The demo as plain lines: a line for each alert event, and for each change of the connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.commands.demo.model import SYMBOLS, TECHNICAL_SYMBOL, describe, read_time, says_it_all
from app.commands.readings import now

Event = Mapping[str, Any]


class Lines:
    """A watcher that writes what it is told."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def opened(self, *, recovered: bool) -> None:
        """Nothing to say yet."""

    def ready(self, now: datetime) -> None:
        """The stream is complete."""
        self._write(f"{clock(now)} --- listening to alerts")

    def lost(self, why: str, now: datetime) -> None:
        """The stream is gone."""
        self._write(f"{clock(now)} {TECHNICAL_SYMBOL} CONNECTION LOST: {why}")

    def heed(self, text: str, now: datetime) -> None:
        """Something else happened."""
        self._write(f"{clock(now)} --- {text}")

    def alert(self, event: Event) -> None:
        """An alert event."""
        self._write(format_event(event))

    def vital(self, frame: Event) -> None:
        """Numerics are for the view: here they would drown the alerts."""


def format_event(event: Event) -> str:
    """`12:00:05 *** bed-3 spo2 79 < 80 %: alert, critical, dda6f61b…`."""
    technical = event.get("kind") == "technical"
    symbol = TECHNICAL_SYMBOL if technical else SYMBOLS.get(str(event.get("priority")), SYMBOLS["low"])
    happened_at = read_time(event.get("occurredAt")) or read_time(event.get("timestamp")) or now()
    what = str(event.get("event")).removeprefix("alert_")
    if what == "acknowledged":
        what += f" by {event.get('acknowledgedBy')}"
    elif what == "escalated":
        what += f" to level {event.get('escalationLevel')}"
    named = "" if says_it_all(event) else f"{event.get('vitalType')} "
    subject = f"{event.get('patientId')} {named}{describe(event)}"
    return f"{clock(happened_at)} {symbol} {subject}: {what}, {event.get('tier')}, {event.get('alertId')}"


def clock(moment: datetime) -> str:
    """The time of day where the person at the terminal is."""
    return moment.astimezone().strftime("%H:%M:%S")
