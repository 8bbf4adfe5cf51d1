from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.roles import Role
from tests.modules.vitals.bedside import Bed
from tests.modules.vitals.station import Station, open_station
from tests.modules.ward import Ward
from tests.servers import RunningServer, serving


@pytest.fixture
async def station(ward: Ward) -> AsyncIterator[Station]:
    """A vitals service whose writer runs."""
    async with open_station(ward) as opened:
        yield opened


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A real server: P1 is cared for by the nurse and watched by the device, P9 is the patient's own record."""
    async with serving(tmp_path) as running:
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
