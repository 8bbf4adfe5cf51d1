"""Which protocols uvicorn is given: ours, or its own where it has changed too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import Protocol
from websockets.streams import StreamReader

from app.core.direct.reading import SocketReader
from app.core.direct.sockets import LendingSocketProtocol
from app.core.direct.streams import StreamingProtocol
from app.core.limits import ConnectionLimits
from app.core.pace import RequestPace

ReliedOn = Sequence[tuple[Callable[..., Any], Set[str]]]

#: What is relied on in this package, as those names that the functions of uvicorn mention.
RELIED_ON: ReliedOn = (
    (HttpToolsProtocol.__init__, {"connections", "transport", "flow", "pipeline", "cycle", "parser"}),
    (HttpToolsProtocol.on_message_begin, {"scope"}),
    (HttpToolsProtocol.on_headers_complete, {"_start_asgi_task"}),
    (HttpToolsProtocol.data_received, {"handle_websocket_upgrade"}),
    (RequestResponseCycle.__init__, {"disconnected", "response_started", "response_complete"}),
    (RequestResponseCycle.send, {"chunked_encoding", "expected_content_length"}),
    (WebSocketsSansIOProtocol.__init__, {"transport", "conn", "queue", "close_sent", "handshake_complete"}),
    (WebSocketsSansIOProtocol.handle_connect, {"scope"}),
    (WebSocketsSansIOProtocol.data_received, {"receive_data", "handle_events"}),
    (WebSocketsSansIOProtocol.send_receive_event_to_app, {"queue", "put_nowait", "read_paused", "pause_reading"}),
    (WebSocketsSansIOProtocol.send_keepalive_ping, {"ping_timeout", "pong_timer", "keepalive_timeout"}),
    (WebSocketsSansIOProtocol.send, {"initial_response", "close_sent"}),
    (WebSocketsSansIOProtocol.run_asgi, {"handshake_complete"}),
    (WebSocketsSansIOProtocol.receive, {"queue", "read_paused", "resume_reading"}),
    (Protocol.parse, {"reader", "at_eof", "current_size", "recv_frame"}),
    (StreamReader.at_eof, {"buffer"}),
)

_log = structlog.get_logger(__name__)


def protocols(limits: ConnectionLimits, relied_on: ReliedOn = RELIED_ON) -> dict[str, Any]:
    """What to give to `uvicorn.Config`: the extended protocols, or uvicorn's own where it has changed too much."""
    missing = [
        f"{function.__qualname__}: {name}"
        for function, names in relied_on
        for name in sorted(names - set(function.__code__.co_names))
    ]
    if missing:
        _log.warning("direct.unavailable", missing=missing, falls_back_to="plain ASGI")
        return {"http": "httptools", "ws": "websockets-sansio"}
    return {
        "http": partial(StreamingProtocol, limits=limits, pace=RequestPace()),
        "ws": partial(LendingSocketProtocol, reader=SocketReader()),
    }
