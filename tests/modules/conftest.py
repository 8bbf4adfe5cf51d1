from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.config import Settings
from app.core.db import Database
from tests.databases import put_new_database
from tests.modules.ward import Ward


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """The services on a new database of their own."""
    settings = Settings(data_dir=tmp_path)
    await put_new_database(tmp_path)
    db = Database(settings.sqlalchemy_url)
    yield Ward(db, settings)
    assert db.checked_out() == 0
    await db.close()
