"""Devices and viewers at a real server."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from app.core.roles import Role
from app.core.timestamps import to_rfc3339
from tests.servers import PATIENCE_SECONDS, RunningServer, serving

MOBILE = "/api/v1/vitals/ws/mobile"
FRONTEND = "/api/v1/vitals/ws/frontend"


class Bed:
    """Writes readings whose times count from the moment at which the test began."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def time(self, seconds: float = 0) -> str:
        return to_rfc3339(self.now + timedelta(seconds=seconds))

    def reading(self, value: Any = 72, *, seconds: float = 0, **fields: Any) -> dict[str, Any]:
        return {"type": "heart_rate", "value": value, "unit": "/min", "timestamp": self.time(seconds), **fields}

    def ecg(self, *samples: float, seconds: float = 0) -> dict[str, Any]:
        return {
            "type": "ecg",
            "sampleRate": 250,
            "samples": list(samples),
            "unit": "mV",
            "lead": "II",
            "timestamp": self.time(seconds),
        }


class Socket:
    """One end of a vitals socket, that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, *frames: object) -> None:
        for frame in frames:
            await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def next(self, *, may_ask_to_slow_down: bool = False) -> dict[str, Any]:
        """The next message; requests to slow down, which come where this machine stood still, only when meant."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                received: dict[str, Any] = json.loads(await self.connection.recv())
                if may_ask_to_slow_down or received.get("event") != "slow_down":
                    return received

    async def flush(self, flush_id: str | int = 1) -> dict[str, Any]:
        await self.send({"event": "flush", "id": flush_id})
        return await self.next()

    async def closing(self, *, within_seconds: float = PATIENCE_SECONDS) -> tuple[int, str]:
        """The code and reason with which the server closes this socket."""
        with anyio.fail_after(within_seconds), suppress(ConnectionClosed):
            while True:
                await self.connection.recv()
        closed = self.connection.protocol.close_rcvd
        assert closed is not None
        return closed.code, closed.reason


@asynccontextmanager
async def socket(
    server: RunningServer,
    path: str,
    name: str | None,
    *,
    carried: str = "header",
    origin: str | None = None,
    **query: str,
) -> AsyncIterator[Socket]:
    """An open socket; the token is carried in the `header`, the `query`, the `subprotocol` or a `cookie`."""
    token = None if name is None else server.tokens[name]
    headers: dict[str, str] = {}
    subprotocols: list[Subprotocol] | None = None
    if token is not None and carried == "header":
        headers["Authorization"] = f"Bearer {token}"
    elif token is not None and carried == "cookie":
        headers["Cookie"] = f"access_token={token}"
    elif token is not None and carried == "query":
        query["token"] = token
    elif token is not None:
        subprotocols = [Subprotocol("bearer"), Subprotocol(token)]
    async with connect(
        server.socket_address(path, **query),
        additional_headers=headers,
        subprotocols=subprotocols,
        origin=None if origin is None else Origin(origin),
        compression=None,
    ) as connection:
        yield Socket(connection)


async def refusal(server: RunningServer, path: str, name: str | None, **options: Any) -> tuple[int, str]:
    """The status and the stable word with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with socket(server, path, name, **options):
            pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, json.loads(response.body)["code"]


@asynccontextmanager
async def serving_ward(data_dir: Path, **options: Any) -> AsyncIterator[RunningServer]:
    """A real server: P1 is cared for by the nurse and watched by the device, P9 is the patient's own record."""
    async with serving(data_dir, **options) as running:
        for name, role in (
            ("admin", Role.ADMIN),
            ("nurse", Role.NURSE),
            ("outsider", Role.NURSE),
            ("device", Role.DEVICE),
        ):
            await running.user(name, role)
        await running.user("patient", Role.PATIENT, patient_of="P9")
        await running.patient("P1", "nurse", "device")
        yield running


def packed(fields: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(fields)


def counted(bed: Bed, *rows: list[int], seconds: float = 0, **fields: Any) -> bytes:
    """A binary frame of an ECG with a lead for each row."""
    counts = [count for row in rows for count in row]
    ecg = bed.ecg(seconds=seconds)
    leads = {} if len(rows) == 1 else {"lead": None, "leads": ["I", "II", "III"][: len(rows)]}
    return packed({**ecg, "samples": struct.pack(f"<{len(counts)}h", *counts), "scale": 0.001, **leads, **fields})


async def unpacked(viewer: Socket) -> dict[str, Any]:
    """The next binary message."""
    received = await viewer.connection.recv(decode=False)
    fields: dict[str, Any] = msgspec.msgpack.decode(received)
    return fields
