"""Devices at real servers: sockets that break, servers that die, and people who are told of it."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from app.commands.playback import play
from app.commands.recordings import Row
from app.core.roles import Role
from app.core.timestamps import to_rfc3339
from app.modules.devices.clock_watch import ClockState
from app.modules.devices.register import PresenceRegister
from app.modules.devices.repository import Device
from app.modules.devices.service import DeviceService
from app.modules.users.schemas import UserChanges
from app.modules.users.service import UserService
from tests.modules.vitals.bedside import MOBILE
from tests.servers import RunningServer, server_process, serving, until, until_answered

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 1.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving_ward(tmp_path) as running:
        yield running


@asynccontextmanager
async def serving_ward(data_dir: Path, **settings: Any) -> AsyncIterator[RunningServer]:
    """P1 and P2, each with the nurse and the two devices on the care team."""
    async with serving(data_dir, device_silent_seconds=LIMIT_SECONDS, **settings) as running:
        await furnish(running)
        yield running


async def furnish(server: RunningServer) -> None:
    for name, role in (("admin", Role.ADMIN), ("nurse", Role.NURSE), ("device", Role.DEVICE), ("phone", Role.DEVICE)):
        await server.user(name, role)
    for patient_id in ("P1", "P2"):
        await server.patient(patient_id, "nurse", "device", "phone")


@asynccontextmanager
async def sending(
    url: str, token: str, patient_id: str = "P1", *, clock_ahead_seconds: float = 0
) -> AsyncIterator[ClientConnection]:
    """A device that sends ten readings a second for as long as the block lasts, then signs off."""
    address = url.replace("http", "ws", 1) + f"{MOBILE}?patient_id={patient_id}"
    async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}, compression=None) as socket:

        async def send() -> None:
            while True:
                shown = datetime.now(UTC) + timedelta(seconds=clock_ahead_seconds)
                await socket.send(json.dumps({"type": "heart_rate", "value": 72, "timestamp": to_rfc3339(shown)}))
                await asyncio.sleep(0.1)

        task = asyncio.create_task(send())
        try:
            yield socket
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def sending_nothing(server: RunningServer) -> connect:
    """A device that is connected."""
    address = server.socket_address(MOBILE, patient_id="P1")
    return connect(address, additional_headers=server.bearer("device"), compression=None)


async def heard(server: RunningServer, name: str, patient_id: str = "P1") -> None:
    """Return when the server has heard this device, and has written so."""
    user = await server.services.get(UserService).by_email(f"{name}@example.org")
    register = server.services.get(PresenceRegister)
    device = Device(patient_id, user.id)
    await until(lambda: register.last_heard(device) is not None and device not in register._waiting)


def cut(socket: ClientConnection) -> None:
    """The connection ends without a word."""
    socket.transport.abort()


async def alerts(server: RunningServer, **query: str) -> list[dict[str, Any]]:
    """The alerts that the admin finds, oldest first."""
    page = await server.call("GET", "/api/v1/alerts", "admin", params=query)
    return list(reversed(page.json()["alerts"]))


async def test_a_connection_that_breaks_is_alarmed_and_a_replay_that_ends_is_not(server: RunningServer) -> None:
    """Fails when 1000 counts like every other end (checked so)."""
    async with server.stream("nurse", patient_id="P1") as stream, server.stream("nurse", patient_id="P2") as quiet:
        await stream.control("stream.ready")
        await quiet.control("stream.ready")
        rows = [Row(0, {"heart_rate": 72.0}), Row(1, {"heart_rate": 73.0})]
        await play(rows, patient="P2", url=server.url, token=server.tokens["phone"], speed=math.inf)
        async with sending(server.url, server.tokens["device"]) as socket:
            await heard(server, "device")
            cut(socket)
            cut_at = datetime.now(UTC)
            alert = await stream.alert("alert", kind="technical", vitalType="device")
        assert (alert["tier"], alert["source"]) == ("moderate", "devices")
        assert alert["reasons"][0].startswith("device silent since 20")
        waited = datetime.fromisoformat(alert["occurredAt"]) - cut_at
        # What was heard last may be a second old when it is written, and is looked at once a second.
        assert timedelta() <= waited < timedelta(seconds=LIMIT_SECONDS + 2)
        assert quiet.alerts == []


async def test_a_device_that_is_connected_and_says_nothing_is_silent(server: RunningServer) -> None:
    async with server.stream("nurse") as stream:
        await stream.control("stream.ready")
        async with sending_nothing(server) as socket:
            await socket.send(json.dumps({"type": "spo2", "value": 97, "timestamp": to_rfc3339(datetime.now(UTC))}))
            await stream.alert("alert", kind="technical", vitalType="device")


async def test_a_device_that_comes_back_ends_its_alert_by_itself(server: RunningServer) -> None:
    async with server.stream("nurse") as stream:
        await stream.control("stream.ready")
        async with sending(server.url, server.tokens["device"]) as socket:
            await heard(server, "device")
            cut(socket)
            alert = await stream.alert("alert", kind="technical")
        async with sending(server.url, server.tokens["device"]):
            ended = await stream.alert("alert_resolved", alertId=alert["alertId"])
        assert (ended["conditionPresent"], ended.get("resolvedBy")) == (False, None)


async def test_a_device_that_is_disabled_alarms_nobody(server: RunningServer) -> None:
    """Its socket is closed with 1008, which is no signing off. Another one, that is lost later, does alarm.

    Fails when rights are not looked at again (checked so).
    """
    users = server.services.get(UserService)
    async with server.stream("nurse") as stream, AsyncExitStack() as sockets:
        await stream.control("stream.ready")
        refused = await sockets.enter_async_context(sending(server.url, server.tokens["phone"]))
        await heard(server, "phone")
        await users.update((await users.by_email("phone@example.org")).id, UserChanges(disabled=True))
        await refused.wait_closed()
        socket = await sockets.enter_async_context(sending(server.url, server.tokens["device"]))
        await heard(server, "device")
        cut(socket)
        alert = await stream.alert("alert", kind="technical")
        assert alert["context"]["deviceId"] == (await users.by_email("device@example.org")).id
        assert len(await alerts(server, kind="technical")) == 1


async def test_a_lead_that_is_off_is_told_over_the_socket(server: RunningServer) -> None:
    async with server.stream("nurse") as stream:
        await stream.control("stream.ready")
        async with sending(server.url, server.tokens["device"]) as socket:
            status = {"type": "ecg", "lead": "II", "timestamp": to_rfc3339(datetime.now(UTC))}
            await socket.send(json.dumps({"event": "lead_off", **status}))
            off = await stream.alert("alert", condition="lead_off:ecg:II", kind="technical", vitalType="ecg")
            await socket.send(json.dumps({"event": "lead_on", **status}))
            await stream.alert("alert_resolved", alertId=off["alertId"])


async def test_frames_tell_of_their_devices_clock_when_they_are_taken_and_when_they_are_refused(
    server: RunningServer,
) -> None:
    """A waveform tells of the time of its last sample: a long one is not late because it began long ago.

    Fails for either frame when it is not told (checked so).
    """
    device = Device("P1", (await server.services.get(UserService).by_email("device@example.org")).id)
    clocks = server.services.get(DeviceService)._clocks
    now = datetime.now(UTC)
    waveform = {"type": "pleth", "sampleRate": 25, "samples": [0.5] * 2500, "unit": "1"}
    async with sending_nothing(server) as socket:
        await socket.send(json.dumps({**waveform, "timestamp": to_rfc3339(now - timedelta(seconds=100))}))
        await until(lambda: device in clocks)
        assert clocks[device].state is ClockState.RIGHT
        ahead = {"type": "spo2", "value": 97, "timestamp": to_rfc3339(now + timedelta(hours=1))}
        await socket.send(json.dumps(ahead))
        # A busy server may have asked for fewer frames first.
        while (answer := json.loads(await socket.recv()))["event"] == "slow_down":
            pass
        assert answer["code"] == "timestamp_in_future"
        ((_, behind_seconds),) = clocks[device]._suspicious
        assert behind_seconds == pytest.approx(-3600, abs=20)


async def test_history_is_narrowed_to_a_kind(server: RunningServer) -> None:
    await server.raise_alert("one", kind="technical")
    await server.raise_alert("two")
    await server.raise_alert("three", kind="technical")
    found = {
        kind: [alert["condition"] for alert in await alerts(server, kind=kind)] for kind in ("technical", "advisory")
    }
    assert found == {"technical": ["one", "three"], "advisory": []}
    first = await server.call("GET", "/api/v1/alerts?kind=technical&limit=1", "admin")
    rest = await server.call("GET", f"/api/v1/alerts?kind=technical&cursor={first.json()['nextCursor']}", "admin")
    assert [alert["condition"] for page in (first, rest) for alert in page.json()["alerts"]] == ["three", "one"]
    refused = await server.call("GET", "/api/v1/alerts?kind=loud", "admin")
    assert refused.status_code == 422


async def test_a_server_that_is_killed_leaves_its_devices_to_another_one(tmp_path: Path) -> None:
    """Two processes on one database, each with a device. One dies without a word: the other one alarms.

    Fails when nodes look at their own devices alone (checked so).
    """
    async with serving(tmp_path) as before:
        await furnish(before)
        lost_id = (await before.services.get(UserService).by_email("device@example.org")).id
    limit = timedelta(seconds=4)  # longer than a busy machine keeps the phone's times from being written
    settings = {"device_silent_seconds": str(limit.total_seconds())}
    with server_process(tmp_path, **settings) as second, server_process(tmp_path, **settings) as first:
        async with AsyncExitStack() as open_:
            http = await open_.enter_async_context(
                httpx.AsyncClient(base_url=second.url, headers=before.bearer("nurse"))
            )

            async def technical() -> list[dict[str, Any]]:
                page = await http.get("/api/v1/alerts", params={"patient_id": "P1", "kind": "technical"})
                return list(page.json()["alerts"])

            async def has_come_back() -> bool:
                return [alert["state"] for alert in await technical()] == ["resolved"]

            await open_.enter_async_context(sending(second.url, before.tokens["phone"]))
            await open_.enter_async_context(sending(first.url, before.tokens["device"]))
            await until(lambda: expected_count(tmp_path) == 2)
            # Both devices are heard for longer than the limit, and nobody is alarmed.
            started_at = datetime.now(UTC)
            await until(lambda: datetime.now(UTC) - started_at > 1.25 * limit)
            assert await technical() == []
            first.kill()
            await until_answered(technical)
            (alert,) = await technical()
            assert (alert["context"]["deviceId"], alert["state"]) == (lost_id, "active")
            async with sending(second.url, before.tokens["device"]):
                await until_answered(has_come_back)


def expected_count(data_dir: Path) -> int:
    """How many devices the table says should be sending."""
    with closing(sqlite3.connect(data_dir / "tocsin.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM device_presence WHERE is_expected").fetchone()
    return int(count)
