"""The demo as its visitors run it: a real server, real sockets, and nothing left afterwards."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.commands.connection import CommandError
from app.commands.demo.server import require_free_port
from app.commands.demo.ward import NURSE, PASSWORD

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def headless_demo(port: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo with its temporary files in `folder`; killed if the test forgets it."""
    command = [sys.executable, "-m", "app.cli", "demo", "--headless", "--port", str(port)]
    environment = os.environ | {
        "TMPDIR": str(folder),
        "TOCSIN_DATABASE_URL": "postgresql+asyncpg://nobody@nowhere/none",
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def read_until(process: subprocess.Popen[str], pattern: str) -> tuple[list[str], re.Match[str]]:
    """The lines up to the first that matches; the test's time limit ends a wait in vain."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if match := re.search(pattern, line):
            return lines, match
    raise AssertionError("the demo ended without it:\n" + "\n".join(lines))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_eventful_patient_alarms_and_a_visitor_can_acknowledge_it(free_port: int, tmp_path: Path) -> None:
    with headless_demo(free_port, tmp_path) as process:
        lines, alarm = read_until(process, r"^\d\d:\d\d:\d\d \*+ bed-3 spo2 \d\d < 90 %: alert, \w+, (\w+)$")
        printed = "\n".join(lines)
        assert f"open the console: http://127.0.0.1:{free_port}/\n" in printed
        assert f"and sign in: {NURSE.email}, password {PASSWORD}\n" in printed

        acknowledge = next(line for line in lines if line.startswith("curl -X POST"))
        (authorization,) = re.findall(r"'Authorization: (Bearer \S+)'", acknowledge)
        (address,) = re.findall(r"'(http://\S+)'$", acknowledge)
        answer = httpx.post(
            address.replace("ALERT_ID", alarm[1]), headers={"Authorization": authorization}, json={"note": "On my way"}
        )
        assert (answer.status_code, answer.json()["alertId"]) == (200, alarm[1])
        read_until(process, rf"acknowledged by nurse, \w+, {alarm[1]}$")

        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []
    require_free_port(free_port)


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port} cannot be used .* `tocsin demo --port {port + 1}`"):
            require_free_port(port)


def test_ctrl_c_while_it_starts_leaves_nothing(free_port: int, tmp_path: Path) -> None:
    with headless_demo(free_port, tmp_path) as process:
        read_until(process, "^starting Tocsin")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_ends_by_itself_ends_the_demo_with_its_last_words(free_port: int, tmp_path: Path) -> None:
    with headless_demo(free_port, tmp_path) as process:
        read_until(process, "listening to alerts")
        os.kill(server_of(process), signal.SIGKILL)
        _, ended = read_until(process, r"^tocsin: the server ended with code (-?\d+)$")
        assert (ended[1], process.wait(20)) == ("-9", 1)
    assert list(tmp_path.iterdir()) == []


def server_of(process: subprocess.Popen[str]) -> int:
    """The process id of the demo's server."""
    listed = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid=,args="], check=True, capture_output=True, text=True
    )
    return next(int(line.split()[0]) for line in listed.stdout.splitlines() if " serve " in line)
