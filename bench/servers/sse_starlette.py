"""sse-starlette, the usual way to send events from Starlette and FastAPI."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from bench.process import ServerProcess
from bench.servers.server import Server

_PROGRAM = Path(__file__).resolve().parents[1] / "peers" / "sse_starlette_app.py"


class SSEStarlette(Server):
    """`EventSourceResponse` and a queue per client."""

    name = "sse_starlette"
    title = "sse-starlette"
    install = "pip install sse-starlette"

    @classmethod
    def missing(cls) -> str | None:
        return None if find_spec("sse_starlette") else "sse-starlette"

    def launch(self) -> ServerProcess:
        return ServerProcess([sys.executable, str(_PROGRAM), str(self.port)], log=self.folder / "sse_starlette.log")
