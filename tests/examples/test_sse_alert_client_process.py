"""The example client as its users start it: a process of its own, with exit codes."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.examples.hostile_server import HostileServer, alert_block, answer, opened, ready, serving, silent_after

pytestmark = pytest.mark.anyio

CLIENT = Path(__file__).resolve().parents[2] / "examples" / "sse_alert_client.py"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that we start can be interrupted, even where we were started in the background and cannot."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@asynccontextmanager
async def client_of(server: HostileServer, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENT),
        *("--token", "t", "--url", server.url, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_ctrl_c_ends_it_cleanly(interruptible: None) -> None:
    arguments = "--role", "nurse", "--patient-id", "bed-3"
    script = silent_after(opened(), ready("e-1"), alert_block("e-2"))
    async with serving(script) as server, client_of(server, *arguments) as process:
        assert process.stdout is not None
        shown = await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = await process.communicate()
    assert b"***" in shown
    assert b"SpO2 79 < 80 %" in shown
    assert b"Traceback" not in said
    assert said.endswith(b"--- stopped\n")
    assert process.returncode == 0
    assert server.streams[0].target == "/api/v1/alerts/stream?role=nurse&patient_id=bed-3"


async def test_a_refusal_is_its_last_line_and_its_exit_code() -> None:
    async with serving(answer(403)) as server, client_of(server, "--caregiver") as process:
        _, said = await process.communicate()
    assert said == b"stopped, the server refuses: 403 some_code: detail of 403\n"
    assert process.returncode == 1
    assert server.streams[0].target == "/api/v1/caregivers/alerts/stream"
    assert server.streams[0].headers["authorization"] == "Bearer t"


async def test_it_acknowledges_and_ends_after_as_many_events_as_asked() -> None:
    arguments = "--role", "nurse", "--patient-id", "bed-3", "--acknowledge", "--note", "On my way", "--exit-after", "1"
    async with serving(silent_after(opened(), alert_block("e-1"))) as server, client_of(server, *arguments) as process:
        shown, _ = await process.communicate()
    assert shown.count(b"\n") == 1
    assert process.returncode == 0
    assert [request.body for request in server.acknowledged] == [b'{"note":"On my way"}']


def test_it_needs_nothing_of_the_application() -> None:
    imported = set(re.findall(r"^(?:from|import) (\w+)", CLIENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"httpx", "httpx_sse"}
