"""Starts real servers for tests: in this event loop, or as a process that can be killed.

Every server listens on loopback, on a port that the system chooses.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx

from app.commands.serve import TocsinServer, listen
from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.config import Settings
from app.core.console import FOLDER as CONSOLE
from app.core.db import Database
from app.core.roles import Role
from app.core.services import Services
from app.main import create_app
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.patients.service import PatientService
from app.modules.users.service import UserService
from tests.databases import put_new_database
from tests.sse import EventStream

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], object], *, within_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is true, and fail when it does not become so."""
    with anyio.fail_after(within_seconds):
        while not condition():
            await anyio.sleep(0.005)


async def until_answered(
    condition: Callable[[], Awaitable[object]], *, within_seconds: float = PATIENCE_SECONDS
) -> None:
    """The same for something that has to be asked for."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await condition():
            await anyio.sleep(0.02)


@dataclass
class RunningServer:
    """A server that answers at `url`, and what a test asks of it."""

    url: str
    services: Services
    server: TocsinServer
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def manager(self) -> AlertConnectionManager:
        return self.services.get(AlertConnectionManager)

    async def user(
        self, name: str, *roles: Role | str, patient_of: str | None = None, password: str | None = None
    ) -> str:
        """An account with a token, and with a patient record of its own where one is named; gives its id."""
        created = await self.services.get(UserService).create(
            f"{name}@example.org", name.title(), [Role(role) for role in roles], password
        )
        if patient_of is not None:
            await self.services.get(PatientService).create(patient_of, patient_of, created.id)
        self.tokens[name] = await self.token(name)
        return str(created.id)

    async def token(self, name: str, lifetime: timedelta = timedelta(hours=1)) -> str:
        return await self.services.get(AuthService).token_for(f"{name}@example.org", lifetime)

    async def patient(self, patient_id: str, *team: str) -> None:
        """A patient, with these accounts on the care team."""
        await self.services.get(PatientService).create(patient_id, patient_id, None)
        await self.grant(patient_id, *team)

    async def grant(self, patient_id: str, *names: str) -> None:
        for name in names:
            user = await self.services.get(UserService).by_email(f"{name}@example.org")
            await self.services.get(CareTeamService).add(patient_id, user.id)

    async def revoke(self, patient_id: str, name: str) -> None:
        user = await self.services.get(UserService).by_email(f"{name}@example.org")
        await self.services.get(CareTeamService).remove(patient_id, user.id)

    def bearer(self, name: str | None) -> dict[str, str]:
        return {} if name is None else {"Authorization": f"Bearer {self.tokens[name]}"}

    async def call(
        self, method: str, path: str, name: str | None = None, body: Any = None, **kwargs: Any
    ) -> httpx.Response:
        headers = {**self.bearer(name), **kwargs.pop("headers", {})}
        return await self.http.request(method, path, json=body, headers=headers, **kwargs)

    async def raise_alert(self, condition: str = "test", *, patient_id: str = "P1", **fields: Any) -> httpx.Response:
        body = {
            "patientId": patient_id,
            "vitalType": "heart_rate",
            "tier": "moderate",
            "reasons": [f"reason of {condition}"],
            "vitalsWindow": [190, 192, 188],
            "condition": condition,
            "recipients": ["nurse"],
            **fields,
        }
        return await self.call("POST", "/api/v1/alerts", "admin", body)

    @asynccontextmanager
    async def stream(
        self,
        name: str | None,
        role: str | None = "nurse",
        patient_id: str | None = "P1",
        *,
        last_event_id: str | None = None,
        path: str = "/api/v1/alerts/stream",
        params: dict[str, str] | None = None,
    ) -> AsyncIterator[EventStream]:
        """An open event stream; one that is refused has a status, and no events."""
        query = {**({} if "caregivers" in path else {"role": role, "patient_id": patient_id}), **(params or {})}
        headers = self.bearer(name)
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        query = {key: value for key, value in query.items() if value is not None}
        async with EventStream.open(self.http, path, params=query, headers=headers) as stream:
            yield stream

    def socket_address(self, path: str, **params: str) -> str:
        return self.url.replace("http", "ws", 1) + path + "?" + str(httpx.QueryParams(params))


@asynccontextmanager
async def serving(
    data_dir: Path, *, clock: Clock | None = None, direct: bool = True, console: Path = CONSOLE, **settings: Any
) -> AsyncIterator[RunningServer]:
    """A server in this event loop, checked at its end to have given everything back.

    Args:
        direct: events are written straight to the connections; otherwise the plain ASGI way, as under
            any other server.
        console: the folder of a built web console, or one that is not there.
    """
    if "database_url" not in settings:
        await put_new_database(data_dir)
    app = create_app(Settings(data_dir=data_dir, log_level="error", **settings), clock=clock, console=console)
    services: Services = app.state.services
    listener = listen("127.0.0.1", 0, dead_peer_seconds=services.get(Settings).dead_peer_seconds)
    server = TocsinServer(app, services.get(Settings))
    if not direct:
        server.config.http, server.config.ws = "httptools", "websockets-sansio"
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started or running.done())
        if running.done():
            running.result()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            # So that a reader which stops reading is noticed before megabytes are under way to it.
            socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)],
        )
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, transport=transport) as http_client:
            running_server = RunningServer(url, services, server, http_client)
            yield running_server
            await until(lambda: running_server.manager.open_count() == 0)
            await until(lambda: running_server.manager.indexed_count() == 0)
            await until(lambda: services.get(Database).checked_out() == 0)
            await until(lambda: services.get(AccessChanges).watched_count() == 0)
    finally:
        server.should_exit = True
        await running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`tocsin serve` as a process of its own, that can be killed and started again on the same data."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "TOCSIN_DATA_DIR": str(data_dir),
            **{f"TOCSIN_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path = data_dir / "server.log"

    def start(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended: {self.log()}")
            try:
                if httpx.get(self.url + "/healthz", timeout=1).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the server does not answer: {self.log()}")

    def kill(self) -> None:
        """End it as a power cut would: no signal handler runs."""
        self.end(signal.SIGKILL)

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(with_signal)
        status = self._process.wait(PATIENCE_SECONDS)
        self._process = None
        return status

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return self._log_path.read_text()

    def cli(self, *arguments: str, stdin: str | None = None) -> str:
        """What a `tocsin` command prints beside this server."""
        done = run_cli(*arguments, stdin=stdin, environment=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def server_process(data_dir: Path, **settings: str) -> Iterator[ServerProcess]:
    """A server process that is ended with the block, whatever happens in it."""
    server = ServerProcess(data_dir, **settings)
    server.start()
    try:
        yield server
    finally:
        server.end()


def run_cli(
    *arguments: str, stdin: str | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a `tocsin` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        input=stdin, env=environment or dict(os.environ), cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def code_of(response: httpx.Response) -> tuple[int, str]:
    """The status and the stable word of an answer that refuses."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = json.loads(response.text)
    assert body["status"] == response.status_code
    return response.status_code, body["code"]
