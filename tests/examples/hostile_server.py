"""A server of event streams that does, byte for byte, what a test tells it: break off, fall silent, refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HostileServer:
    """Answers each stream request with the next script, byte for byte; the last script is used again and again."""

    scripts: list[Script]
    acknowledgements: list[int] = field(default_factory=lambda: [200])
    streams: list[Request] = field(default_factory=list)
    acknowledged: list[Request] = field(default_factory=list)
    url: str = ""
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                if request.method == "POST":
                    self.acknowledged.append(request)
                    status = self.acknowledgements.pop(0) if self.acknowledgements[1:] else self.acknowledgements[0]
                    writer.write(problem(status))
                    continue
                self.streams.append(request)
                script = self.scripts.pop(0) if self.scripts[1:] else self.scripts[0]
                await script(writer)
                return
        except ConnectionError:
            pass  # The client hung up first.
        finally:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


@asynccontextmanager
async def serving(*scripts: Script, acknowledgements: list[int] | None = None) -> AsyncIterator[HostileServer]:
    hostile = HostileServer(list(scripts), acknowledgements or [200])
    server = await asyncio.start_server(hostile.accept, "127.0.0.1", 0)
    async with server:
        hostile.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield hostile
        finally:
            for task in hostile.serving:
                task.cancel()
            await asyncio.gather(*hostile.serving, return_exceptions=True)


def problem(status: int, **more: Any) -> bytes:
    body = json.dumps({"status": status, "code": "some_code", "detail": f"detail of {status}", **more}).encode()
    return (
        f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def answer(status: int) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(problem(status))

    return script


def stream(*blocks: str) -> Script:
    """Send these blocks, and then break off."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n")
        writer.write("".join(blocks).encode())
        await writer.drain()

    return script


def silent_after(*blocks: str) -> Script:
    """Send these blocks, and then nothing, without hanging up."""
    send = stream(*blocks)

    async def script(writer: asyncio.StreamWriter) -> None:
        await send(writer)
        await writer.wait_closed()

    return script


def opened(**more: Any) -> str:
    return f"event: stream.opened\ndata: {json.dumps({'epoch': 'e', 'recovered': False, **more})}\nretry: 10\n\n"


def ready(cursor: str) -> str:
    return f'event: stream.ready\nid: {cursor}\ndata: {{"cursor": "{cursor}", "sent": 0}}\n\n'


def alert_block(event_id: str | None, **fields: Any) -> str:
    return (f"id: {event_id}\n" if event_id else "") + f"data: {json.dumps(dict(ALERT, **fields))}\n\n"


ALERT: dict[str, Any] = {
    "event": "alert",
    "alertId": "a1",
    "tier": "critical",
    "priority": "high",
    "patientId": "bed-3",
    "vitalType": "spo2",
    "vitalsWindow": [86, 82, 79],
    "unit": "%",
    "threshold": {"min": 80, "max": None},
    "reasons": ["SpO2 below 80"],
    "state": "active",
    "kind": "physiological",
    "timestamp": "2026-01-02T03:04:05Z",
}
