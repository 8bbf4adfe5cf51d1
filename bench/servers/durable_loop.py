"""What a commit and a loop of writes cost in Python, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.events import framed
from bench.process import ServerProcess
from bench.publisher import post
from bench.servers.server import Server

_PROGRAM = Path(__file__).resolve().parents[1] / "peers" / "durable_loop.py"


class DurableLoop(Server):
    """A commit to SQLite for each event, and a Python loop of `os.write`."""

    name = "durable_loop"
    title = "a Python loop of write() after a commit"

    def launch(self) -> ServerProcess:
        command = [sys.executable, str(_PROGRAM), str(self.port)]
        return ServerProcess(command, log=self.folder / "durable_loop.log", cwd=self.folder)

    def publish_request(self, number: int) -> bytes:
        return post(self.publish_path, framed(number))
