"""Clients that are gone, or as good as gone, without having said so."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import pytest
import uvloop

from app.core.direct import DirectStream
from tests.modules.alerts.steps import STREAM, metric, nurse_and_admin
from tests.servers import PATIENCE_SECONDS, ROOT, RunningServer, serving, until

pytestmark = pytest.mark.anyio


def _why_not_in_a_namespace() -> str | None:
    if sys.platform != "linux" or shutil.which("unshare") is None or shutil.which("ip") is None:
        return "needs Linux with unshare (util-linux) and ip (iproute2)"
    tried = subprocess.run(
        ["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"a network namespace is not permitted here: {tried.stderr.strip()}"


async def test_a_peer_that_vanishes_without_a_word_is_gone_soon(tmp_path: Path) -> None:
    """The loopback of a network namespace goes down, so that nothing says that the connection is over.

    Fails for the quiet one when the listener has no keepalive, and for the other when it has no
    `TCP_USER_TIMEOUT` (checked so).
    """
    if reason := _why_not_in_a_namespace():
        pytest.skip(reason)
    in_namespace = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"']
    child = [sys.executable, "-m", "tests.core.vanishing_peer", str(tmp_path)]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [*in_namespace, *child], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
        )
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"quiet": 1, "spoken to": 1}


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_accepted_connections_have_the_options_of_the_listener(
    tmp_path: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Fails for Nagle's algorithm when the listener does not name its protocol (checked so, for asyncio),
    and for the others when the listener does not set them (checked so).
    """

    async def look() -> dict[str, int]:
        async with serving(tmp_path, dead_peer_seconds=10) as server:
            await nurse_and_admin(server)
            async with server.stream("nurse") as stream:
                await stream.control("stream.ready")
                (direct,) = (c for c in server.server.server_state.connections if isinstance(c, DirectStream))
                accepted = direct._socket
                return {
                    name: accepted.getsockopt(level, getattr(socket, name))
                    for name, level in (
                        ("TCP_NODELAY", socket.IPPROTO_TCP),
                        ("SO_KEEPALIVE", socket.SOL_SOCKET),
                        ("TCP_KEEPIDLE", socket.IPPROTO_TCP),
                        ("TCP_KEEPINTVL", socket.IPPROTO_TCP),
                        ("TCP_USER_TIMEOUT", socket.IPPROTO_TCP),
                    )
                }

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(look()) == {
            "TCP_NODELAY": 1,
            "SO_KEEPALIVE": 1,
            "TCP_KEEPIDLE": 8,
            "TCP_KEEPINTVL": 2,
            "TCP_USER_TIMEOUT": 10_000,
        }


async def test_a_frozen_reader_is_closed_for_good_and_gets_everything_when_it_comes_back(tmp_path: Path) -> None:
    """Fails when a stuck reader is not closed, and when it is not cut off after its last words: its socket
    stays then, with all that it was sent (checked so). The kernel's own patience is longer than the test's.
    """
    async with serving(tmp_path, subscriber_queue=5, slow_consumer_seconds=0.5, dead_peer_seconds=120) as server:
        await nurse_and_admin(server)
        received = tmp_path / "received"
        host, port = server.url.removeprefix("http://").split(":")
        target = f"{STREAM}?role=nurse&patient_id=P1"
        command = [sys.executable, "-m", "tests.core.frozen_reader", host, port, target, server.tokens["nurse"]]
        with received.open("wb") as out:
            reader = subprocess.Popen(command, cwd=ROOT, stdout=out)
        try:
            await until(lambda: b"stream.ready" in received.read_bytes())
            first_line = received.read_bytes().splitlines()[0].decode()
            its_port = int(first_line.removeprefix("port: "))
            reader.send_signal(signal.SIGSTOP)
            raised = await _raise_until_closed(server)
            await until(lambda: not _has_socket(int(port), its_port))
            reader.send_signal(signal.SIGCONT)
            await anyio.to_thread.run_sync(reader.wait, PATIENCE_SECONDS)
        finally:
            reader.kill()
            reader.wait()
        assert metric(server, 'tocsin_streams_closed_total{reason="slow_consumer",transport="sse"}') == 1
        # A client keeps the id of a message that has come whole.
        ids = re.findall(rb"^id: (\S+)-(\d+)\n(?=(?:.+\n)*\n)", received.read_bytes(), re.M)
        epoch, last = ids[-1]
        cursor = f"{epoch.decode()}-{last.decode()}"
        async with server.stream("nurse", last_event_id=cursor) as again:
            assert (await again.control("stream.opened"))["recovered"] is True
            await again.control("stream.ready")
            assert again.seqs == list(range(int(last) + 1, raised + 1))


async def test_a_reader_that_takes_nothing_is_closed_as_a_slow_one_and_not_given_up_as_a_dead_one(
    tmp_path: Path,
) -> None:
    """Linux gives up a peer that takes nothing, although it acknowledges, after TCP_USER_TIMEOUT. Fails when
    that stays as it is while the connection is paused (checked so): the kernel is quicker then.
    """
    async with serving(tmp_path, subscriber_queue=5, slow_consumer_seconds=4, dead_peer_seconds=2) as server:
        await nurse_and_admin(server)
        async with server.stream("nurse") as slow:
            await slow.control("stream.ready")
            slow.stop_reading()
            raised = 0
            while server.manager.open_count(lambda s: s.sink.is_paused) == 0:
                await server.raise_alert(f"c{raised}", context={"padding": "x" * 30_000})
                raised += 1
            await until(lambda: server.manager.open_count() == 0)
            slow.read_again()
        assert metric(server, 'tocsin_streams_closed_total{reason="slow_consumer",transport="sse"}') == 1


async def _raise_until_closed(server: RunningServer) -> int:
    raised = 0
    while server.manager.open_count() == 1:
        await server.raise_alert(f"c{raised}", context={"padding": "x" * 30_000})
        raised += 1
    return raised


def _has_socket(port: int, remote_port: int) -> bool:
    """Whether the kernel knows a connection on this side (proc(5): /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[2].endswith(f":{remote_port:04X}") for row in rows)
