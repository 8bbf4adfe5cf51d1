"""The demo's ward on a server that a test starts, kills and starts again.

`with monitors_of(host)` runs the monitors in a thread. For tests in another language,
`python -m tests.ward --url URL --data-dir DIR` furnishes a fresh server that was started with
`TOCSIN_DATA_DIR=DIR`, and sends until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from app.commands.demo.devices import run_monitors
from app.commands.demo.server import NearbyServer
from app.commands.demo.stage import run_until_signal
from app.commands.demo.ward import Host, furnish
from tests.servers import ROOT, ServerProcess


def host_of(server: ServerProcess) -> NearbyServer:
    """The server as the ward sees it: also while it is down."""
    return NearbyServer(server.url, server.environment, ROOT)


@contextmanager
def monitors_of(host: Host) -> Iterator[list[str]]:
    """Six monitors that send from a thread, and sign off at the end; what they tell a person is in the list."""
    notices: list[str] = []
    loop = asyncio.new_event_loop()
    running = loop.create_task(run_monitors(host, notice=notices.append))
    thread = threading.Thread(target=_run, args=(loop, running), name="monitors")
    thread.start()
    try:
        yield notices
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop, running: asyncio.Task[None]) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner, suppress(asyncio.CancelledError):
        runner.run(_wait_for(running))


async def _wait_for(running: asyncio.Task[None]) -> None:
    await running


async def _furnish_and_send(host: Host) -> None:
    await furnish(host)
    say = partial(print, flush=True)
    say("the ward is there")
    await run_monitors(host, notice=say)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--data-dir", required=True, type=Path)
    given = parser.parse_args()
    environment = os.environ | {"TOCSIN_DATA_DIR": str(given.data_dir)}
    asyncio.run(run_until_signal(_furnish_and_send(NearbyServer(given.url, environment, given.data_dir))))


if __name__ == "__main__":
    main()
