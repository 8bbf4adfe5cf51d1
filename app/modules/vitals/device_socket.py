"""The socket that a device sends on."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import anyio.lowlevel
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from app.core.direct import DirectReceiver, DirectSocket, borrow, receive_directly
from app.core.errors import POLICY_VIOLATION, ServiceUnavailable
from app.core.sinks import ASGISink
from app.modules.vitals.decoding import decode_json, decode_msgpack, glance, read_packed
from app.modules.vitals.encoding import encode_error, encode_flushed, encode_slow_down
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import Flush, Frame, LeadStatus, Reading, TimeInFuture, Waveform
from app.modules.vitals.inbox import Arrived, Inbox
from app.modules.vitals.intake import Intake
from app.modules.vitals.rights import TRY_AGAIN_LATER, SocketRight
from app.modules.vitals.service import VitalsService

#: A device that gets nothing right any more is sent away.
MOST_ERRORS_IN_A_ROW = 10

#: Messages of one device that are taken before others have their turn, when they come all at once.
FRAMES_AT_A_STRETCH = 20

#: A larger message always waits for its turn, because it may take as long as many small ones.
SMALL_BYTES = 1024

#: A device that is too fast is told so once in this time.
SLOW_DOWN_SECONDS = 5.0

#: RFC 6455, 7.4.1: the device has done what it came for.
NORMAL_CLOSURE = 1000

_log = structlog.get_logger(__name__)


class DeviceSocket:
    """Takes the messages of one device, and tells it of those that cannot be used.

    What arrives is put into an inbox at once. Waveforms are worked off by the node's intake, and everything
    else by `_work`, one at a time, because storing and ruling wait for the database.
    """

    def __init__(self, websocket: WebSocket, right: SocketRight, vitals: VitalsService, intake: Intake) -> None:
        self._websocket = websocket
        self._right = right
        self._vitals = vitals
        self._intake = intake
        self._device = vitals.device(right.principal.user_id, right.patient_id)
        self._inbox = Inbox()
        self._sink: DirectSocket | ASGISink = borrow(websocket.scope) or ASGISink(self._deliver)
        self._receiver: DirectReceiver | None = None
        self._loop = asyncio.get_running_loop()
        self._frames = self._accepted = self._errors = self._errors_in_a_row = 0
        self._is_due = self._is_held = self._has_left = False
        self._close_code = 0
        self._slow_down_at = float("-inf")
        self._ending: tuple[str, int] | None = None
        self._arrived, self._room, self._took_waveforms = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()

    async def run(self) -> None:
        """Take frames until the device leaves or the right is over."""
        log = _log.bind(user_id=self._right.principal.user_id)
        log.info("vitals.sender_opened")
        self._sink.owner = self
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._answer)
                self._receiver = receive_directly(self._websocket.scope, self._put)
                tasks.start_soon(self._listen)
                await self._work()
                if self._ending is None:
                    tasks.cancel_scope.cancel()
        finally:
            self._inbox.clear()
            self._sink.owner = None
            if self._receiver is not None:
                self._receiver.resume()
            signed_off = self._close_code == NORMAL_CLOSURE
            self._vitals.device_left(self._device.user_id, self._device.patient_id, signed_off=signed_off)
            reason = self._right.reason or ("signed_off" if signed_off else "disconnected")
            log.info(
                "vitals.sender_closed",
                reason=reason,
                frames=self._accepted,
                errors=self._errors,
                dropped=self._inbox.dropped,
            )

    # What arrives.

    async def _listen(self) -> None:
        """Return when the device has left."""
        while True:
            if self._receiver is None:
                await self._room.wait()
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                self._close_code = event.get("code") or 0
                self._has_left = True
                self._arrived.set()
                return
            text = event.get("text")
            self._put(event["bytes"] if text is None else text)
            if self._frames % FRAMES_AT_A_STRETCH == 0:
                await anyio.lowlevel.checkpoint()

    def _put(self, message: str | bytes) -> None:
        """Take a message, or keep it until its turn comes."""
        if self._right.reason is not None or self._ending is not None:
            return
        self._frames += 1
        now = self._loop.time()
        if type(message) is bytes and len(message) <= SMALL_BYTES and self._take_at_once(message, now):
            return
        is_waveform, number = glance(message)
        if number is not None:
            self._device.note(number)
        self._inbox.put(Arrived(self._frames, message, now), is_waveform=is_waveform)
        if not is_waveform:
            self._arrived.set()
        elif not self._is_due:
            self._is_due = True
            self._intake.add(self)
        if len(self._inbox) > 1:
            self._press(now)

    def _take_at_once(self, message: bytes, now: float) -> bool:
        """Take a message if it is a waveform that need not wait; answers whether it was."""
        if self._inbox.waveforms or not self._intake.may_take_at_once(now):
            return False
        try:
            waveform = read_packed(message)
        except FrameError:
            return False
        if waveform is None:
            return False
        if waveform.seq is not None:
            self._device.note(waveform.seq)
        self._relay(waveform, self._frames, now)
        return True

    def _press(self, now: float) -> None:
        """Tell a device that is too fast, and read nothing more where too much waits."""
        if self._inbox.is_full:
            self._hold()
        if now - self._slow_down_at >= SLOW_DOWN_SECONDS and self._inbox.is_behind(now):
            self._slow_down_at = now
            self._vitals.count_slow_down()
            self._send(encode_slow_down(len(self._inbox)))

    def _hold(self) -> None:
        if not self._is_held:
            self._is_held = True
            self._room.clear()
            if self._receiver is not None:
                self._receiver.pause()

    def _read_on(self) -> None:
        if self._is_held and self._inbox.has_room and not self._sink.is_paused:
            self._is_held = False
            self._room.set()
            if self._receiver is not None:
                self._receiver.resume()

    # What is worked off.

    def take_waveforms(self, limit: int) -> bool:
        """Take so many of the waveforms that wait; answers whether there are more."""
        if dropped := self._inbox.drop_stale(self._loop.time()):
            self._vitals.count_dropped(dropped)
        while limit and self._inbox.waveforms and not self._is_at_end:
            limit -= 1
            arrived = self._inbox.next_waveform()
            try:
                waveform = _decode(arrived.message)
            except FrameError as error:
                self._refuse(error, arrived.number)
            else:
                assert isinstance(waveform, Waveform)
                self._relay(waveform, arrived.number, arrived.at)
        self._took_waveforms.set()
        self._read_on()
        self._is_due = bool(self._inbox.waveforms) and not self._is_at_end
        return self._is_due

    def _relay(self, waveform: Waveform, number: int, now: float) -> None:
        try:
            self._vitals.relay(self._device.patient_id, waveform)
            self._accept(waveform, now)
        except FrameError as error:
            self._refuse(error, number)
        except Exception:
            # Its own alone: it is let go of, and the others have their turn.
            _log.exception("vitals.intake_failed")
            self._end("internal_error", TRY_AGAIN_LATER)

    async def _work(self) -> None:
        """Take everything but waveforms, in order, until the device has left and nothing waits."""
        while not self._is_at_end:
            if self._inbox.others:
                await self._take_other(self._inbox.others[0])
                if not self._is_at_end:
                    self._inbox.done_with_other()
                    self._read_on()
            elif self._has_left:
                await self._wait_for_waveforms(self._frames + 1)
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _take_other(self, arrived: Arrived) -> None:
        if arrived.number % FRAMES_AT_A_STRETCH == 0:
            await anyio.lowlevel.checkpoint()
        try:
            frame = _decode(arrived.message)
            if isinstance(frame, Flush):
                await self._flush(frame, arrived.number)
            else:
                await self._vitals.accept(self._device.patient_id, frame)
                self._accept(frame, arrived.at)
        except FrameError as error:
            self._refuse(error, arrived.number)
        except ServiceUnavailable as error:
            # Not the frame's fault: the device shall come again, and send what was not confirmed.
            self._end(error.code, TRY_AGAIN_LATER)

    async def _flush(self, flush: Flush, number: int) -> None:
        await self._wait_for_waveforms(number)
        await self._vitals.flush()
        sequence = self._device.sequence if self._device.sequence.has_begun else None
        self._send(encode_flushed(flush, frames=self._accepted, errors=self._errors, sequence=sequence))

    async def _wait_for_waveforms(self, number: int) -> None:
        """Return when no waveform waits that arrived before this message."""
        while self._inbox.has_waveforms_before(number) and not self._is_at_end:
            self._took_waveforms.clear()
            await self._took_waveforms.wait()

    def _accept(self, frame: Reading | Waveform | LeadStatus, now: float) -> None:
        self._accepted += 1
        self._errors_in_a_row = 0
        if self._device.is_news(now):
            self._vitals.device_seen(self._device.user_id, self._device.patient_id, measured_at=frame.moment)

    def _refuse(self, error: FrameError, number: int) -> None:
        self._vitals.count_refused(error)
        if isinstance(error, TimeInFuture):
            self._vitals.device_ahead(self._device.user_id, self._device.patient_id, measured_at=error.moment)
        self._errors += 1
        self._errors_in_a_row += 1
        self._send(encode_error(error, frame=number))
        if self._errors_in_a_row == MOST_ERRORS_IN_A_ROW:
            self._end("too_many_errors")

    # How it ends.

    @property
    def _is_at_end(self) -> bool:
        return self._right.reason is not None or self._ending is not None

    def _end(self, reason: str, code: int = POLICY_VIOLATION) -> None:
        """Take nothing more; the socket is closed when the device has been sent what it was answered."""
        if self._ending is None:
            self._ending = reason, code
            self._sink.end()

    async def _answer(self) -> None:
        """Carry answers to the device for as long as there may be any."""
        await self._sink.run()
        if self._ending is not None:
            reason, code = self._ending
            self._right.end(reason, code=code)

    def _send(self, answer: bytes) -> None:
        self._sink.write(self._sink.framing(answer))

    async def _deliver(self, answer: bytes) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._websocket.send_text(answer.decode())

    # What the sink calls.

    def pause(self) -> None:
        """The device does not take its answers: it gets no further than what it has sent."""
        self._hold()

    def resume(self) -> None:
        """The device takes its answers again."""
        self._read_on()

    def left(self) -> None:
        """The connection is gone; what was sent on it is still worked off."""


def _decode(message: str | bytes) -> Frame:
    return decode_json(message) if isinstance(message, str) else decode_msgpack(message)
