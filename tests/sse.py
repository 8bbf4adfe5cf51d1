"""Reads an event stream byte by byte as the HTML standard says, and keeps everything for the test to look at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Received:
    """One message of the stream, or a comment."""

    id: str | None
    event: str | None
    data: str | None
    comment: str | None = None
    retry: str | None = None

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.data or "null")
        return document


class EventStream:
    """A stream that is read in the background until it ends or is left."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.received: list[Received] = []
        self.ended = False
        self._response = response
        self._news = anyio.Event()
        self._gate = anyio.Event()
        self._gate.set()

    @classmethod
    @asynccontextmanager
    async def open(cls, http: httpx.AsyncClient, path: str, **kwargs: Any) -> AsyncIterator[EventStream]:
        async with http.stream("GET", path, timeout=PATIENCE_SECONDS, **kwargs) as response:
            stream = cls(response)
            if response.status_code != 200:
                await response.aread()
                stream.ended = True
                yield stream
                return
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream._read)
                yield stream
                tasks.cancel_scope.cancel()

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = self._response.json()
        return document

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alert events so far: unnamed messages, as `EventSource.onmessage` gets them."""
        return [message.json for message in self.received if message.data is not None and message.event is None]

    @property
    def ids(self) -> list[str]:
        return [m.id for m in self.received if m.data is not None and m.event is None and m.id is not None]

    @property
    def seqs(self) -> list[int]:
        """The positions in the log of the alert events so far."""
        return [int(event_id.rsplit("-", 1)[1]) for event_id in self.ids]

    @property
    def cursor(self) -> str:
        """The last id, as a client keeps it."""
        return next(message.id for message in reversed(self.received) if message.id is not None)

    async def next(self, wanted: Callable[[Received], bool], *, after: int = 0) -> Received:
        """Wait for a message, among those received already or to come."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                for message in self.received[after:]:
                    if wanted(message):
                        return message
                assert not self.ended, f"the stream ended; it had {self.received}"
                await self._news.wait()

    async def control(self, name: str) -> dict[str, Any]:
        """Wait for a named message."""
        return (await self.next(lambda message: message.event == name)).json

    async def alert(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for an alert event with these fields."""

        def matches(message: Received) -> bool:
            if message.data is None or message.event is not None:
                return False
            document = message.json
            return document["event"] == event and all(document.get(key) == value for key, value in fields.items())

        return (await self.next(matches)).json

    async def end(self) -> None:
        """Wait until the server has ended the stream."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not self.ended:
                await self._news.wait()

    def stop_reading(self) -> None:
        """Leave what comes in the socket, as a browser tab that was put to sleep does."""
        self._gate = anyio.Event()

    def read_again(self) -> None:
        self._gate.set()

    async def _read(self) -> None:
        fields: dict[str, str] = {}
        data: list[str] = []
        try:
            async for line in self._lines():
                if line:
                    name, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    if name == "data":
                        data.append(value)
                    else:
                        fields[name or "comment"] = value
                elif fields or data:
                    self._take(fields, data)
                    fields, data = {}, []
        except httpx.TransportError:
            pass  # The server is gone: the test sees `ended`.
        self.ended = True
        self._tell()

    async def _lines(self) -> AsyncIterator[str]:
        rest = b""
        async for chunk in self._response.aiter_raw():
            await self._gate.wait()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode()

    def _take(self, fields: dict[str, str], data: list[str]) -> None:
        self.received.append(
            Received(
                id=fields.get("id"),
                event=fields.get("event"),
                data="\n".join(data) if data else None,
                comment=fields.get("comment"),
                retry=fields.get("retry"),
            )
        )
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()
