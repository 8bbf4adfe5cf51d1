"""What a process takes, what it refuses, and how it says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.core.limits import STREAMS_SHARE, TokenBucket
from app.core.roles import Role
from tests.modules.alerts.steps import STREAM, acknowledge, alert_socket, metric, nurse_and_admin
from tests.servers import RunningServer, code_of, serving, until
from tests.sse import EventStream

pytestmark = pytest.mark.anyio

LISTEN = {"role": "nurse", "patient_id": "P1"}


@given(
    steps=st.lists(st.integers(0, 40).map(lambda eighths: eighths / 8), max_size=60),
    rate_hz=st.sampled_from([0.25, 1.0, 4.0]),
    burst=st.sampled_from([1, 2, 5]),
)
@settings(max_examples=200, deadline=None)
def test_in_no_stretch_of_time_more_is_taken_than_the_rate_and_one_burst_allow(
    steps: list[float], rate_hz: float, burst: int
) -> None:
    """And nothing is refused that would be within it. Fails when the burst is not bounded, when a refused
    one costs a token, and when time does not bring new ones (checked so).
    """
    bucket = TokenBucket(rate_hz=rate_hz, burst=burst, now=100.0)
    now = 100.0
    taken: list[float] = []
    for step in steps:
        now += step
        stretches = [(100.0, 0), *((at, index) for index, at in enumerate(taken))]
        is_within = all(len(taken) - index + 1 <= burst + rate_hz * (now - at) for at, index in stretches)
        assert bucket.take(now) is is_within
        if is_within:
            taken.append(now)


def refusal_of(response: httpx.Response) -> str:
    """The sentence of a refusal, checked to say when to come back."""
    wait_seconds = int(response.headers["retry-after"])
    detail: str = response.json()["detail"]
    assert 5 <= wait_seconds <= 15
    assert detail.endswith(f"; come back in {wait_seconds} s")
    return detail


async def refused_socket(server: RunningServer) -> tuple[int, bytes]:
    """The status and the body with which the legacy WebSocket is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await alert_socket(server, "nurse", **LISTEN)
    assert refused.value.response.headers["retry-after"]
    return refused.value.response.status_code, bytes(refused.value.response.body)


@contextlib.asynccontextmanager
async def idle_connections(server: RunningServer, count: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Connections that say nothing, taken in by the server."""
    host, port = server.url.removeprefix("http://").split(":")
    open_now = server.server.server_state.connections
    before = len(open_now)
    writers = [(await asyncio.open_connection(host, int(port)))[1] for _ in range(count)]
    await until(lambda: len(open_now) == before + count)
    try:
        yield writers
    finally:
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_connection_too_many_is_refused_with_the_reason_until_there_is_room(tmp_path: Path) -> None:
    """Fails when the number of connections is not looked at, or not before the WebSocket (checked so)."""
    async with serving(tmp_path, max_connections=20) as server:
        await nurse_and_admin(server)
        async with idle_connections(server, 20) as idle:
            refused = await server.call("GET", "/healthz")
            assert code_of(refused) == (503, "too_many_connections")
            assert "this server takes 20 connections" in refusal_of(refused)
            assert refused.headers["connection"] == "close"
            assert (await refused_socket(server))[0] == 503
            assert metric(server, 'tocsin_limits_hit_total{limit="too_many_connections"}') == 2
            idle[0].close()
            await until(lambda: len(server.server.server_state.connections) < 20)
            assert (await server.call("GET", "/healthz")).status_code == 200


async def test_new_connections_that_come_too_fast_are_refused_and_open_ones_are_served(tmp_path: Path) -> None:
    """Fails when the rate is not looked at (checked so). The rate is one in a quarter of an hour, so that
    no token comes back meanwhile; one connection may come all the same.
    """
    async with serving(tmp_path, max_new_connections_per_second=0.001) as server:
        await nurse_and_admin(server)
        assert (await server.call("GET", "/healthz")).status_code == 200, "on the one connection"
        async with httpx.AsyncClient(base_url=server.url) as another:
            refused = await another.get("/healthz")
        assert code_of(refused) == (503, "too_many_new_connections")
        assert "this server takes 0.001 new connections per second" in refusal_of(refused)
        assert (await refused_socket(server))[0] == 503
        assert metric(server, 'tocsin_limits_hit_total{limit="too_many_new_connections"}') == 2
        async with server.stream("nurse") as stream:
            await stream.control("stream.ready")


async def test_an_account_has_so_many_streams_and_sockets_and_another_account_has_its_own(tmp_path: Path) -> None:
    """Fails when the streams of one user are not counted, or not counted down again (checked so)."""
    async with serving(tmp_path, max_streams_per_user=2) as server:
        await nurse_and_admin(server)
        async with server.stream("nurse") as first:
            await first.control("stream.ready")
            async with alert_socket(server, "nurse", **LISTEN):
                await until(lambda: server.manager.open_count() == 2)
                refused = await server.call("GET", STREAM, "nurse", params=LISTEN)
                assert code_of(refused) == (429, "too_many_streams")
                assert "one account may have 2 streams open" in refusal_of(refused)
                status, body = await refused_socket(server)
                assert (status, json.loads(body)["code"]) == (429, "too_many_streams")
                assert metric(server, 'tocsin_limits_hit_total{limit="too_many_streams"}') == 2
                async with server.stream("admin", "admin", "*") as other:
                    await other.control("stream.ready")
            await until(lambda: server.manager.open_count() == 1)
            async with server.stream("nurse") as again:
                await again.control("stream.ready")


async def test_where_no_stream_is_taken_any_more_a_nurse_can_still_acknowledge(tmp_path: Path) -> None:
    """Fails when streams may have all of the connections (checked so)."""
    async with serving(tmp_path, max_connections=40) as server, contextlib.AsyncExitStack() as opened:
        await nurse_and_admin(server)
        alert_id = (await server.raise_alert("c")).json()["alertId"]
        streams: list[EventStream] = []
        for _ in range(round(40 * STREAMS_SHARE)):
            streams.append(await opened.enter_async_context(server.stream("nurse")))
            await streams[-1].control("stream.ready")

        refused = await server.call("GET", STREAM, "nurse", params=LISTEN)
        assert code_of(refused) == (503, "too_many_connections")
        assert "of its 40 connections this server has none for another stream" in refusal_of(refused)
        status, body = await refused_socket(server)
        assert (status, json.loads(body)["code"]) == (503, "too_many_connections")
        assert (await acknowledge(server, alert_id, "nurse")).status_code == 200
        for stream in streams:
            await stream.alert("alert_acknowledged", alertId=alert_id)


async def test_a_websocket_takes_a_connection_like_any_other(tmp_path: Path) -> None:
    """uvicorn counts a WebSocket too, so that many of them reach the limit."""
    async with serving(tmp_path, max_connections=20) as server:
        await server.user("nurse", Role.NURSE)
        await server.patient("P1", "nurse")
        address = server.socket_address("/api/v1/alerts/ws", **LISTEN)
        async with connect(address, additional_headers=server.bearer("nurse")), idle_connections(server, 19):
            assert code_of(await server.call("GET", "/healthz")) == (503, "too_many_connections")


async def test_a_websocket_that_is_one_too_many_is_told_which_limit_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections=20) as server:
        await server.user("nurse", Role.NURSE)
        await server.patient("P1", "nurse")
        address = server.socket_address("/api/v1/alerts/ws", **LISTEN)
        async with idle_connections(server, 20):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address, additional_headers=server.bearer("nurse"))
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body or b"{}").get("code")) == (503, "too_many_connections")
    assert int(answer.headers["Retry-After"]) > 0
