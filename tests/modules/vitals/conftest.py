from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.modules.vitals.station import Station, open_station
from tests.modules.ward import Ward


@pytest.fixture
async def station(ward: Ward) -> AsyncIterator[Station]:
    """A vitals service whose writer runs."""
    async with open_station(ward) as opened:
        yield opened
