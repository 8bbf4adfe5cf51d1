from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.modules.vitals.bedside import Bed, serving_ward
from tests.modules.vitals.station import Station, open_station
from tests.modules.ward import Ward
from tests.servers import RunningServer


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
    async with serving_ward(tmp_path) as running:
        yield running


@pytest.fixture(params=["direct", "plain ASGI"])
async def impatient(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    """A server that gives a viewer up soon: one that writes to connections itself, and one that cannot."""
    direct = request.param != "plain ASGI"
    async with serving_ward(tmp_path, direct=direct, slow_consumer_seconds=0.3) as running:
        yield running


@pytest.fixture(params=["direct", "plain ASGI"])
async def either(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    async with serving_ward(tmp_path, direct=request.param == "direct") as running:
        yield running
