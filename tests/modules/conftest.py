from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.modules.ward import Ward, opened_ward


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """The services on a new database of their own."""
    async with opened_ward(tmp_path) as ward:
        yield ward
