"""The servers that are measured: ours, the peers, and the floor below them all."""

from __future__ import annotations

from bench.servers.better_sse import BetterSSE
from bench.servers.durable_loop import DurableLoop
from bench.servers.floor import Floor
from bench.servers.founding import Founding
from bench.servers.nchan import Nchan
from bench.servers.server import Server
from bench.servers.sse_starlette import SSEStarlette
from bench.servers.tocsin import Tocsin

OURS = Tocsin
PEERS: dict[str, type[Server]] = {
    peer.name: peer for peer in (Nchan, Floor, DurableLoop, Founding, SSEStarlette, BetterSSE)
}

#: Ours, and then the peers.
SERVERS: tuple[type[Server], ...] = (OURS, *PEERS.values())

__all__ = ["OURS", "PEERS", "SERVERS", "Server"]
