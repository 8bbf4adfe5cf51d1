"""Connections that take a part of what is written: whatever is cut where, each event arrives whole and once."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.modules.alerts.steps import STREAM, nurse_and_admin
from tests.raw_http import RawConnection
from tests.servers import server_process, serving

pytestmark = pytest.mark.anyio

#: So little is read ahead by a client, and so much may wait in the kernel on its side.
TINY = 4096

READERS = 2


@dataclass
class Raised:
    """What was raised so far, in the order of the log, and how many that will be, since readers may be ahead of it."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0


async def raise_until(http: httpx.AsyncClient, raised: Raised, enough: Callable[[], Awaitable[bool]]) -> None:
    """Raise alerts with contexts of every size, at least until the readers are behind."""
    random.seed(4711)
    while len(raised.alerts) % 10 or not await enough():
        number = len(raised.alerts)
        context = {"number": number, "text": "é" * random.choice([0, 100, 2_000, 16_000, 16_000, 16_000, 16_000])}
        fields = {"patientId": "P1", "vitalType": "heart_rate", "tier": "slight", "reasons": ["r"]}
        body = {**fields, "condition": f"c{number}", "context": context}
        response = await http.post("/api/v1/alerts", json=body)
        assert response.status_code == 201, response.text
        raised.alerts.append(response.json())


async def is_somebody_behind(http: httpx.AsyncClient) -> bool:
    """Whether the queue of a connection that took nothing has overflowed: both the rest of a frame and the
    log have had to be used then.
    """
    lines = (await http.get("/metrics")).text.splitlines()
    overflows = [line for line in lines if line.startswith("tocsin_subscriber_queue_overflows_total ")]
    return bool(overflows) and float(overflows[0].split()[1]) >= READERS


async def read_event_stream(connection: RawConnection, raised: Raised) -> None:
    """Read chunk by chunk, each of which holds whole messages, to the last alert."""
    count = 0
    while count < raised.total:
        chunk = await connection.chunk()
        assert chunk.endswith(b"\n\n")
        for message in chunk.decode().removesuffix("\n\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in message.split("\n"))
            if "data" in fields and "event" not in fields:
                count += 1
                assert int(fields["id"].rpartition("-")[2]) == count
                assert json.loads(fields["data"])["context"]["number"] == count - 1
                if count <= len(raised.alerts):
                    assert json.loads(fields["data"])["context"] == raised.alerts[count - 1]["context"]


async def read_socket(alerts: Any, raised: Raised) -> None:
    """The same over the legacy WebSocket, whose client takes no frame that is not whole."""
    count = 0
    while count < raised.total:
        document = json.loads(await alerts.recv())
        assert document["context"]["number"] == count
        count += 1


async def _everything_arrives_whole(url: str, token: str) -> None:
    authorization = {"Authorization": f"Bearer {token}"}
    raised = Raised()
    tiny = socket.socket()
    tiny.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY)
    tiny.connect((httpx.URL(url).host, httpx.URL(url).port))
    tiny.setblocking(False)
    address = url.replace("http", "ws", 1) + "/api/v1/alerts/ws?role=admin"
    async with (
        httpx.AsyncClient(base_url=url, headers=authorization, timeout=20) as http,
        RawConnection.open(url, receive_buffer=TINY) as stream,
        connect(address, additional_headers=authorization, sock=tiny, max_queue=1) as alerts,
    ):
        stream.request("GET", f"{STREAM}?role=admin", **authorization)
        assert (await stream.head())[0] == 200
        await raise_until(http, raised, lambda: is_somebody_behind(http))
        raised.total = len(raised.alerts) + 20
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read_event_stream(stream, raised))
            tasks.create_task(read_socket(alerts, raised))

            # And while they read, so that what is new meets what is being caught up with.
            async def is_enough() -> bool:
                return len(raised.alerts) == raised.total

            await raise_until(http, raised, is_enough)


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "asgi"])
async def test_slow_connections_get_everything_whole_once_and_in_order(tmp_path: Path, *, direct: bool) -> None:
    """Fails for the direct case when the rest of a frame that was taken in part is dropped, and when what is
    new is sent past what waits in the transport (checked so).
    """
    async with serving(tmp_path, direct=direct, subscriber_queue=3) as server:
        await nurse_and_admin(server)
        await _everything_arrives_whole(server.url, server.tokens["admin"])


async def test_slow_connections_get_everything_whole_once_and_in_order_on_uvloop(tmp_path: Path) -> None:
    """The command runs on uvloop, whose transports write and pause in their own way.

    Fails when the rest of a frame that was taken in part is dropped (checked so).
    """
    with server_process(tmp_path, subscriber_queue="3") as server:
        assert "/uvloop/" in Path(f"/proc/{server.pid}/maps").read_text()
        server.cli("user", "create", "admin@example.org", "--role", "admin")
        server.cli("patient", "create", "P1")
        await _everything_arrives_whole(server.url, server.cli("token", "admin@example.org"))
