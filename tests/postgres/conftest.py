from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.servers import free_port


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of our own, on loopback, that is gone after the tests."""
    pg_ctl = _find("pg_ctl")
    if pg_ctl is None:
        pytest.skip("no PostgreSQL server here: install it (Debian: apt-get install postgresql)")
    # A short path that others may enter: PostgreSQL refuses to run as root, and has its socket here.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    folder.chmod(0o755)
    as_user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres")
    port = free_port()
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(Path(pg_ctl).with_name(program)), *arguments],
            capture_output=True, text=True, cwd=folder, check=False, **as_user,  # type: ignore[call-overload]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    run("initdb", "-D", str(data), "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def database_url(postgresql: str, request: pytest.FixtureRequest) -> str:
    """A database of its own for each test."""
    name = f"tocsin_{abs(hash(request.node.nodeid))}"

    async def create() -> None:
        connection = await asyncpg.connect(f"postgresql://tocsin@{postgresql}/postgres")
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()

    asyncio.run(create())
    return f"postgresql+asyncpg://tocsin@{postgresql}/{name}"


def _find(program: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    return shutil.which(program) or next((str(path) for path in installed), None)
