"""The bedside monitors: each sends its patient's numerics, once a second, through the socket that devices use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from app.commands.connection import (
    CLOSE_TIMEOUT_SECONDS,
    MOBILE_SOCKET,
    backoff_seconds,
    explain_loss,
    websocket_address,
)
from app.commands.demo.simulator import Patient, simulate
from app.commands.demo.together import run_together
from app.commands.readings import RisingClock, encode_reading

READ_EVERY_SECONDS: Final = 1.0


async def run_device(
    patient: Patient, *, url: str, token: Callable[[], Awaitable[str]], notice: Callable[[str], None]
) -> None:
    """Send for ever; what happens to the patient while the server is away is lost, as on a monitor without memory."""
    address = websocket_address(url, MOBILE_SOCKET, patient_id=patient.id)
    numerics = simulate(patient)
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
                failures = 0
                await run_together(_send(socket, numerics), _listen(socket, patient, notice))
        except (OSError, WebSocketException) as error:
            if failures == 0:
                notice(f"monitor of {patient.id}: {explain_loss(error)}")
        failures += 1
        await asyncio.sleep(backoff_seconds(failures))


async def _send(socket: ClientConnection, numerics: Iterator[dict[str, float]]) -> None:
    clock, loop = RisingClock(), asyncio.get_running_loop()
    due = loop.time()
    for shown in numerics:
        taken_at = clock.tick()
        for kind, value in shown.items():
            await socket.send(encode_reading(kind, value, taken_at))
        due = max(due + READ_EVERY_SECONDS, loop.time())
        await asyncio.sleep(due - loop.time())


async def _listen(socket: ClientConnection, patient: Patient, notice: Callable[[str], None]) -> None:
    async for message in socket:
        frame = json.loads(message)
        if frame.get("event") == "error":
            notice(f"monitor of {patient.id}: frame refused ({frame.get('code')}): {frame.get('detail')}")
