"""The bedside monitors: each sends what its patient shows, as it happens, through the socket that devices use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from app.commands.connection import (
    CLOSE_TIMEOUT_SECONDS,
    MOBILE_SOCKET,
    CommandError,
    backoff_seconds,
    explain_loss,
    websocket_address,
)
from app.commands.demo.bedside import Bedside
from app.commands.demo.simulator import PATIENTS, Patient
from app.commands.demo.together import run_together
from app.commands.demo.ward import DEVICE, Host, Tokens
from app.commands.readings import now

#: A monitor that is so far behind, because nobody took what it sent, or the machine slept, leaves out what it missed.
MOST_BEHIND: Final = timedelta(seconds=1)


async def run_monitors(host: Host, *, notice: Callable[[str], None], tokens: Tokens | None = None) -> None:
    """Send for all patients of the ward until cancelled, whatever becomes of the server; then sign off.

    Args:
        notice: is told what a person should know: connections lost, frames refused.
        tokens: those of the ward, where somebody has them already.
    """
    token = partial((tokens or Tokens(host)).of, DEVICE)
    await run_together(*(run_device(patient, url=host.url, token=token, notice=notice) for patient in PATIENTS))


async def run_device(
    patient: Patient, *, url: str, token: Callable[[], Awaitable[str]], notice: Callable[[str], None]
) -> None:
    """Send for ever; while the server is away the patient waits, and nothing of that time is sent afterwards."""
    address = websocket_address(url, MOBILE_SOCKET, patient_id=patient.id)
    bedside = Bedside(patient)
    is_noticed = False
    while True:
        try:
            headers = {"Authorization": f"Bearer {await token()}"}
            async with connect(
                address,
                additional_headers=headers,
                compression=None,
                proxy=None,
                close_timeout=CLOSE_TIMEOUT_SECONDS,
            ) as socket:
                is_noticed = False
                await _serve(socket, bedside, patient, notice)
        except (OSError, WebSocketException, CommandError) as error:
            if not is_noticed:
                notice(f"monitor of {patient.id}: {explain_loss(error)}")
            is_noticed = True
        # Always that of a first failure: the server is on this machine, and the patient waits.
        await asyncio.sleep(backoff_seconds(1))


async def _serve(socket: ClientConnection, bedside: Bedside, patient: Patient, notice: Callable[[str], None]) -> None:
    try:
        await run_together(_send(socket, bedside), _listen(socket, patient, notice))
    except asyncio.CancelledError:
        # Being stopped is the end of the measuring, and 1000 says so; with any other code the device would be missed.
        await socket.close()
        raise


async def _send(socket: ClientConnection, bedside: Bedside) -> None:
    """Send each message when it is due. Every second begins where the one before has ended, so that nothing drifts."""
    loop = asyncio.get_running_loop()
    bedside.connected()
    began_at, began = now(), loop.time()
    second = 0
    while True:
        if abs(now() - began_at - timedelta(seconds=second)) > MOST_BEHIND:
            began_at, began, second = now(), loop.time(), 0
        for due, message in bedside.next_second(began_at + timedelta(seconds=second)):
            if (wait := began + second + due - loop.time()) > 0:
                await asyncio.sleep(wait)
            await socket.send(message)
        second += 1


async def _listen(socket: ClientConnection, patient: Patient, notice: Callable[[str], None]) -> None:
    async for message in socket:
        frame = json.loads(message)
        if frame.get("event") == "error":
            notice(f"monitor of {patient.id}: frame refused ({frame.get('code')}): {frame.get('detail')}")
