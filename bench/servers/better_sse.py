"""better-sse, a library for Node."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.process import ServerProcess
from bench.servers.server import Server

_FOLDER = Path(__file__).resolve().parents[1] / "peers" / "better-sse"


class BetterSSE(Server):
    """A channel of sessions, to which each event is broadcast."""

    name = "better_sse"
    title = "better-sse (Node)"
    install = "npm ci --prefix bench/peers/better-sse"

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("node") is None:
            return "Node"
        return None if (_FOLDER / "node_modules" / "better-sse").is_dir() else "better-sse"

    def launch(self) -> ServerProcess:
        command = [str(shutil.which("node")), "server.mjs", str(self.port)]
        return ServerProcess(command, log=self.folder / "better_sse.log", cwd=_FOLDER)
