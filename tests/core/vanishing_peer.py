"""Run in a network namespace of its own: clients whose packets stop to arrive, without a word of farewell.

    python -m tests.core.vanishing_peer DATA_DIR

One is on a server that is quiet, the other on one that sends it something all the time. Prints how many
streams of each have ended because the client has left.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from tests.modules.alerts.steps import STREAM, metric, nurse_and_admin
from tests.raw_http import RawConnection
from tests.servers import serving, until


async def main(data_dir: Path) -> None:
    async with AsyncExitStack() as opened:
        servers = {}
        for name, keepalive_seconds in (("quiet", 3600), ("spoken to", 0.5)):
            server = servers[name] = await opened.enter_async_context(
                serving(data_dir / name, dead_peer_seconds=2, keepalive_seconds=keepalive_seconds)
            )
            await nurse_and_admin(server)
            stream = await opened.enter_async_context(RawConnection.open(server.url))
            stream.request("GET", f"{STREAM}?role=nurse&patient_id=P1", **server.bearer("nurse"))
            await stream.read_until(b"event: stream.ready")
        subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
        await until(lambda: not any(server.manager.open_count() for server in servers.values()))
        left = 'tocsin_streams_closed_total{reason="client_left",transport="sse"}'
        print(json.dumps({name: metric(server, left) for name, server in servers.items()}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), backend_options={"use_uvloop": True})
