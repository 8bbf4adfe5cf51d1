"""New databases for tests: the migrations run once, and every test gets a copy of what they made."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import anyio
import sqlalchemy as sa

from app.core.config import Settings
from app.core.db import Database


async def put_new_database(data_dir: Path) -> None:
    """Put a migrated, empty database where the settings look for one, unless there is one already."""
    path = data_dir / "tocsin.db"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(await anyio.to_thread.run_sync(_template), path)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tocsin-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def migrate() -> None:
        db = Database(Settings(data_dir=folder).sqlalchemy_url)
        await db.migrate()
        await db.close()

    anyio.run(migrate)
    return folder / "tocsin.db"


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that this process sends to any database while the block runs, but for beginnings and settings."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
