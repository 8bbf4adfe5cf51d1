"""A Tocsin server of the demo's own: a child process with a fresh data folder, gone without a trace afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from app.commands.connection import CommandError

HOST: Final = "127.0.0.1"
TOCSIN: Final = (sys.executable, "-m", "app.cli")
SOURCES: Final = Path(__file__).resolve().parents[3]

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.1
SHOWN_LOG_LINES: Final = 12


def require_free_port(port: int) -> None:
    """Make sure that a server can listen there.

    Raises:
        CommandError: somebody else does, or we may not; the text says what to do.
    """
    with socket.socket() as probe:
        # As the server itself binds: connections of an earlier server that are still timing out do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            other = port + 1 if 1024 <= port < 65535 else 8001
            raise CommandError(
                f"port {port} cannot be used ({error.strerror}): "
                f"take another with `make demo PORT={other}` or `tocsin demo --port {other}`"
            ) from None


@asynccontextmanager
async def running_server(port: int) -> AsyncIterator[DemoServer]:
    """A server that answers, for as long as the context lasts; then it is stopped and its folder removed.

    Raises:
        CommandError: it did not start; with the last lines of its log.
    """
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    try:
        server = DemoServer(port, folder)
        try:
            await server.wait_until_healthy()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class NearbyServer:
    """A server of this machine, and its data: something to put the demo's ward into.

    Args:
        environment: what the server was started with, so that commands find its data.
        folder: where commands run, so that they find the same `tocsin.toml`, or none.
    """

    def __init__(self, url: str, environment: Mapping[str, str], folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._environment = environment

    async def run_command(self, *arguments: str, stdin: str = "") -> str:
        """Run `tocsin ARGUMENTS` beside the server, on the same data, and return what it printed.

        Raises:
            CommandError: it failed; the text is what it said.
        """
        process = await asyncio.create_subprocess_exec(
            *TOCSIN,
            *arguments,
            env=self._environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = await process.communicate(stdin.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise CommandError(f"tocsin {' '.join(arguments[:2])} failed: {err.decode(errors='replace').strip()}")
        return out.decode().strip()


class DemoServer(NearbyServer):
    """`tocsin serve` in a session of its own, so that Ctrl-C reaches us alone and we stop it in our order."""

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(f"http://{HOST}:{port}", demo_environment(os.environ, folder), folder)
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*TOCSIN, "serve", "--host", HOST, "--port", str(port)],
                env=self._environment,
                cwd=folder,  # Away from any tocsin.toml: the demo touches no database but its own.
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def wait_until_healthy(self) -> None:
        """Return when `GET /healthz` answers 200."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5) as http:
            try:
                async with asyncio.timeout(START_SECONDS):
                    while True:
                        if await self._is_healthy(http):
                            return
                        await asyncio.sleep(POLL_SECONDS)
            except TimeoutError:
                raise CommandError(f"the server did not answer within {START_SECONDS:g} s", self.last_words()) from None

    async def watch(self) -> None:
        """Raise as soon as the server has ended by itself."""
        while True:
            self._require_alive()
            await asyncio.sleep(POLL_SECONDS)

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-SHOWN_LOG_LINES:]) or "(its log is empty)"

    def stop(self) -> None:
        """Return when the server has ended: asked politely first, and killed after ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def _is_healthy(self, http: httpx.AsyncClient) -> bool:
        self._require_alive()
        try:
            answer = await http.get("/healthz")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def _require_alive(self) -> None:
        if (code := self._process.poll()) is not None:
            raise CommandError(f"the server ended with code {code}", self.last_words())


def demo_environment(inherited: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of the demo's server: nothing that the caller has set for a real one is handed on."""
    environment = {name: value for name, value in inherited.items() if not name.upper().startswith("TOCSIN_")}
    python_path = [str(SOURCES), *filter(None, [inherited.get("PYTHONPATH")])]
    return environment | {
        "TOCSIN_ENV": "demo",
        "TOCSIN_DATA_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(python_path),
    }
