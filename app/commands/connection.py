"""Reaching a running server from a command: its addresses, its refusals, and how long to wait before the next try."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus

MOBILE_SOCKET: Final = "/api/v1/vitals/ws/mobile"
VIEWER_SOCKET: Final = "/api/v1/vitals/ws/frontend"

WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}

FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 15.0

#: How long a server may take to answer the end of a conversation: there is nothing left to lose by then.
CLOSE_TIMEOUT_SECONDS: Final = 2.0

#: 4xx answers that another try can change: timeout, too early, too many requests.
PASSING_STATUSES: Final = frozenset({408, 425, 429})

#: A socket closed with this code was refused, not lost: asking again gets the same answer (RFC 6455, 7.4.1).
POLICY_VIOLATION: Final = 1008


class CommandError(Exception):
    """A command that cannot go on; its text is the one line that the person at the terminal reads.

    Attributes:
        details: lines that help to find out why, such as the end of a log; may be empty.
    """

    def __init__(self, line: str, details: str = "") -> None:
        super().__init__(line)
        self.details = details


def websocket_address(url: str, path: str, **query: str) -> str:
    """The address of a socket of the server at `url`.

    Raises:
        CommandError: `url` is not the address of a web server.
    """
    try:
        parts = urlsplit(url)
        scheme = WEBSOCKET_SCHEMES[parts.scheme]
        if not parts.hostname or parts.port == 0:
            raise ValueError(url)
    except (ValueError, KeyError):
        raise CommandError(f"{url!r} is not a server's address: write it as http://127.0.0.1:8000") from None
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + path, urlencode(query), ""))


def is_final(status: int) -> bool:
    """Whether a handshake answered with this status would be answered so again."""
    return status < 500 and status not in PASSING_STATUSES


def explain_refusal(error: InvalidStatus) -> str:
    """What the server said when it refused a handshake: the detail of its problem+json, where it sent one."""
    status = error.response.status_code
    try:
        problem = json.loads(error.response.body)
    except ValueError:
        problem = None
    if isinstance(problem, dict) and (detail := problem.get("detail") or problem.get("title")):
        return f"the server refused ({status}): {detail}"
    return f"the server refused with HTTP {status} {error.response.reason_phrase}".rstrip()


def explain_loss(error: Exception) -> str:
    """Why a connection ended, in a few words."""
    if isinstance(error, ConnectionClosed):
        if error.rcvd is None:
            return "the connection broke off"
        return f"the server closed the connection ({error.rcvd.code}): {error.rcvd.reason or 'no reason given'}"
    if isinstance(error, InvalidStatus):
        return explain_refusal(error)
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__


def backoff_seconds(failures: int, draw: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row; full jitter, so that clients do not come back in step."""
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16))
    return draw() * longest
