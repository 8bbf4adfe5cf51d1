"""What is remembered of accounts: read once, and never given to anybody whom a change came before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from app.core.access import AccessChanges
from app.core.bus import InProcessBus
from app.core.config import Settings
from app.core.db import Database
from app.core.remembered import Remembered
from tests.databases import put_new_database

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Account:
    """The truth about every account, which takes as long to read as the test wants."""

    def __init__(self) -> None:
        self.truth = "old"
        self.readings: list[tuple[str, str]] = []
        self.held: list[asyncio.Event] = []
        self.holds = False
        self.fails = False

    async def read(self, user_id: str, about: str) -> str:
        self.readings.append((user_id, about))
        if self.fails:
            raise OSError("the database is gone")
        found = self.truth
        if self.holds:
            self.held.append(asyncio.Event())
            await self.held[-1].wait()
        return found


@asynccontextmanager
async def opened(data_dir: Path) -> AsyncIterator[AccessChanges]:
    await put_new_database(data_dir)
    db = Database(Settings(data_dir=data_dir).sqlalchemy_url)
    access = AccessChanges(db, InProcessBus(), poll_seconds=600)
    await access.start()
    yield access
    await db.close()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[AccessChanges]:
    async with opened(tmp_path) as access:
        yield access


@pytest.fixture
async def elsewhere(tmp_path: Path, here: AccessChanges) -> AsyncIterator[AccessChanges]:
    """The same database as another process sees it, which tells nobody of its changes."""
    async with opened(tmp_path) as access:
        yield access


async def change(access: AccessChanges, user_id: str) -> None:
    async with access._db.write() as session:
        await access.record(session, user_id, now=NOW)


async def test_an_answer_is_read_once_however_many_ask(here: AccessChanges) -> None:
    account = Account()
    remembered = Remembered(here, account.read)
    assert set(await asyncio.gather(*(remembered.get("u", "a") for _ in range(100)))) == {"old"}
    assert await remembered.get("u", "a") == "old"
    assert account.readings == [("u", "a")]
    await asyncio.gather(remembered.get("u", "b"), remembered.get("v", "a"))
    assert sorted(account.readings) == [("u", "a"), ("u", "b"), ("v", "a")]


async def test_a_change_by_another_process_is_seen_by_the_very_next_question(
    here: AccessChanges, elsewhere: AccessChanges
) -> None:
    """Fails when `get` does not catch up (checked so)."""
    account = Account()
    remembered = Remembered(here, account.read)
    for about in ("a", "b"):
        await remembered.get("u", about)
        await remembered.get("v", about)
    account.truth = "new"
    await change(elsewhere, "u")
    assert [await remembered.get("u", about) for about in ("a", "b")] == ["new", "new"]
    assert await remembered.get("v", "a") == "old", "of another account nothing has changed"


async def test_what_was_read_before_a_change_is_given_to_nobody_who_asks_after_it(
    here: AccessChanges, elsewhere: AccessChanges
) -> None:
    """Fails when a change leaves alone what is being read at that moment (checked so)."""
    account = Account()
    account.holds = True
    remembered = Remembered(here, account.read)
    with anyio.fail_after(20):
        before = asyncio.create_task(remembered.get("u", "a"))
        while len(account.held) < 1:
            await anyio.sleep(0.001)
        account.truth = "new"
        await change(elsewhere, "u")
        after = asyncio.create_task(remembered.get("u", "a"))
        while len(account.held) < 2:
            await anyio.sleep(0.001)
        account.held[1].set()
        assert await after == "new"
        account.held[0].set()
        assert await before == "old"
        assert await remembered.get("u", "a") == "new"
    assert len(account.readings) == 2


async def test_what_cannot_be_read_is_asked_again(here: AccessChanges) -> None:
    """Fails when a failed reading is remembered (checked so)."""
    account = Account()
    account.fails = True
    remembered = Remembered(here, account.read)
    with pytest.raises(OSError, match="gone"):
        await remembered.get("u", "a")
    account.fails = False
    assert await remembered.get("u", "a") == "old"


async def test_who_stops_waiting_takes_the_answer_from_nobody(here: AccessChanges) -> None:
    """Fails when the reading is not shielded from those who wait for it (checked so)."""
    account = Account()
    account.holds = True
    remembered = Remembered(here, account.read)
    with anyio.fail_after(20):
        first = asyncio.create_task(remembered.get("u", "a"))
        second = asyncio.create_task(remembered.get("u", "a"))
        while not account.held:
            await anyio.sleep(0.001)
        first.cancel()
        await asyncio.wait([first])
        account.held[0].set()
        assert await second == "old"


async def test_what_is_remembered_is_bounded(here: AccessChanges) -> None:
    """Accounts that were asked about longest ago go first. Fails without the bounds (checked with each)."""
    account = Account()
    remembered = Remembered(here, account.read, most_accounts=2, most_answers=3)
    for user_id in ("u", "v", "u", "w", "u"):
        await remembered.get(user_id, "a")
    assert remembered.account_count() == 2
    assert account.readings == [("u", "a"), ("v", "a"), ("w", "a")]
    for about in "bcdefghijklm":
        await remembered.get("u", about)
    assert len(remembered._answers["u"]) <= 3
