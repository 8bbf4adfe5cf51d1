"""The connection itself, where uvicorn gives it away and where it does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.direct import DirectSocket, DirectStream, LendingSocketProtocol, protocols
from app.core.direct.guard import RELIED_ON
from app.core.limits import ConnectionLimits
from app.core.metrics import Metrics
from tests.modules.alerts.steps import STREAM, alert_socket, directly_or_not, nurse_and_admin
from tests.raw_http import RawConnection
from tests.servers import RunningServer, serving, until

pytestmark = pytest.mark.anyio

LISTEN = f"{STREAM}?role=nurse&patient_id=P1"


def names(headers: Iterable[tuple[str, str]]) -> set[str]:
    return {name for name, _ in headers}


def is_direct(server: RunningServer) -> bool:
    """Whether the open streams have their connections to themselves."""
    return any(isinstance(c, DirectStream) for c in server.server.server_state.connections)


@dataclass
class Owner:
    """Whoever a connection tells of itself."""

    lost: asyncio.Event

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def left(self) -> None:
        self.lost.set()


class Noticing(asyncio.Protocol):
    """Knows when its connection is lost."""

    def __init__(self) -> None:
        self.is_lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost.set()


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.Transport, Noticing]]:
    """One end of a connection whose other end reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with theirs:
        yield await asyncio.get_running_loop().create_connection(Noticing, sock=ours)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_what_is_written_to_a_connection_that_is_gone_is_passed_over(run: Callable[..., None]) -> None:
    """Fails with uvloop where that is left to its transport (checked so)."""

    async def write_late() -> None:
        async with connected() as (transport, protocol):
            connection = DirectSocket(transport)
            transport.abort()
            await protocol.is_lost.wait()
            connection.lost()
            connection.write(b"x")
            connection.end(b"y")

    run(write_late())


# --- the order of bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_is_paused_as_soon_as_a_single_byte_waits_in_its_transport(run: Callable[..., None]) -> None:
    """Otherwise what is sent next, past the transport, could overtake that byte.

    Fails on either loop when the transport keeps its own limits (checked so).
    """

    async def fill_and_wait() -> None:
        async with connected() as (transport, _):
            stream = DirectStream(transport, set())
            with contextlib.suppress(BlockingIOError):
                while True:
                    stream.send(b"x" * 65_536)
            was_paused = stream.is_paused
            stream.write(b"y")
            assert (was_paused, stream.is_paused) == (False, True)
            lost = asyncio.Event()
            stream.owner = Owner(lost)
            transport.abort()
            await asyncio.wait_for(lost.wait(), 10)

    run(fill_and_wait())


# --- what costs a task ----------------------------------------------------------------------------


@directly_or_not
async def test_an_idle_event_stream_has_no_task_where_the_connection_is_its_own(
    tmp_path: Path, *, direct: bool
) -> None:
    """Fails for the direct case when `take_over` answers with nothing (checked so)."""
    async with serving(tmp_path, direct=direct) as server:
        await nurse_and_admin(server)
        authorization = server.bearer("nurse")["Authorization"]
        async with contextlib.AsyncExitStack() as opened:
            connections = [await opened.enter_async_context(RawConnection.open(server.url)) for _ in range(50)]
            before = len(asyncio.all_tasks())
            for connection in connections:
                connection.request("GET", LISTEN, Authorization=authorization)
                assert (await connection.head())[0] == 200
                await connection.read_until(b"event: stream.ready")
            assert server.manager.open_count() == 50
            if direct:
                await until(lambda: len(asyncio.all_tasks()) <= before)
            else:
                assert len(asyncio.all_tasks()) >= before + 50
            raised = (await server.raise_alert("for-all")).json()["alertId"]
            for connection in connections:
                await connection.read_until(raised.encode())


# --- requests of another kind ---------------------------------------------------------------------


async def test_an_http_1_0_client_gets_the_stream_without_chunks_until_the_connection_ends(tmp_path: Path) -> None:
    """Fails when uvicorn answers by itself: it sends chunks, which HTTP/1.0 does not know (checked so)."""
    async with serving(tmp_path) as server:
        await nurse_and_admin(server)
        async with RawConnection.open(server.url) as connection:
            connection.request("GET", LISTEN, version="1.0", **server.bearer("nurse"))
            status, headers = await connection.head()
            assert (status, names(headers) & {"transfer-encoding", "content-length"}) == (200, set())
            assert [value for name, value in headers if name == "connection"] == ["close"]
            first = await connection.read_until(b"event: stream.ready")
            assert first.startswith((b"event: stream.opened\n", b"retry: "))
            assert not is_direct(server)
            raised = (await server.raise_alert("c")).json()["alertId"]
            await connection.read_until(raised.encode())
            await server.revoke("P1", "nurse")
            rest = await connection.read_to_end()
        assert b"event: stream.closing" in rest
        assert rest.endswith(b"\n\n")


