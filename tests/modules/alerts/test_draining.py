"""The end of a server: its streams are sent elsewhere a few at a time, and it answers while that lasts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest
import structlog

from app.core.roles import Role
from app.modules.alerts import manager
from app.modules.alerts.manager import DRAIN_TURN_SECONDS, LEAST_DRAINED_PER_SECOND
from tests.modules.alerts.fan import Fan
from tests.modules.alerts.steps import STREAM, acknowledge, alert_socket, nurse_and_admin, socket_refusal
from tests.raw_http import RawConnection
from tests.servers import code_of, server_process, serving, until
from tests.sse import EventStream

pytestmark = pytest.mark.anyio

PER_TURN = round(LEAST_DRAINED_PER_SECOND * DRAIN_TURN_SECONDS)


@pytest.mark.parametrize(
    ("streams", "window_seconds", "turns"),
    [
        (PER_TURN - 1, 600, [PER_TURN - 1]),
        (2 * PER_TURN + 20, 600, [PER_TURN, PER_TURN, 20]),
        (8 * PER_TURN, 2 * DRAIN_TURN_SECONDS, [4 * PER_TURN] * 2),
        (8 * PER_TURN, 0, [8 * PER_TURN]),
    ],
    ids=["few", "at the least rate", "over the window", "without a window"],
)
async def test_streams_are_told_to_go_a_few_at_a_time_and_to_come_back_at_different_moments(
    streams: int, window_seconds: float, turns: list[int]
) -> None:
    """Judged by the turns of the loop. Fails when all are told at once, and when the time at which they are
    to come back has no jitter (checked so).
    """
    fan = Fan()
    sinks = [fan.subscriber() for _ in range(streams)]
    told_in = Counter[int]()
    for life in fan.lives:
        life.on_end = lambda: told_in.update([fan.turn])
    loop = asyncio.get_running_loop()

    def count_turn() -> None:
        fan.turn += 1
        if fan.manager.open_count():
            loop.call_soon(count_turn)

    count_turn()
    await fan.manager.drain(window_seconds)

    assert list(told_in.values()) == turns
    assert fan.manager.open_count() == 0
    retry_ms = {int(retry) for sink in sinks for retry in re.findall(rb"\nretry: (\d+)\n", b"\n" + sink.last_words)}
    assert len(retry_ms) > min(streams, 100) // 2
    assert min(retry_ms) >= 500
    assert max(retry_ms) <= 1500


async def test_between_the_signal_and_the_end_the_server_answers_but_takes_no_new_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real SIGTERM. Fails when uvicorn stops at the signal, and when nobody is refused (checked so)."""
    monkeypatch.setattr(manager, "LEAST_DRAINED_PER_SECOND", 10)
    came_again: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came_again.append(number))
    try:
        async with serving(tmp_path, drain_seconds=600) as server, contextlib.AsyncExitStack() as opened:
            await nurse_and_admin(server)
            alert_id = (await server.raise_alert("c")).json()["alertId"]
            streams: list[EventStream] = []
            for _ in range(15):
                streams.append(await opened.enter_async_context(server.stream("nurse")))
                await streams[-1].control("stream.ready")
            socket = await opened.enter_async_context(alert_socket(server, "nurse", role="nurse", patient_id="P1"))
            signal.raise_signal(signal.SIGTERM)
            await until(lambda: any(stream.ended for stream in streams))

            ready = await server.call("GET", "/readyz")
            assert (ready.status_code, ready.json()["checks"]["streams"]) == (503, "draining")
            assert (await server.call("GET", "/healthz")).status_code == 200
            refused = await server.call("GET", STREAM, "nurse", params={"role": "nurse", "patient_id": "P1"})
            assert code_of(refused) == (503, "draining")
            assert int(refused.headers["retry-after"]) > 0
            assert await socket_refusal(server, "nurse", role="nurse", patient_id="P1") == 503
            assert (await acknowledge(server, alert_id, "nurse")).status_code == 200
            still_open = [stream for stream in streams if not stream.ended]
            assert still_open, "they are told one after the other"
            await still_open[-1].alert("alert_acknowledged", alertId=alert_id)
            for stream in streams:
                await stream.end()
            await socket.wait_closed()
            assert socket.close_code == 1012
            last_words = [(await stream.control("stream.closing")) for stream in streams]
        assert {words["reason"] for words in last_words} == {"draining"}
        assert len({words["retryMs"] for words in last_words}) > 1
        assert came_again == [signal.SIGTERM], "given on when the server has stopped"
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_second_signal_ends_the_process_at_once_whatever_is_open(tmp_path: Path) -> None:
    """A request that never ends keeps the server from stopping by itself meanwhile. Fails when the second
    signal is taken like the first (checked so).
    """
    with server_process(tmp_path, drain_seconds="600", shutdown_seconds="600") as server:
        server.cli("user", "create", "admin@example.org", "--role", str(Role.ADMIN))
        token = server.cli("token", "admin@example.org")
        async with contextlib.AsyncExitStack() as opened:
            unfinished = await opened.enter_async_context(RawConnection.open(server.url))
            unfinished.request("POST", "/api/v1/alerts", Authorization=f"Bearer {token}", Content_Length="10")
            for _ in range(2 * PER_TURN + 1):
                stream = await opened.enter_async_context(RawConnection.open(server.url))
                stream.request("GET", f"{STREAM}?role=admin", Authorization=f"Bearer {token}")
                await stream.read_until(b"event: stream.ready")
            server.send_signal(signal.SIGTERM)
            await until(lambda: "server.draining" in server.log())
            status = await anyio.to_thread.run_sync(server.end, signal.SIGINT)
        assert status == 128 + signal.SIGINT
        assert server.log().endswith("tocsin: stopped at once by SIGINT\n")


@pytest.fixture
def ignored_signals() -> Iterator[None]:
    """uvicorn raises the signal again once it has stopped, which is meant for a process of its own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("ignored_signals")
async def test_a_signal_is_not_logged_from_its_handler_which_may_have_interrupted_the_log(tmp_path: Path) -> None:
    """The lock of the interrupted line would never come free. Fails when `handle_exit` logs (checked so)."""
    async with serving(tmp_path, drain_seconds=0) as server:
        with structlog.testing.capture_logs() as logged:
            server.server.handle_exit(signal.SIGTERM, None)
            assert logged == []
            await until(lambda: [line["event"] for line in logged if line["event"] == "server.draining"])
        await until(lambda: server.server.should_exit)
