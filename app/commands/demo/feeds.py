"""What the demo hears: every alert from the admins' stream, and each bed's numerics from its viewers' socket.

Both come back after a lost connection, the alerts from exactly where they were.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Protocol

import httpx
from httpx_sse import EventSource, ServerSentEvent
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from app.commands.connection import (
    CLOSE_TIMEOUT_SECONDS,
    VIEWER_SOCKET,
    backoff_seconds,
    explain_loss,
    websocket_address,
)
from app.commands.readings import now

STREAM: Final = "/api/v1/alerts/stream"
EVERYBODY: Final = {"role": "admin", "patient_id": "*"}

#: The terminal draws no waveforms: of each curve so few samples a second come that they cost next to nothing, while
#: numerics, of which one comes each second, are hardly ever held back.
MOST_SHOWN_HZ: Final = "2"

#: The server sends something every 30 s: after 45 s of silence it is gone.
SILENCE_SECONDS: Final = 45.0

Token = Callable[[], Awaitable[str]]


class Watcher(Protocol):
    """Is told what is heard, in the order in which it happens."""

    def opened(self, *, recovered: bool) -> None: ...
    def ready(self, now: datetime) -> None: ...
    def lost(self, why: str, now: datetime) -> None: ...
    def heed(self, text: str, now: datetime) -> None: ...
    def alert(self, event: Mapping[str, Any]) -> None: ...
    def vital(self, frame: Mapping[str, Any]) -> None: ...


class AlertFeed:
    """Follows every patient's alerts for ever, and never misses or repeats one."""

    def __init__(self, url: str, token: Token, watcher: Watcher) -> None:
        self._url = url
        self._token = token
        self._watcher = watcher
        self._cursor = ""
        self._failures = 0
        self._retry_seconds = 1.0

    async def follow(self) -> None:
        """Never returns."""
        timeout = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=timeout) as http:
            while True:
                try:
                    why = await self._follow_once(http)
                except httpx.ReadTimeout:
                    why = f"nothing heard for {SILENCE_SECONDS:g} s"
                except httpx.RequestError as error:
                    why = str(error) or type(error).__name__
                self._watcher.lost(why, now())
                self._failures += 1
                await asyncio.sleep(self._retry_seconds + backoff_seconds(self._failures))

    async def _follow_once(self, http: httpx.AsyncClient) -> str:
        """Read until the stream ends, and return why it did."""
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {await self._token()}"}
        if self._cursor:
            headers["Last-Event-ID"] = self._cursor
        why = "the server ended the stream"
        async with http.stream("GET", STREAM, params=EVERYBODY, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                return f"the server refused ({answer.status_code}): {answer.text[:200]}"
            async with aclosing(EventSource(answer).aiter_sse()) as events:
                async for event in events:
                    if event.event == "stream.closing":
                        why = f"the server closed the stream: {json.loads(event.data).get('reason')}"
                    self._take(event)
        return why

    def _take(self, event: ServerSentEvent) -> None:
        if event.retry is not None:
            self._retry_seconds = event.retry / 1000
        match event.event:
            case "stream.opened":
                self._watcher.opened(recovered=bool(json.loads(event.data).get("recovered")))
            case "stream.ready":
                self._failures = 0
                self._watcher.ready(now())
            case "message" if event.data:  # A keepalive has no data; all that it does is move the cursor.
                self._watcher.alert(json.loads(event.data))
        self._cursor = event.id or self._cursor


async def follow_vitals(patient_id: str, *, url: str, token: Token, watcher: Watcher) -> None:
    """Pass on each numeric of one patient, for ever. While the socket is gone, the numbers age on the screen."""
    address = websocket_address(url, VIEWER_SOCKET, patient_id=patient_id, max_hz=MOST_SHOWN_HZ)
    failures = 0
    while True:
        headers = {"Authorization": f"Bearer {await token()}"}
        try:
            async with connect(
                address,
                additional_headers=headers,
                compression=None,
                proxy=None,
                close_timeout=CLOSE_TIMEOUT_SECONDS,
            ) as socket:
                async for message in socket:
                    failures = 0
                    watcher.vital(json.loads(message))
        except (OSError, WebSocketException) as error:
            if failures == 0:
                watcher.heed(f"viewer of {patient_id}: {explain_loss(error)}", now())
        failures += 1
        await asyncio.sleep(backoff_seconds(failures))
