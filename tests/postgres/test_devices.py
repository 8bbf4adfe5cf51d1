"""Silent devices on PostgreSQL, with two nodes that both look."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.roles import Role
from app.modules.devices import repository
from app.modules.devices.repository import Device, Heard
from app.modules.users.service import UserService
from tests.modules.devices.test_on_a_server import cut, heard, sending
from tests.servers import RunningServer, serving

pytestmark = pytest.mark.anyio


async def furnish(server: RunningServer, devices: int) -> list[str]:
    for name in ("admin", "nurse"):
        await server.user(name, Role(name))
    names = [f"device{number}" for number in range(devices)]
    for name in names:
        await server.user(name, Role.DEVICE)
    await server.patient("P1", "nurse", *names)
    return names


async def test_two_nodes_alarm_each_silent_device_once_and_end_it_once(database_url: str, tmp_path: Path) -> None:
    async with (
        serving(tmp_path, database_url=database_url, device_silent_seconds=2) as first,
        serving(tmp_path, database_url=database_url, device_silent_seconds=2) as second,
    ):
        names = await furnish(first, 4)
        second.tokens = first.tokens
        async with second.stream("nurse") as stream:
            await stream.control("stream.ready")
            for name in names:
                async with sending(first.url, first.tokens[name]) as socket:
                    await heard(first, name)
                    cut(socket)
            users = second.services.get(UserService)
            conditions = [f"device_silent:{(await users.by_email(f'{name}@example.org')).id}" for name in names]
            for condition in conditions:
                await stream.alert("alert", condition=condition, kind="technical")
            async with sending(second.url, second.tokens[names[0]]):
                await stream.alert("alert_resolved", condition=conditions[0])
            # The other ones stay silent, and are looked at by both nodes again and again.
            await first.raise_alert("the-end")
            await stream.alert("alert", condition="the-end")
        events = [(event["event"], event["condition"]) for event in stream.alerts]
    ended = ("alert_resolved", conditions[0])
    assert sorted(events) == sorted([("alert", name) for name in [*conditions, "the-end"]] + [ended])


async def test_what_two_nodes_write_of_the_same_devices_is_written(database_url: str) -> None:
    """In opposite orders, and at once. Fails when the rows are not sorted (checked so): they wait for each other."""
    db = Database(database_url)
    await db.migrate()
    now = datetime.now(UTC)
    devices = [Device(f"P{number}", "monitor") for number in range(200)]

    def rows(seconds: int) -> list[tuple[Device, Heard]]:
        moment = now + timedelta(seconds=seconds)
        order = devices if seconds % 2 else devices[::-1]
        return [(device, Heard(moment, is_expected=seconds < 10)) for device in order]

    await asyncio.gather(*(db.run_write(lambda it, n=n: repository.write(it, rows(n))) for n in range(10)))  # type: ignore[misc]
    assert await db.run_read(repository.counts) == (200, 0)
    assert len(await db.run_read(lambda it: repository.suspects(it, now + timedelta(seconds=20)))) == 200
    await db.run_write(lambda it: repository.write(it, rows(10)))
    assert await db.run_read(repository.counts) == (0, 0)
    query = sa.text("SELECT DISTINCT last_seen_at FROM device_presence")
    assert await db.run_read(lambda it: it.scalars(query).all()) == [now + timedelta(seconds=10)]
    await db.close()
