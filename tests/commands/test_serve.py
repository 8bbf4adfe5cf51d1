"""`tocsin serve` and `tocsin migrate` as an operator runs them: real processes, signals, and one clear line."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
import typer
from typer.testing import CliRunner

from app import __version__
from app.cli import cli
from app.commands.serve import listen
from app.core.db import newest_revision
from app.core.security import TokenSigner
from tests.servers import run_cli, server_process
from tests.sse import EventStream

STREAM = "/api/v1/alerts/stream"
KEY = "a key that only the tests know, 32+"

#: So few that no machine allows fewer open files, which would be a line of its own.
FEW = "100"


def tocsin(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return run_cli(*arguments, environment={**inherited, "TOCSIN_DATA_DIR": str(data_dir), **settings})


# --- what stops the start -------------------------------------------------------------------------


def test_a_port_in_use_is_one_line_and_status_1(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        refused = tocsin(tmp_path, "serve", "--port", str(port), TOCSIN_MAX_CONNECTIONS=FEW)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"tocsin: port {port} on 127.0.0.1 is in use: end what runs there, or choose another with --port\n"
    )


def test_a_setting_that_cannot_be_used_is_one_line_and_status_2_before_anything_is_made(tmp_path: Path) -> None:
    """Fails for the keys when `_check_secret_key` lets everything pass (checked so): the start then goes on."""
    production = {"TOCSIN_ENV": "production"}
    cases = [
        ({"TOCSIN_KEEPALIVE_SECONDS": "soon"}, "TOCSIN_KEEPALIVE_SECONDS: "),
        (production, "TOCSIN_SECRET_KEY must be set in production, to at least 32 characters"),
        (production | {"TOCSIN_SECRET_KEY": KEY[:31]}, "TOCSIN_SECRET_KEY must be at least 32 characters long"),
    ]
    with listen("127.0.0.1", 0) as taken, ThreadPoolExecutor(2) as pool:
        # The port is in use, so that a start which goes too far ends as well, with another line.
        arguments = ("serve", "--port", str(taken.getsockname()[1]))
        started = [pool.submit(tocsin, tmp_path / "data", *arguments, **settings) for settings, _ in cases]
        refusals = [start.result() for start in started]

    for refused, (settings, line) in zip(refusals, cases, strict=True):
        assert (refused.returncode, refused.stdout) == (2, ""), settings
        assert refused.stderr.startswith("tocsin: " + line), settings
        assert refused.stderr.count("\n") == 1
        assert KEY[:31] not in refused.stderr
    assert not (tmp_path / "data" / "tocsin.db").exists()
    assert not (tmp_path / "data" / "secret.key").exists()


def test_a_database_of_another_revision_is_left_alone_until_it_is_migrated(tmp_path: Path) -> None:
    """Fails when `prepare` migrates whatever it finds (checked so)."""
    newest = newest_revision()
    made = tocsin(tmp_path, "migrate")
    again = tocsin(tmp_path, "migrate")
    where = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.db'}"
    assert (made.returncode, made.stdout) == (0, f"{where} went from new to migration {newest}\n")
    assert (again.returncode, again.stdout) == (0, f"{where} stands at migration {newest} already\n")
    with sqlite3.connect(tmp_path / "tocsin.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    database.close()

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(tocsin, tmp_path, *arguments) for arguments in (("serve", "--port", "0"), ("migrate",))]
        refused, unknown = (command.result() for command in both)

    for ended in (refused, unknown):
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("tocsin: the database stands at migration older, ")
        assert ended.stderr.count("\n") == 1
    assert refused.stderr.endswith(f"this version needs {newest}: run `tocsin migrate`\n")
    assert unknown.stderr.endswith("which this version does not know: use a newer one\n")


# --- from start to end, and again -----------------------------------------------------------------


@pytest.mark.anyio
async def test_a_signal_ends_open_streams_in_good_order_and_the_next_start_goes_on_with_everything(
    tmp_path: Path,
) -> None:
    """Fails when the signal does not drain (checked so): the stream then ends without a word, and late.

    Fails as well when SIGTERM is left to its default after the server has stopped (checked so): the
    status is then that of a process that was killed. And when others may read the key (checked so).
    """
    data_dir = tmp_path / "data"
    key_file = data_dir / "secret.key"
    with server_process(data_dir, max_connections=FEW) as server:
        key = key_file.read_text()
        assert (len(key) >= 32, stat.S_IMODE(key_file.stat().st_mode)) == (True, 0o600)
        admin_id = server.cli("user", "create", "admin@example.org", "--role", "admin")
        token = TokenSigner(key).sign(admin_id, now=datetime.now(UTC), lifetime=timedelta(hours=1))
        admin = {"Authorization": f"Bearer {token}"}
        query = {"role": "admin"}
        async with httpx.AsyncClient(base_url=server.url, headers=admin) as http:
            made = await http.post("/api/v1/patients", json={"id": "P1"})
            async with EventStream.open(http, STREAM, params=query) as stream:
                ready = await stream.control("stream.ready")
                started = time.monotonic()
                status = await anyio.to_thread.run_sync(server.end, signal.SIGTERM)
                took_seconds = time.monotonic() - started
                closing = await stream.control("stream.closing")
                await stream.end()
        assert (made.status_code, status) == (201, 0)
        assert closing["reason"] == "draining"
        assert closing["retryMs"] > 0
        assert took_seconds < 5, "the ten seconds of `shutdown_seconds` are for requests that do not end"

        server.start()
        assert key_file.read_text() == key
        async with httpx.AsyncClient(base_url=server.url, headers=admin) as http:
            assert (await http.post("/api/v1/patients", json={"id": "P1"})).json()["code"] == "patient_exists"
            back = {"Last-Event-ID": ready["cursor"]}
            async with EventStream.open(http, STREAM, params=query, headers=back) as stream:
                assert (await stream.control("stream.opened"))["recovered"] is True
        assert await anyio.to_thread.run_sync(server.end, signal.SIGINT) == 0, "Ctrl-C"
        events = [line for line in server.log().splitlines() if "server." in line]
    words = [json.loads(line)["event"].removeprefix("server.") for line in events]
    assert words == ["listening", "draining", "stopped"] * 2, server.log()


def test_a_server_that_a_script_has_started_in_the_background_stops_in_good_order(tmp_path: Path) -> None:
    """A shell has such a process ignore SIGINT. Fails when only the signal that ends it is heeded (checked so)."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with server_process(tmp_path) as server:
            assert server.end(signal.SIGINT) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert "server.stopped" in server.log()


