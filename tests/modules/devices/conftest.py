from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.modules.devices.desk import LIMIT_SECONDS, Desk, Log, furnish
from tests.modules.ward import Ward

OpenDesk = Callable[..., Desk]


@pytest.fixture
async def monitor(ward: Ward) -> str:
    """The account of a monitor that stands by P1 and P2."""
    return await furnish(ward)


@pytest.fixture
def open_desk(ward: Ward, tmp_path: Path) -> OpenDesk:
    """Starts one more node on the same database."""
    log = Log()
    return lambda limit_seconds=LIMIT_SECONDS: Desk(ward, log, tmp_path, limit_seconds)


@pytest.fixture
async def desk(open_desk: OpenDesk, monitor: str) -> Desk:
    """A node that has looked for so long that it may judge."""
    desk = open_desk()
    await desk.silence.look()
    await desk.look_for(LIMIT_SECONDS)
    return desk