async def test_an_http_1_0_client_gets_every_other_answer_whole(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for method, target, expected in (("GET", "/healthz", 200), ("GET", STREAM, 401), ("HEAD", "/docs", 405)):
            async with RawConnection.open(server.url) as connection:
                connection.request(method, target, version="1.0")
                status, headers = await connection.head()
                body = await connection.read_to_end()
            assert (status, "transfer-encoding" in names(headers)) == (expected, False)
            assert method == "HEAD" or len(body) == int(dict(headers)["content-length"])


async def test_a_stream_asked_for_behind_another_request_on_the_same_connection_follows_its_answer(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        await nurse_and_admin(server)
        async with RawConnection.open(server.url) as connection:
            connection.request("GET", "/healthz")
            connection.request("GET", LISTEN, **server.bearer("nurse"))
            status, headers = await connection.head()
            body = await connection.read(int(dict(headers)["content-length"]))
            assert (status, json.loads(body)) == (200, {"status": "ok"})
            assert (await connection.head())[0] == 200
            assert b"stream.opened" in await connection.chunk()
            assert is_direct(server)


async def test_a_request_behind_a_stream_on_the_same_connection_is_answered_when_the_stream_ends(
    tmp_path: Path,
) -> None:
    """The connection is not given away then. Fails when it is, whatever the state of the exchange (checked so)."""
    async with serving(tmp_path) as server:
        await nurse_and_admin(server)
        async with RawConnection.open(server.url) as connection:
            connection.request("GET", LISTEN, **server.bearer("nurse"))
            connection.request("GET", "/healthz")
            assert (await connection.head())[0] == 200
            assert b"stream.opened" in await connection.chunk()
            assert not is_direct(server)
            await server.revoke("P1", "nurse")
            while await connection.chunk():
                pass
            assert (await connection.head())[0] == 200


async def test_a_head_request_opens_no_stream(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await nurse_and_admin(server)
        response = await server.call("HEAD", LISTEN, "nurse")
        assert (response.status_code, response.content) == (405, b"")
        assert server.manager.open_count() == 0
        assert (await server.call("GET", "/healthz")).status_code == 200


async def test_a_client_that_leaves_before_its_stream_begins_leaves_nothing_behind(tmp_path: Path) -> None:
    """The server's own check at its end is what this is about."""
    async with serving(tmp_path) as server:
        await nurse_and_admin(server)
        for _ in range(20):
            async with RawConnection.open(server.url) as connection:
                connection.request("GET", LISTEN, **server.bearer("nurse"))
                await connection.writer.drain()
        await until(lambda: len(server.server.server_state.connections) == 0)


# --- uvicorn as it is, and as it may become -------------------------------------------------------


def limits() -> ConnectionLimits:
    return ConnectionLimits(Metrics(), connections=100, new_per_second=0, streams_per_user=0)


def test_with_the_uvicorn_that_is_installed_connections_are_given_away_and_lent() -> None:
    with capture_logs() as logs:
        chosen = protocols(limits())

    assert logs == []
    assert chosen["ws"].func is LendingSocketProtocol


def test_a_uvicorn_that_lacks_what_is_relied_on_is_used_as_it_is_with_one_line_that_names_it() -> None:
    relied_on = (*RELIED_ON, (HttpToolsProtocol.connection_made, {"transport", "a_new_name"}))
    with capture_logs() as logs:
        chosen = protocols(limits(), relied_on)

    assert chosen == {"http": "httptools", "ws": "websockets-sansio"}
    assert [(line["event"], line["missing"]) for line in logs] == [
        ("direct.unavailable", ["HttpToolsProtocol.connection_made: a_new_name"])
    ]


async def test_the_server_works_with_what_it_falls_back_to(tmp_path: Path) -> None:
    async with serving(tmp_path, direct=False) as server:
        await nurse_and_admin(server)
        socket = alert_socket(server, "nurse", role="nurse", patient_id="P1")
        async with server.stream("nurse") as stream, socket as by_socket:
            await stream.control("stream.ready")
            assert not is_direct(server)
            raised = (await server.raise_alert("c")).json()["alertId"]
            await stream.alert("alert", alertId=raised)
            assert json.loads(await by_socket.recv())["alertId"] == raised
