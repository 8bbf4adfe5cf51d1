"""The design that Tocsin's founding document describes."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.process import ServerProcess
from bench.servers.server import Server

_PROGRAM = Path(__file__).resolve().parents[1] / "peers" / "founding.py"


class Founding(Server):
    """`StreamingResponse`, a queue per client, JSON written anew for each."""

    name = "founding"
    title = "the founding design (StreamingResponse, queue, json.dumps per client)"

    def launch(self) -> ServerProcess:
        return ServerProcess([sys.executable, str(_PROGRAM), str(self.port)], log=self.folder / "founding.log")
