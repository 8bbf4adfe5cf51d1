"""The floor: what the kernel's `send` costs, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from bench.events import framed
from bench.process import ServerProcess
from bench.publisher import post
from bench.servers.server import Server

_SOURCE = Path(__file__).resolve().parents[1] / "floor.c"
_LOOP = Path(__file__).resolve().parents[1] / "peers" / "floor_loop.py"


class Floor(Server):
    """A C loop of `send`; a Python loop of it where there is no compiler, which is said."""

    name = "floor"
    title = "a C loop of send()" if shutil.which("cc") else "a Python loop of send(), no C compiler"

    def launch(self) -> ServerProcess:
        log = self.folder / "floor.log"
        if shutil.which("cc") is None:
            return ServerProcess([sys.executable, str(_LOOP), str(self.port)], log=log)
        program = self.folder / "floor"
        subprocess.run(["cc", "-O2", "-Wall", "-o", str(program), str(_SOURCE)], check=True, timeout=60)
        return ServerProcess([str(program), str(self.port)], log=log)

    def publish_request(self, number: int) -> bytes:
        return post(self.publish_path, framed(number))
