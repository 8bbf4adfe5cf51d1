"""The clients of the migration guide are run here as they stand there, against real servers.

The fetch client and the Python client run unchanged. The cookie client runs in Node with Node's own
`EventSource`, which is behind a flag; what a browser adds around it, an address to resolve against
and a cookie jar, is played by `BROWSER`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.core.roles import Role
from tests.docs.clients import BROWSER, Client, Wire
from tests.docs.pages import DOCS, blocks
from tests.servers import PATIENCE_SECONDS, ROOT, RunningServer, serving, until

pytestmark = pytest.mark.anyio

GUIDE = DOCS / "alerts-sse-migration.md"
PASSWORD = "a password for tests"


def write_snippets(folder: Path) -> list[Path]:
    """The named blocks of the guide as files: those that begin with a comment that is a file's name."""
    files = []
    for text in (*blocks(GUIDE, "js"), *blocks(GUIDE, "python")):
        name = re.match(r"(?://|#) ([\w-]+\.(?:mjs|py))\n", text)
        assert name, f"this block does not begin with its name: {text[:60]!r}"
        files.append(folder / name[1])
        files[-1].write_text(text, encoding="utf-8")
    return files


@pytest.fixture(scope="session")
def node() -> str:
    """The one that builds the web: `make web` puts its own into .venv where the machine has none that is new enough."""
    found = shutil.which("node", path=os.pathsep.join((str(ROOT / ".venv" / "node"), os.environ["PATH"])))
    if found is None:
        pytest.skip("there is no Node to run the JavaScript of the guide: make web")
    return found


@asynccontextmanager
async def ward(folder: Path) -> AsyncIterator[tuple[RunningServer, Wire]]:
    """A server with a nurse at P1, and a wire to it that can be cut."""
    async with serving(folder, retry_ms=100) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE, password=PASSWORD)
        await server.patient("P1", "nurse")
        async with Wire.to(server.url) as wire:
            yield server, wire


def environment(server: RunningServer, wire: Wire, role: str = "nurse") -> dict[str, str]:
    return {"TOCSIN_URL": wire.url, "TOCSIN_TOKEN": server.tokens["nurse"], "ROLE": role, "PATIENT_ID": "P1"}


async def test_the_javascript_of_the_guide_is_javascript(node: str, tmp_path: Path) -> None:
    files = [file for file in write_snippets(tmp_path) if file.suffix == ".mjs"]
    assert {file.name for file in files} >= {"browser-cookie.mjs", "fetch-client.mjs"}
    for file in files:
        subprocess.run([node, "--check", str(file)], check=True, capture_output=True, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("snippet", ["watch.mjs", "follow.py"])
async def test_a_client_of_the_guide_that_is_cut_off_gets_exactly_what_it_missed(
    snippet: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_snippets(tmp_path)
    program = sys.executable if snippet.endswith(".py") else request.getfixturevalue("node")
    async with ward(tmp_path / "data") as (server, wire):
        await server.raise_alert("open-already")
        async with Client.running(program, snippet, folder=tmp_path, **environment(server, wire)) as client:
            await client.shows("open-already")
            assert client.printed[0].startswith("- ")  # a snapshot carries no ids
            # A line separator of Unicode is none of an event stream: only CR and LF are.
            await server.raise_alert("live", reasons=["reason of \u2028live"])
            await client.shows("open-already", "\u2028live")
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed-1")
            await server.raise_alert("missed-2")
            wire.mend()
            await client.shows("open-already", "\u2028live", "missed-1", "missed-2")
            await server.raise_alert("live-again")
            await client.shows("open-already", "\u2028live", "missed-1", "missed-2", "live-again")
            positions = [int(line.split()[0].rpartition("-")[2]) for line in client.printed[1:]]
            assert positions == [2, 3, 4, 5]


@pytest.mark.parametrize("snippet", ["watch.mjs", "follow.py"])
@pytest.mark.parametrize(
    ("token", "role", "refusal"), [("nurse", "doctor", "role_not_held"), ("", "nurse", "not_signed_in")]
)
async def test_a_client_of_the_guide_stops_when_it_is_refused(
    snippet: str, token: str, role: str, refusal: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_snippets(tmp_path)
    program = sys.executable if snippet.endswith(".py") else request.getfixturevalue("node")
    async with ward(tmp_path / "data") as (server, wire):
        variables = environment(server, wire, role) | {"TOCSIN_TOKEN": server.tokens.get(token, "nonsense")}
        async with Client.running(program, snippet, folder=tmp_path, **variables) as client:
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await client.process.wait() == 1
        assert any(refusal in line for line in client.said)


@pytest.fixture
def browser(node: str, tmp_path: Path) -> tuple[str, ...]:
    """The command that opens the cookie client's page, but for the address and the sign-in."""
    with_event_source = (node, "--experimental-eventsource", "--no-warnings")
    probe = subprocess.run(
        [*with_event_source, "-e", "EventSource.CLOSED"], capture_output=True, timeout=30, check=False
    )
    if probe.returncode != 0:
        pytest.skip("this node has no EventSource: the cookie client of the guide is only checked for its syntax")
    write_snippets(tmp_path)
    (tmp_path / "browser.mjs").write_text(BROWSER, encoding="utf-8")
    return (*with_event_source, "browser.mjs")


async def test_the_cookie_client_of_the_guide_comes_back_after_a_cut_and_after_its_cookie_has_expired(
    browser: tuple[str, ...], tmp_path: Path
) -> None:
    async with ward(tmp_path / "data") as (server, wire):
        await server.raise_alert("open-already")
        async with Client.running(*browser, wire.url, "nurse@example.org", PASSWORD, folder=tmp_path) as client:
            await client.shows("open-already")
            await server.raise_alert("live")
            await client.shows("open-already", "live")
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed")
            wire.mend()
            await client.shows("open-already", "live", "missed")

            # Without the access cookie EventSource gives up for good: the client refreshes, and goes on where it was.
            client.tell("expire")
            await until(lambda: server.manager.open_count() == 1)
            wire.cut()
            await until(lambda: server.manager.open_count() == 0)
            await server.raise_alert("missed-too")
            wire.mend()
            await client.shows("open-already", "live", "missed", "missed-too")
            assert 'tocsin_requests_refused_total{code="401"}' in (await server.http.get("/metrics")).text

            client.tell("acknowledge missed-too")
            await until(lambda: any(line.startswith("answer") for line in client.said))
            assert "answer acknowledged on my way" in client.said


async def test_a_cookie_client_that_is_refused_says_why_and_stops(browser: tuple[str, ...], tmp_path: Path) -> None:
    async with (
        ward(tmp_path / "data") as (server, wire),
        Client.running(*browser, wire.url, "nurse@example.org", PASSWORD, folder=tmp_path) as client,
    ):
        await until(lambda: any(line.startswith("live") for line in client.said))
        await server.revoke("P1", "nurse")
        await until(lambda: any(line.startswith("refused") for line in client.said))
        states = [line.split()[0] for line in client.said]
        assert states == ["live", "access_changed", "reconnecting", "reconnecting", "refused"]
        assert "care team" in client.said[-1]
