from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.roles import Role
from tests.modules.alerts.steps import CARE
from tests.servers import RunningServer, serving


@pytest.fixture
async def ward(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    """A server with patient P1, everybody on the care team, an outsider, and a patient with a record of their own.

    It writes straight to its connections; with `both_ways` also the plain ASGI way.
    """
    async with serving(tmp_path, direct=getattr(request, "param", True)) as server:
        await server.user("admin", Role.ADMIN)
        for role in (*CARE, Role.DEVICE):
            await server.user(role.replace("_", "-"), role)
        await server.user("outsider", Role.NURSE)
        await server.user("rosa", Role.PATIENT, patient_of="own")
        await server.patient("P1", *(role.replace("_", "-") for role in (*CARE, Role.DEVICE)))
        await server.patient("P2")
        yield server
