"""`tocsin serve` and `tocsin migrate`: the server under uvicorn, ended in good order."""

from __future__ import annotations

import errno
import socket
from types import FrameType

import anyio
import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from app.commands.ending import end
from app.core.config import Settings, SettingsError, load_settings
from app.core.db import Database, DatabaseNotCurrent, prepare
from app.core.logging import configure_logging
from app.core.services import Services
from app.main import create_app
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.rules_file import RulesFileError

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
    settings = _settings()
    try:
        app = create_app(settings)
    except RulesFileError as error:
        end(str(error), status=2)
    _migrate_if_new(settings)
    with listen(host, port) as listener:
        address, bound_port = listener.getsockname()[:2]
        _log.info("server.listening", url=f"http://{address}:{bound_port}", database=_where(settings))
        try:
            TocsinServer(app, settings).run(sockets=[listener])
        except KeyboardInterrupt:
            # uvicorn raises the signal again once it has stopped in good order.
            _log.info("server.stopped")


def migrate() -> None:
    """Bring the database to the schema of this version, and say what was done."""
    settings = _settings()

    async def work() -> tuple[str | None, str | None]:
        db = Database(settings.sqlalchemy_url)
        try:
            before = await db.revision()
            await db.migrate()
            return before, await db.revision()
        finally:
            await db.close()

    before, after = anyio.run(work)
    if before == after:
        print(f"{_where(settings)} stands at migration {after} already")
    else:
        print(f"{_where(settings)} went from {before or 'new'} to migration {after}")


def _settings() -> Settings:
    try:
        settings = load_settings()
    except SettingsError as error:
        end(str(error), status=2)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _migrate_if_new(settings: Settings) -> None:
    async def work() -> None:
        db = Database(settings.sqlalchemy_url)
        try:
            await prepare(db)
        finally:
            await db.close()

    try:
        anyio.run(work)
    except DatabaseNotCurrent as error:
        end(str(error), status=1)


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
