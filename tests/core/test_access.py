"""Changed rights, followed by the connections that are open: on a real database, with two that share it."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.core.access import AccessChange, AccessChanges
from app.core.bus import InProcessBus
from app.core.config import Settings
from app.core.db import Database
from app.core.roles import Role
from tests.servers import ROOT, serving, until

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

#: Longer than any test: what comes sooner was not found by looking.
NEVER_SECONDS = 600.0
OFTEN_SECONDS = 0.01


class Node:
    """One process as this module sees it: a database connection and a bus of its own."""

    def __init__(self, url: str, *, poll_seconds: float) -> None:
        self.db = Database(url)
        self.bus = InProcessBus()
        self.access = AccessChanges(self.db, self.bus, poll_seconds=poll_seconds)

    async def change(self, *user_ids: str) -> None:
        """Change these accounts' rights, and tell nobody."""
        async with self.db.write() as session:
            for user_id in user_ids:
                await self.access.record(session, user_id, now=NOW)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[AccessChanges]:
        """Started, and following the changes; at the end nobody watches and nobody listens."""
        await self.access.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.access.run)
            await until(lambda: self.bus.subscriber_count() == 1)
            yield self.access
            tasks.cancel_scope.cancel()
        assert self.bus.subscriber_count() == 0
        assert self.access.watched_count() == 0


StartNode = Callable[[float], Awaitable[Node]]


@pytest.fixture
async def start_node(tmp_path: Path) -> AsyncIterator[StartNode]:
    """Makes nodes on one new database."""
    url = Settings(data_dir=tmp_path).sqlalchemy_url
    async with AsyncExitStack() as ending:

        async def start(poll_seconds: float) -> Node:
            node = Node(url, poll_seconds=poll_seconds)
            ending.push_async_callback(node.db.close)
            return node

        first = await start(NEVER_SECONDS)
        await first.db.migrate()
        yield start
        assert first.db.checked_out() == 0


class Asked:
    """A connection that counts how often it was asked to check its right again."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1


async def test_a_change_that_another_process_has_recorded_is_found_by_looking(start_node: StartNode) -> None:
    """Fails when `run` waits for the bus alone (checked so)."""
    elsewhere, here = await start_node(NEVER_SECONDS), await start_node(OFTEN_SECONDS)
    changed, unchanged = Asked(), Asked()
    async with here.following() as access:
        unwatch = [access.watch("u1", changed, since=0), access.watch("u2", unchanged, since=0)]
        await elsewhere.change("u1")
        await until(lambda: changed.times == 1)
        await elsewhere.change("u1", "u1")
        await until(lambda: changed.times == 2)
        assert (access.version, unchanged.times) == (3, 0)
        for end in unwatch:
            end()


async def test_a_change_that_is_announced_is_followed_at_once(start_node: StartNode) -> None:
    here = await start_node(NEVER_SECONDS)
    asked = Asked()
    async with here.following() as access:
        unwatch = access.watch("u1", asked, since=access.version)
        await here.change("u1")
        access.announce()
        await until(lambda: asked.times == 1)
        unwatch()


async def test_a_command_in_another_process_ends_the_stream_within_a_second(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.user("nurse", Role.NURSE)
        await server.patient("P1", "nurse")
        async with server.stream("nurse") as stream:
            await stream.control("stream.ready")
            await anyio.run_process(
                [sys.executable, "-m", "app.cli", "care-team", "remove", "P1", "nurse@example.org"],
                env={**os.environ, "TOCSIN_DATA_DIR": str(tmp_path)}, cwd=ROOT,
            )  # fmt: skip
            with anyio.fail_after(1):
                assert (await stream.control("stream.closing"))["reason"] == "access_changed"


async def test_a_right_that_was_checked_before_the_last_change_is_checked_again_at_once(
    start_node: StartNode,
) -> None:
    """Fails when `watch` does not look at `since` (checked so): the change falls into the gap."""
    here = await start_node(NEVER_SECONDS)
    await here.change("u1", "u2")
    stale, fresh = Asked(), Asked()
    async with here.following() as access:
        assert access.version == 2
        unwatch = [access.watch("u1", fresh, since=2), access.watch("u1", stale, since=1)]
        await until(lambda: stale.times == 1)
        assert fresh.times == 0
        for end in unwatch:
            end()


async def test_what_was_changed_before_the_start_is_not_followed(start_node: StartNode) -> None:
    here = await start_node(NEVER_SECONDS)
    await here.change("u1")
    earlier, later = Asked(), Asked()
    async with here.following() as access:
        unwatch = [access.watch("u1", earlier, since=access.version), access.watch("u2", later, since=access.version)]
        await here.change("u2")
        access.announce()
        await until(lambda: later.times == 1)
        assert earlier.times == 0
        for end in unwatch:
            end()


async def test_an_error_in_one_check_keeps_no_other_from_theirs_and_is_tried_again(start_node: StartNode) -> None:
    """Fails when the error is not caught (checked so), and when the failed check is forgotten (checked so)."""
    here = await start_node(OFTEN_SECONDS)
    others = [Asked() for _ in range(8)]
    attempts = 0

    async def fail_twice() -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 2:
            raise OSError("the database is gone")

    with capture_logs() as logs:
        async with here.following() as access:
            rechecks: list[Callable[[], Awaitable[None]]] = [*others[:4], fail_twice, *others[4:]]
            unwatch = [access.watch("u1", recheck, since=access.version) for recheck in rechecks]
            await here.change("u1")
            await until(lambda: attempts == 3)
            await here.change("u1")
            await until(lambda: attempts == 4 and all(asked.times == 2 for asked in others))
            for end in unwatch:
                end()
    assert [line["event"] for line in logs] == ["access.recheck_failed"] * 2


async def test_who_does_not_watch_any_more_is_not_asked(start_node: StartNode) -> None:
    here = await start_node(NEVER_SECONDS)
    gone, never_asked, there = Asked(), Asked(), Asked()
    async with here.following() as access:
        unwatch_gone = access.watch("u1", gone, since=access.version)
        unwatch_there = access.watch("u1", there, since=access.version)
        access.watch("u1", never_asked, since=access.version - 1)()
        assert access.watched_count() == 2
        unwatch_gone()
        unwatch_gone()
        assert access.watched_count() == 1
        await here.change("u1")
        access.announce()
        await until(lambda: there.times == 1)
        assert (gone.times, never_asked.times) == (0, 0)
        unwatch_there()


async def test_versions_are_gapless_whoever_writes_and_whatever_is_rolled_back(start_node: StartNode) -> None:
    """Fails when the number is counted in memory and not in the row (checked so)."""
    nodes = [await start_node(NEVER_SECONDS) for _ in range(3)]

    async def change_some(node: Node) -> None:
        for number in range(10):
            try:
                async with node.db.write() as session:
                    await node.access.record(session, f"u{number}", now=NOW)
                    if number % 3 == 0:
                        raise LookupError
            except LookupError:
                pass

    async with anyio.create_task_group() as tasks:
        for node in nodes:
            tasks.start_soon(change_some, node)
    async with nodes[0].db.read() as session:
        versions = (await session.scalars(sa.select(AccessChange.version).order_by(AccessChange.version))).all()
    assert list(versions) == list(range(1, 3 * 6 + 1))
