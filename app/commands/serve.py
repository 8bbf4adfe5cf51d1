"""`tocsin serve` and `tocsin migrate`: the server under uvicorn, ended in good order."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

import anyio
import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app.commands.ending import end
from app.commands.opened import explained, read_settings
from app.core.config import Settings
from app.core.db import Database, prepare
from app.core.services import Services
from app.main import create_app
from app.modules.alerts.manager import AlertConnectionManager

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class TocsinServer(uvicorn.Server):
    """uvicorn, with open streams told of the end as soon as the signal comes.

    uvicorn waits for open responses before it runs the lifespan's shutdown, so that streams which
    end only there would be waited for until the time is up.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="auto",
                http="httptools",
                ws="websockets-sansio",
                log_config=None,
                access_log=False,
                server_header=False,
                ws_max_size=settings.max_body_bytes,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )
        services: Services = app.state.services
        self._manager = services.get(AlertConnectionManager)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.drain()
        super().handle_exit(sig, frame)

    def drain(self) -> None:
        """Take no new streams and end the open ones; they are told to come back, and where to go on."""
        self._manager.drain()


def serve(host: str, port: int) -> None:
    """Run the server until a signal ends it; everything that cannot work is said before it listens."""
    with explained():
        settings = read_settings()
        app = create_app(settings)
        anyio.run(_use_database, settings, prepare)
    with listen(host, port) as listener:
        address, bound_port = listener.getsockname()[:2]
        _log.info("server.listening", url=f"http://{address}:{bound_port}", database=_where(settings))
        # uvicorn raises the signal again once it has stopped in good order. Without a handler of ours
        # SIGTERM would then kill the process, and its exit status tell of a crash.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            TocsinServer(app, settings).run(sockets=[listener])
        except KeyboardInterrupt:
            _log.info("server.stopped")


def migrate() -> None:
    """Bring the database to the schema of this version, and say what was done."""
    with explained():
        settings = read_settings()
        before, after = anyio.run(_use_database, settings, _migrate)
    if before == after:
        print(f"{_where(settings)} stands at migration {after} already")
    else:
        print(f"{_where(settings)} went from {before or 'new'} to migration {after}")


async def _migrate(db: Database) -> tuple[str | None, str | None]:
    before = await db.revision()
    await db.migrate()
    return before, await db.revision()


async def _use_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    db = Database(settings.sqlalchemy_url)
    try:
        return await work(db)
    finally:
        await db.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything starts, so that a port in use is one clear line.

    It names its protocol, because asyncio turns Nagle's algorithm off (TCP_NODELAY) only where it
    reads there that this is TCP; with it on, an answer can wait 40 ms for the client's delayed ACK.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            end(f"port {port} on {host} is in use: end what runs there, or choose another with --port", status=1)
        end(f"cannot listen on {host}:{port}: {error.strerror or error}", status=1)
    return listener


def _where(settings: Settings) -> str:
    return make_url(settings.sqlalchemy_url).render_as_string(hide_password=True)
