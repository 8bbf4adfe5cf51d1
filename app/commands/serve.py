"""`tocsin serve` and `tocsin migrate`: the server under uvicorn, ended in good order."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
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
from app.core.direct import protocols
from app.core.limits import ConnectionLimits
from app.core.services import Services
from app.core.tasks import until_beat
from app.main import create_app
from app.modules.alerts.manager import AlertConnectionManager
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.rules.file import RulesFileError
from app.modules.vitals.rights import SocketRights

T = TypeVar("T")

#: Open files besides the connections: the database, the listener, the log.
SPARE_DESCRIPTORS = 128

#: Of the time that a server has for stopping, what is kept for ending in good order.
ENDING_SECONDS = 1.0

#: uvicorn counts its looks, and does what it does once a second at each tenth.
_TICKS_PER_SECOND = 10

#: By Python's own thresholds frames that are just being taken count as lasting, and with 600 devices the collector
#: looked at everything each four seconds: 90 to 150 ms in which nothing else went on. By these it does so after
#: some 425,000 objects that lasted, which a thousand connections make, and hardly ever while the same devices go on
#: sending; it is no shorter then, and the middle generation takes up to 25 ms. What is found later takes memory: 170 MB
#: in place of 144 while 300 devices came and went, and no more with the time.
_GC_THRESHOLDS = (5000, 2, 20)

_log = structlog.get_logger(__name__)


class TocsinServer(uvicorn.Server):
    """uvicorn, which sends open streams elsewhere before it stops.

    uvicorn closes its listener and waits for open responses as soon as a signal comes. Here the first
    signal begins a time of draining, in which the server still answers: readiness is red, new streams
    are refused, and the open ones are told to reconnect, spread over the window. Then uvicorn stops.
    """

    def __init__(self, app: FastAPI, settings: Settings, *, owns_process: bool = False) -> None:
        services: Services = app.state.services
        self._stopping = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                **protocols(services.get(ConnectionLimits)),
                loop="auto",
                log_config=None,
                access_log=False,
                server_header=False,
                ws_max_size=settings.max_body_bytes,
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )
        self._manager = services.get(AlertConnectionManager)
        self._rules = services.get(ActiveRules)
        self._vitals_rights = services.get(SocketRights)
        self._drain_seconds = settings.drain_seconds
        self._shutdown_seconds = settings.shutdown_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._signals = 0
        self._owns_process = owns_process

    @property
    def should_exit(self) -> bool:
        return self._stopping.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._stopping.set()

    async def main_loop(self) -> None:
        """Do what uvicorn does once a second, until this server is to stop.

        uvicorn asks ten times a second whether it is: most of what a quiet server would do.
        """
        ticks = 0
        while not await self.on_tick(ticks):
            ticks = (ticks + _TICKS_PER_SECOND) % (86_400 * _TICKS_PER_SECOND)
            with anyio.move_on_after(until_beat(1.0)):
                await self._stopping.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._owns_process:
            # What was made up to here stays; the collector need not look at it again and again, which
            # would hold the loop for tens of milliseconds each time.
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            self._loop.add_signal_handler(signal.SIGHUP, self._read_rules_again)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Work off what devices have sent while there is time, and end the rest before uvicorn cancels it."""
        seconds = max(0.0, self._shutdown_seconds - ENDING_SECONDS)
        ending = asyncio.get_running_loop().call_later(seconds, self._vitals_rights.end_all, "server_stopping")
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; at the second end at once.

        Nothing is logged here: the signal may have come in the middle of another line, whose lock
        this thread holds then, and would wait for itself for ever.
        """
        self._signals += 1
        if self._signals > 1 and self._owns_process:
            os.write(2, f"tocsin: stopped at once by {signal.Signals(sig).name}\n".encode())
            os._exit(128 + sig)
        if self._loop is None or not self.started:
            super().handle_exit(sig, frame)
            return
        self._loop.call_soon_threadsafe(self._begin_to_drain, sig, frame)

    def _read_rules_again(self) -> None:
        # What is wrong with them is in the log, mistake by mistake, and the old ones stay in force.
        with suppress(RulesFileError):
            self._rules.reload()

    def _begin_to_drain(self, sig: int, frame: FrameType | None) -> None:
        _log.info("server.draining", signal=signal.Signals(sig).name, streams=self._manager.open_count())
        self._draining = asyncio.ensure_future(self._drain_and_stop(sig, frame))

    async def _drain_and_stop(self, sig: int, frame: FrameType | None) -> None:
        try:
            await self._manager.drain(self._drain_seconds)
        finally:
            super().handle_exit(sig, frame)


def serve(host: str, port: int) -> None:
    """Run the server until a signal ends it; everything that cannot work is said before it listens."""
    with explained():
        settings = read_settings()
        app = create_app(settings)
        anyio.run(_use_database, settings, prepare)
    _raise_descriptor_limit(settings.max_connections)
    with listen(host, port, dead_peer_seconds=settings.dead_peer_seconds) as listener:
        address, bound_port = listener.getsockname()[:2]
        _log.info("server.listening", url=f"http://{address}:{bound_port}", database=_where(settings))
        # uvicorn raises the signal again once it has stopped in good order. Without a handler of ours
        # SIGTERM would then kill the process, and its exit status tell of a crash. SIGINT is ignored where a
        # script has started the server in the background.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        gc.collect()
        with suppress(KeyboardInterrupt):
            TocsinServer(app, settings, owns_process=True).run(sockets=[listener])
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


def listen(host: str, port: int, *, dead_peer_seconds: int = 25) -> socket.socket:
    """A listening socket, taken before anything starts, so that a port in use is one clear line.

    It names its protocol, because asyncio turns Nagle's algorithm off (TCP_NODELAY) only where it
    reads there that this is TCP; with it on, an answer can wait 40 ms for the client's delayed ACK.
    The connections that it takes inherit its options (Linux, tcp(7)).

    Args:
        dead_peer_seconds: a peer that vanishes without a word is gone after this time, or twice it
            where it vanished just before something was sent.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_dead_peers(listener, dead_peer_seconds)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            end(f"port {port} on {host} is in use: end what runs there, or choose another with --port", status=1)
        end(f"cannot listen on {host}:{port}: {error.strerror or error}", status=1)
    return listener


def _notice_dead_peers(listener: socket.socket, seconds: int) -> None:
    """Have the kernel ask quiet peers whether they are there, and give up those that do not acknowledge.

    Without it a client that vanished keeps its place for two hours when nothing is sent to it, and for
    a quarter of an hour when something is (tcp(7): tcp_keepalive_time, tcp_retries2).
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    step = max(1, seconds // 5)
    options = {
        "TCP_KEEPIDLE": max(1, seconds - step),
        "TCP_KEEPINTVL": step,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": seconds * 1000,
    }
    for name, value in options.items():
        if hasattr(socket, name):  # TCP_USER_TIMEOUT is Linux's
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _raise_descriptor_limit(connections: int) -> None:
    """Ask for as many open files as the connections need, and say so where the system does not allow it."""
    needed = connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        _log.warning("server.few_descriptors", allowed=soft, needed=needed, setting="TOCSIN_MAX_CONNECTIONS")


def _where(settings: Settings) -> str:
    return make_url(settings.sqlalchemy_url).render_as_string(hide_password=True)
