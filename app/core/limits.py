"""How many connections one process takes, and how fast; each refusal says which limit it is, and when to come back.

Short requests keep the last twentieth of the connections for themselves, so that a nurse can acknowledge
on a server that has no place left for another stream.
"""

from __future__ import annotations

import random
import time

from app.core.errors import AppError
from app.core.metrics import Metrics

STREAMS_SHARE = 0.95

#: Connections that may come at once, as seconds of the rate: after a restart everybody comes together.
BURST_SECONDS = 5

#: A refused client is asked to wait for so long, so that they do not all come back at the same moment.
_RETRY_SECONDS = (5, 15)


class LimitReached(AppError):
    """A limit that the operator has set, or that the machine has; it is counted under its code."""

    def __init__(self, detail: str, *, retry_seconds: int | None = None) -> None:
        wait_seconds = retry_seconds or random.randint(*_RETRY_SECONDS)
        super().__init__(f"{detail}; come back in {wait_seconds} s", headers={"Retry-After": str(wait_seconds)})


class TooManyConnections(LimitReached):
    status, code = 503, "too_many_connections"


class TooManyNewConnections(LimitReached):
    status, code = 503, "too_many_new_connections"


class TooManyStreams(LimitReached):
    status, code = 429, "too_many_streams"


class TokenBucket:
    """So many things per second, and some at once after a quiet time."""

    def __init__(self, *, rate_hz: float, burst: float, now: float) -> None:
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more is within the rate."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate_hz)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class ConnectionLimits:
    """The limits of one process.

    Args:
        connections: TCP connections in all, idle ones as well.
        new_per_second: of these so many new ones in a second; 0 for no limit.
        streams_per_user: event streams and alert sockets that one account may have open; 0 for no limit.
    """

    def __init__(self, metrics: Metrics, *, connections: int, new_per_second: float, streams_per_user: int) -> None:
        self.connections = connections
        self._metrics = metrics
        self._streams_per_user = streams_per_user
        self._new_per_second = new_per_second
        # With less than one, no connection would ever be taken.
        burst = max(1.0, new_per_second * BURST_SECONDS)
        self._bucket = TokenBucket(rate_hz=new_per_second, burst=burst, now=time.monotonic())

    def refuse_connection(self, open_connections: int) -> LimitReached | None:
        """Why a new connection is not served, if it is not.

        Args:
            open_connections: how many there are, with the new one.
        """
        if open_connections > self.connections:
            return self._hit(TooManyConnections(f"this server takes {self.connections} connections"))
        if self._new_per_second and not self._bucket.take(time.monotonic()):
            return self._hit(
                TooManyNewConnections(f"this server takes {self._new_per_second:g} new connections per second")
            )
        return None

    def require_room_for_stream(self, *, open_streams: int, of_this_user: int) -> None:
        """
        Raises:
            TooManyConnections: there are so many streams that only short requests are served.
            TooManyStreams: this account has as many as one may have.
        """
        if open_streams >= self.connections * STREAMS_SHARE:
            raise self._hit(
                TooManyConnections(f"of its {self.connections} connections this server has none for another stream")
            )
        if self._streams_per_user and of_this_user >= self._streams_per_user:
            raise self._hit(TooManyStreams(f"one account may have {self._streams_per_user} streams open"))

    def _hit(self, limit: LimitReached) -> LimitReached:
        self._metrics.limits_hit.labels(limit=limit.code).inc()
        return limit
