"""The two sockets of vital signs: one that devices send on, one that viewers read."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import structlog
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from app.core.direct import DirectSocket, borrow
from app.core.errors import ServiceUnavailable
from app.core.sinks import ASGISink
from app.modules.vitals.decoding import decode_json, decode_msgpack
from app.modules.vitals.encoding import encode_error, encode_flushed, encode_json, shows_news
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import Flush
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.rights import TRY_AGAIN_LATER, SocketRight
from app.modules.vitals.service import VitalsService
from app.modules.vitals.viewer import Viewer

#: A device that gets nothing right any more is sent away.
MOST_ERRORS_IN_A_ROW = 10

#: Frames of one device that are taken before others have their turn, when they come all at once.
FRAMES_AT_A_STRETCH = 20

#: A viewer has nothing to say; one that says so much is no viewer.
MOST_VIEWER_MESSAGES = 100

#: A viewer's first frames wait so long for readings that are on their way into the table.
SNAPSHOT_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class DeviceSocket:
    """Takes the frames of one device, in order, and tells it of those that cannot be used."""

    def __init__(self, websocket: WebSocket, right: SocketRight, vitals: VitalsService) -> None:
        self._websocket = websocket
        self._right = right
        self._vitals = vitals
        self._frames = 0
        self._accepted = 0
        self._errors = 0
        self._errors_in_a_row = 0

    async def run(self) -> None:
        """Take frames until the device leaves or the right is over."""
        log = _log.bind(user_id=self._right.principal.user_id)
        log.info("vitals.sender_opened")
        try:
            await self._take_frames()
        finally:
            reason = self._right.reason or "disconnected"
            log.info("vitals.sender_closed", reason=reason, frames=self._accepted, errors=self._errors)

    async def _take_frames(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._frames += 1
            if self._frames % FRAMES_AT_A_STRETCH == 0:
                await anyio.lowlevel.checkpoint()
            if self._right.is_over:
                return
            try:
                await self._take(message)
                self._errors_in_a_row = 0
            except FrameError as error:
                await self._refuse(error)
            except ServiceUnavailable as error:
                # Not the frame's fault: the device shall come again, and send what was not confirmed.
                self._right.end(error.code, code=TRY_AGAIN_LATER)

    async def _take(self, message: Message) -> None:
        text = message.get("text")
        frame = decode_msgpack(message["bytes"]) if text is None else decode_json(text)
        if isinstance(frame, Flush):
            await self._vitals.flush()
            await self._send(encode_flushed(frame, frames=self._accepted, errors=self._errors))
        else:
            await self._vitals.accept(self._right.patient_id, frame)
            self._accepted += 1

    async def _refuse(self, error: FrameError) -> None:
        self._vitals.count_refused(error)
        self._errors += 1
        self._errors_in_a_row += 1
        await self._send(encode_error(error, frame=self._frames))
        if self._errors_in_a_row == MOST_ERRORS_IN_A_ROW:
            self._right.end("too_many_errors")

    async def _send(self, answer: bytes) -> None:
        await _send_text(self._websocket, answer)


class ViewerSocket:
    """Shows one viewer the newest stored readings, and then what comes."""

    def __init__(self, websocket: WebSocket, right: SocketRight, vitals: VitalsService, viewers: VitalsViewers) -> None:
        self._websocket = websocket
        self._right = right
        self._vitals = vitals
        self._viewers = viewers
        self._sink: DirectSocket | ASGISink = borrow(websocket.scope) or ASGISink(self._deliver)

    async def run(self) -> None:
        """Have frames written until the viewer leaves or the right is over."""
        log = _log.bind(user_id=self._right.principal.user_id)
        log.info("vitals.viewer_opened")
        with self._viewers.watching(
            self._right.patient_id, self._sink, on_stuck=partial(self._right.end, "slow_consumer")
        ) as viewer:
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
        first = (encode_json(self._right.patient_id, reading) for reading in readings)
        viewer.show(first, lambda frame: shows_news(frame, newest))

    async def _deliver(self, frame: bytes) -> None:
        # What still waits in the sink when the right ends is not sent any more.
        if not self._right.is_over:
            await _send_text(self._websocket, frame)


async def _send_text(websocket: WebSocket, frame: bytes) -> None:
    """Send a frame, unless the socket has been closed meanwhile: whoever listens to it will notice."""
    try:
        await websocket.send_text(frame.decode())
    except (WebSocketDisconnect, WebSocketDisconnected):
        return
