"""Where the time comes from: handed in, so that nothing below reads a clock by itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def seconds(self) -> float:
        """The same in seconds since 1970, for what happens thousands of times a second."""
        ...


class SystemClock:
    """The clock of this machine."""

    #: The system's own function: what calls it calls nothing in between.
    seconds = staticmethod(time.time)

    def now(self) -> datetime:
        return datetime.now(UTC)
