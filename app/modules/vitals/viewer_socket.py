"""The socket that a viewer reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import anyio
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from app.core.direct import DirectSocket, borrow
from app.core.errors import ServiceUnavailable
from app.core.sinks import ASGISink
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.renditions import Choice, Format
from app.modules.vitals.rights import TRY_AGAIN_LATER, SocketRight
from app.modules.vitals.service import VitalsService
from app.modules.vitals.viewer import Viewer

#: A viewer has nothing to say; one that says so much is no viewer.
MOST_VIEWER_MESSAGES = 100

#: A viewer's first frames wait so long for readings that are on their way into the table.
SNAPSHOT_SECONDS = 1.0

#: What the kernel may hold of a viewer's frames that it cannot send yet, so that those behind are still fresh. It is a
#: second or two of four curves; by itself, it takes megabytes (measured: 16.8 kB with it, 3.8 MB without).
MOST_UNSENT_BYTES = 16_384

_log = structlog.get_logger(__name__)


class ViewerSocket:
    """Shows one viewer the newest stored readings, and then what comes."""

    def __init__(
        self, websocket: WebSocket, right: SocketRight, vitals: VitalsService, viewers: VitalsViewers, choice: Choice
    ) -> None:
        self._websocket = websocket
        self._right = right
        self._vitals = vitals
        self._viewers = viewers
        self._choice = choice
        self._is_binary = choice.format is Format.BINARY
        borrowed = borrow(websocket.scope, is_binary=self._is_binary, most_unsent_bytes=MOST_UNSENT_BYTES)
        self._sink: DirectSocket | ASGISink = borrowed or ASGISink(self._deliver)

    async def run(self) -> None:
        """Have frames written until the viewer leaves or the right is over."""
        log = _log.bind(user_id=self._right.principal.user_id)
        log.info("vitals.viewer_opened")
        on_stuck = partial(self._right.end, "slow_consumer")
        with self._viewers.watching(self._right.patient_id, self._sink, on_stuck, self._choice) as viewer:
            self._right.on_end(viewer.end)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._show, viewer)
                    await self._listen()
                    tasks.cancel_scope.cancel()
            finally:
                reason = self._right.reason or "disconnected"
                log.info("vitals.viewer_closed", reason=reason, frames=viewer.sent, dropped=viewer.dropped)

    def cut_off(self) -> None:
        """End the connection of a viewer that takes nothing."""
        self._sink.abort()

    async def _listen(self) -> None:
        """Return when the viewer has left, or talks too much."""
        for _ in range(MOST_VIEWER_MESSAGES):
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
        self._right.end("too_many_messages")

    async def _show(self, viewer: Viewer) -> None:
        try:
            await self._show_newest(viewer)
        except ServiceUnavailable as error:
            self._right.end(error.code, code=TRY_AGAIN_LATER)
        await self._sink.run()

    async def _show_newest(self, viewer: Viewer) -> None:
        # Frames gather for this viewer already. What was published before that may still be on its way into the table.
        with anyio.move_on_after(SNAPSHOT_SECONDS):
            await self._vitals.flush()
        readings = await self._vitals.latest(self._right.patient_id)
        newest = {reading.type: reading.measured_at for reading in readings}
        now = asyncio.get_running_loop().time()
        first = [viewer.group.rendition.show(reading, now) for reading in readings]
        viewer.show(first, lambda frame: frame.is_news(newest))

    async def _deliver(self, frame: bytes) -> None:
        # What still waits in the sink when the right ends is not sent any more.
        if self._right.is_over:
            return
        # A socket that has been closed meanwhile is noticed by whoever listens to it.
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            if self._is_binary:
                await self._websocket.send_bytes(frame)
            else:
                await self._websocket.send_text(frame.decode())
