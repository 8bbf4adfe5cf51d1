from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core.roles import Role
from tests.modules.auth.nurse import KEY, LISTED, PASSWORD
from tests.servers import RunningServer, serving


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with an admin, and a nurse with a password on the care team of P1."""
    async with serving(tmp_path, allowed_origins=(LISTED,), secret_key=SecretStr(KEY)) as started:
        await started.user("admin", Role.ADMIN)
        await started.user("nurse", Role.NURSE, password=PASSWORD)
        await started.patient("P1", "nurse")
        yield started