# --- what the command says of itself --------------------------------------------------------------


def _commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command below this one; groups are gone through."""
    if not hasattr(command, "commands"):
        return [path]
    return [found for name, part in command.commands.items() for found in _commands(part, (*path, name))]


COMMANDS = _commands(typer.main.get_command(cli))


def test_the_command_says_its_version_and_its_parts(tmp_path: Path) -> None:
    version, overview = tocsin(tmp_path, "--version"), tocsin(tmp_path, "--help")

    assert (version.returncode, version.stdout, version.stderr) == (0, f"{__version__}\n", "")
    assert (overview.returncode, overview.stderr) == (0, "")
    parts = {"serve", "migrate", "demo", "replay", "token", "user", "patient", "care-team"}
    assert parts <= {path[0] for path in COMMANDS}
    assert [path[0] for path in COMMANDS if f" {path[0]} " not in overview.stdout] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_each_command_has_an_example(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*path, "--help"])

    assert shown.exit_code == 0
    _, heading, examples = shown.output.partition("Example")
    assert heading, "no example"
    assert f"tocsin {' '.join(path)}" in examples


def test_help_is_quick_because_it_loads_neither_the_database_nor_the_server() -> None:
    """Fails when `app.cli` imports what the commands need at its top (checked so)."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, app.cli; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split()

    assert {"sqlalchemy", "fastapi", "uvicorn", "anyio", "alembic"}.isdisjoint(loaded)
