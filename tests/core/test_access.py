"""Changed rights, followed by the connections that are open: on a real database, with two that share it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.core.access import AccessChange, AccessChanges
from app.core.bus import InProcessBus
from app.core.config import Settings
from app.core.db import Database
from app.core.roles import Role
from tests.databases import statements
from tests.modules.ward import opened_ward
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


async def test_who_has_caught_up_has_seen_every_change_that_was_committed_before(start_node: StartNode) -> None:
    """Fails when those who come share the look that is under way (checked so): it may have seen too little."""
    elsewhere, here = await start_node(NEVER_SECONDS), await start_node(NEVER_SECONDS)
    await here.access.start()
    has_looked = threading.Event()
    sa.event.listen(sa.Engine, "after_cursor_execute", lambda *_: has_looked.set(), once=True)
    early = asyncio.create_task(here.access.catch_up())
    while not has_looked.is_set():
        await anyio.lowlevel.checkpoint()
    # The look has its answer, and nobody here knows it yet: from here on the event loop stands still.
    with closing(sqlite3.connect(str(elsewhere.db.url.database), isolation_level=None)) as outsider:
        outsider.execute("UPDATE access_clock SET version = 1")
        outsider.execute("INSERT INTO access_changes VALUES (1, 'u1', '2026-01-02 03:04:05.000000')")
    await here.access.catch_up()
    assert here.access.version == 1
    await early


async def test_those_who_catch_up_at_once_share_a_look(start_node: StartNode) -> None:
    """Fails when each looks for itself (checked so)."""
    here = await start_node(NEVER_SECONDS)
    await here.access.start()
    with statements() as asked:
        await asyncio.gather(*(here.access.catch_up() for _ in range(1000)))
    assert len(asked) == 1


async def test_a_look_that_fails_fails_for_those_who_asked_and_for_nobody_after(start_node: StartNode) -> None:
    here = await start_node(NEVER_SECONDS)
    await here.access.start()

    def refuse(*_: object) -> None:
        raise OSError("the database is gone")

    sa.event.listen(sa.Engine, "before_cursor_execute", refuse)
    try:
        outcomes = await asyncio.gather(*(here.access.catch_up() for _ in range(3)), return_exceptions=True)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", refuse)
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    await here.change("u1")
    await here.access.catch_up()
    assert here.access.version == 1


async def test_a_change_is_told_before_anybody_may_rely_on_having_seen_it(start_node: StartNode) -> None:
    elsewhere, here = await start_node(NEVER_SECONDS), await start_node(NEVER_SECONDS)
    await here.access.start()
    told: list[str] = []
    here.access.on_change(told.append)
    await elsewhere.change("u1", "u2")
    await here.access.catch_up()
    assert told == ["u1", "u2"]


async def test_catching_up_has_the_connections_asked_again_as_well(start_node: StartNode) -> None:
    """Fails when what a caller has seen first is lost to those who watch (checked so)."""
    elsewhere, here = await start_node(NEVER_SECONDS), await start_node(NEVER_SECONDS)
    asked = Asked()
    async with here.following() as access:
        unwatch = access.watch("u1", asked, since=access.version)
        await elsewhere.change("u1")
        await access.catch_up()
        await until(lambda: asked.times == 1)
        unwatch()


async def test_the_rights_behind_all_streams_of_one_account_are_asked_again_with_few_queries(tmp_path: Path) -> None:
    """500 connections of one account, whose grant is revoked while they are open.

    Fails when each asks the database for itself (checked so): that took a thousand statements.
    """
    async with opened_ward(tmp_path) as ward:
        nurse = await ward.user("nurse", Role.NURSE)
        for patient_id in ("P1", "P2"):
            await ward.patients.create(patient_id, None)
            await ward.care_team.add(patient_id, nurse.id)
        principal = await ward.principal("nurse")
        found: list[frozenset[str] | None] = []

        async def recheck() -> None:
            scope = await ward.care_team.caregiver_scope(await ward.auth.renew(principal))
            found.append(scope.patient_ids)

        # Each a function of its own, as each connection has one.
        rechecks = [partial(recheck) for _ in range(500)]
        unwatch = [ward.access.watch(nurse.id, each, since=ward.access.version) for each in rechecks]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ward.access.run)
            await ward.care_team.remove("P1", nurse.id)
            with statements() as asked:
                ward.access.announce()
                await until(lambda: len(found) == 500)
            tasks.cancel_scope.cancel()
        for end in unwatch:
            end()
    assert set(found) == {frozenset({"P2"})}
    assert len(asked) <= 30, f"{len(asked)} statements"


async def test_every_stream_of_one_account_ends_within_a_second_of_the_revocation(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, AsyncExitStack() as streams:
        await server.user("nurse", Role.NURSE)
        await server.patient("P1", "nurse")
        opened = [await streams.enter_async_context(server.stream("nurse")) for _ in range(60)]
        for stream in opened:
            await stream.control("stream.ready")
        await server.revoke("P1", "nurse")
        with anyio.fail_after(1):
            for stream in opened:
                assert (await stream.control("stream.closing"))["reason"] == "access_changed"
