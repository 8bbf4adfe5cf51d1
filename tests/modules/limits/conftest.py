from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.roles import Role
from tests.modules.limits.bed import move
from tests.servers import RunningServer, serving


async def fill(server: RunningServer) -> None:
    """P1 on ward-2 with a team, P2 on no unit with another nurse, and Rosa with a record of her own."""
    await server.user("admin", Role.ADMIN)
    for role in (Role.NURSE, Role.DOCTOR, Role.CAREGIVER, Role.DEVICE):
        await server.user(role, role)
    await server.user("outsider", Role.NURSE)
    await server.user("chief", Role.ADMIN, Role.DOCTOR)
    await server.user("rosa", Role.PATIENT, patient_of="own")
    await server.patient("P1", "nurse", "doctor", "caregiver", "device")
    await server.patient("P2", "outsider")
    await move(server, "ward-2")


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with two patients, one of them on a unit."""
    async with serving(tmp_path) as server:
        await fill(server)
        yield server
