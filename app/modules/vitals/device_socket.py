"""The socket that a device sends on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from typing import cast

import anyio
import anyio.lowlevel
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from app.core.direct import DirectSocket, borrow, receive_directly
from app.core.errors import POLICY_VIOLATION, ServiceUnavailable
from app.core.sinks import ASGISink
from app.modules.vitals.decoding import decode_json, decode_msgpack, decode_waveform, glance
from app.modules.vitals.encoding import encode_error, encode_flushed, encode_slow_down
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import LONGEST_AHEAD, Flush, Frame, LeadStatus, Reading, TimeInFuture, Waveform
from app.modules.vitals.inbox import FEW, OLD_SECONDS, SMALL_BYTES, Arrived, Inbox
from app.modules.vitals.intake import Intake
from app.modules.vitals.observers import Arrival
from app.modules.vitals.refusals import Refusals
from app.modules.vitals.rights import TRY_AGAIN_LATER, SocketRight
from app.modules.vitals.service import VitalsService
from app.modules.vitals.throttle import Throttle

#: A device that gets nothing right any more is sent away.
MOST_ERRORS_IN_A_ROW = 10

#: Messages of one device that are taken before others have their turn, when they come all at once.
FRAMES_AT_A_STRETCH = 20

#: Two messages of one device that are the same up to here, and begin with their type, have the same type. The longest
#: that a waveform has ends here. What begins otherwise may be a reading, which must not wait with waveforms.
BEGINNING_BYTES = 16
TYPE_KEY = b"\xa4type"

#: Of what a device has sent the kernel keeps about so much unread: some seconds of the busiest device. With its own
#: limits, which are megabytes, everything of a device that is too fast would come half a minute late, pings too.
MOST_UNREAD_BYTES = 131_072

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
        self._waveforms = self._inbox.waveforms
        #: How the last waveform began: what begins so is put with the waveforms before it is looked at.
        self._usual: bytes | None = None
        #: Up to which message the device's own numbers have been noted.
        self._noted = 0
        self._sink: DirectSocket | ASGISink = borrow(websocket.scope) or ASGISink(self._deliver)
        self._throttle = Throttle(self._inbox, ask=self._ask_to_slow_down, drop_oldest=self._drop_oldest)
        self._seconds = vitals.clock.seconds
        self._frames = self._accepted = self._errors = 0
        self._refusals = Refusals()
        self._is_due = self._is_awaited = self._has_left = False
        self._close_code = 0
        self._ending: tuple[str, int] | None = None
        self._arrived, self._took_waveforms = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Take frames until the device leaves or the right is over."""
        log = _log.bind(user_id=self._right.principal.user_id)
        log.info("vitals.sender_opened")
        self._device.heard_at[self] = -inf
        self._sink.owner = self
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._answer)
                self._throttle.receiver = receive_directly(
                    self._websocket.scope, self._put, most_unread_bytes=MOST_UNREAD_BYTES
                )
                tasks.start_soon(self._listen)
                await self._work()
                if self._ending is None:
                    tasks.cancel_scope.cancel()
        finally:
            waiting = len(self._inbox)
            self._inbox.clear()
            self._sink.owner = None
            if self._throttle.receiver is not None:
                self._throttle.receiver.resume()
            signed_off = self._close_code == NORMAL_CLOSURE
            self._leave(signed_off=signed_off)
            reason = self._right.reason or ("signed_off" if signed_off else "disconnected")
            log.info(
                "vitals.sender_closed",
                reason=reason,
                frames=self._accepted,
                errors=self._errors,
                dropped=self._inbox.dropped,
                not_taken=waiting,
            )

    def _leave(self, *, signed_off: bool) -> None:
        """Tell that the device has left, unless it goes on with another socket."""
        device = self._device
        del device.heard_at[self]
        if not device.is_in_use(self._seconds()):
            device.told_at = -inf
            self._vitals.device_left(device.user_id, device.patient_id, signed_off=signed_off)

    # What arrives.

    async def _listen(self) -> None:
        """Return when the device has left."""
        while True:
            if self._throttle.receiver is None:
                await self._throttle.room.wait()
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
        """Keep a message until its turn comes."""
        self._frames = number = self._frames + 1
        now = self._seconds()
        if message[:BEGINNING_BYTES] == self._usual and len(message) <= SMALL_BYTES:
            # Twenty times a second of each device: looked at when some of them are taken together.
            self._waveforms.append(Arrived(number, message, now))
        elif self._is_at_end or not self._put_by_kind(Arrived(number, message, now)):
            return
        if not self._is_due:
            self._is_due = True
            if self._vitals.is_watched(self._device.patient_id):
                self._intake.add(self)
            else:
                self._intake.gather(self)
        if len(self._waveforms) > FEW:
            if len(self._waveforms) == FEW + 1:
                self._intake.add(self)
            self._throttle.press(now)

    def _put_by_kind(self, arrived: Arrived) -> bool:
        """Have a look at a message and put it where it belongs; answers whether it is a waveform."""
        message = arrived.message
        is_waveform, seq = glance(message)
        self._look_at_waiting()
        self._note(arrived, seq)
        self._inbox.put(arrived, is_waveform=is_waveform)
        if is_waveform:
            begins_with_type = isinstance(message, bytes) and message.startswith(TYPE_KEY, 1)
            self._usual = cast(bytes, message[:BEGINNING_BYTES]) if begins_with_type else None
        else:
            self._arrived.set()
        if not self._inbox.are_few:
            self._throttle.press(arrived.at)
        return is_waveform

    def _note(self, arrived: Arrived, seq: int | None) -> None:
        """Note the device's own number of a message, in the order of arrival."""
        if arrived.number > self._noted:
            self._noted = arrived.number
            if seq is not None:
                self._device.note(seq)

    def _look_at_waiting(self) -> None:
        """Look at what was put with the waveforms unseen: note its numbers, and put what is none where it belongs."""
        waiting = self._waveforms
        if not waiting or waiting[-1].number <= self._noted:
            return
        for arrived in [it for it in waiting if it.number > self._noted]:
            is_waveform, seq = glance(arrived.message)
            self._note(arrived, seq)
            if not is_waveform:
                waiting.remove(arrived)
                self._inbox.put_among_others(arrived)
                self._arrived.set()

    def _ask_to_slow_down(self) -> None:
        self._vitals.count_slow_down()
        self._send(encode_slow_down(len(self._inbox)))

    def _drop_oldest(self) -> None:
        self._look_at_waiting()
        self._vitals.count_dropped(self._inbox.drop_oldest())

    def _read_on(self) -> None:
        self._throttle.ease(may_read=not self._sink.is_paused)

    # What is worked off.

    def take_waveforms(self, limit: int) -> bool:
        """Take so many of the waveforms that wait; answers whether there are more."""
        if self._waveforms and not self._is_at_end:
            now = self._seconds()
            if now - self._waveforms[0].at > OLD_SECONDS:
                self._throttle.press(now)
                self._drop_stale(now)
            self._relay(self._inbox.next_waveforms(limit), now)
        self._is_due = bool(self._waveforms) and not self._is_at_end
        if self._is_awaited:
            self._took_waveforms.set()
        if self._throttle.is_held or self._throttle.times_asked:
            self._read_on()
        return self._is_due

    def _drop_stale(self, now: float) -> None:
        if self._inbox.is_stale(now):
            self._look_at_waiting()
            self._vitals.count_dropped(self._inbox.drop_stale(now))

    def _relay(self, some: Iterable[Arrived], now: float) -> None:
        """Show these waveforms to whoever wants to see them."""
        latest = now + LONGEST_AHEAD.total_seconds()
        received: list[Arrival] = []
        for arrived in some:
            message = arrived.message
            try:
                frame = decode_waveform(message) if type(message) is bytes else decode_json(cast(str, message))
                if type(frame) is not Waveform:
                    # It began like a waveform, or is one that cannot be used.
                    self._note(arrived, glance(message)[1])
                    self._inbox.put_among_others(arrived)
                    self._arrived.set()
                    continue
                if arrived.number > self._noted:
                    self._noted = arrived.number
                    if frame.seq is not None:
                        self._device.note(frame.seq)
                start = frame.started_at.timestamp()
                if start > latest:
                    raise TimeInFuture(frame.started_at)
                received.append((frame, start, arrived.at))
            except FrameError as error:
                self._note(arrived, glance(message)[1])
                self._refuse(error, arrived.number)
                if self._is_at_end:
                    break
        if not received:
            return
        try:
            self._vitals.relay(self._device.patient_id, received)
        except Exception:
            # Its own alone: it is let go of, and the others have their turn.
            _log.exception("vitals.intake_failed")
            self._end("internal_error", TRY_AGAIN_LATER)
        else:
            self._accepted += len(received)
            self._tell_news(received[-1][0], now)

    async def _work(self) -> None:
        """Take everything but waveforms, in order, until the device has left and nothing waits."""
        while not self._is_at_end:
            if self._inbox.others:
                await self._take_other(self._inbox.others[0])
            elif self._has_left:
                await self._wait_for_waveforms(self._frames + 1)
                if not self._inbox.others:
                    return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _take_other(self, arrived: Arrived) -> None:
        await self._judge(arrived)
        if not self._is_at_end:
            self._inbox.done_with(arrived)
            self._read_on()

    async def _judge(self, arrived: Arrived) -> None:
        if arrived.number % FRAMES_AT_A_STRETCH == 0:
            await anyio.lowlevel.checkpoint()
        try:
            frame = _decode(arrived.message)
            if isinstance(frame, Flush):
                await self._flush(frame, arrived.number)
            else:
                await self._vitals.accept(self._device.patient_id, frame)
                self._accepted += 1
                self._tell_news(frame, arrived.at)
        except FrameError as error:
            self._refuse(error, arrived.number)
        except ServiceUnavailable as error:
            # Not the frame's fault: the device shall come again, and send what was not confirmed.
            self._end(error.code, TRY_AGAIN_LATER)

    async def _flush(self, flush: Flush, number: int) -> None:
        await self._wait_for_waveforms(number)
        while self._inbox.others[0].number < number and not self._is_at_end:
            # Taken for waveforms until they were looked at.
            await self._take_other(self._inbox.others[0])
        await self._vitals.flush()
        sequence = self._device.sequence if self._device.sequence.has_begun else None
        self._send(encode_flushed(flush, frames=self._accepted, errors=self._errors, sequence=sequence))

    async def _wait_for_waveforms(self, number: int) -> None:
        """Return when no waveform waits that arrived before this message."""
        if self._inbox.has_waveforms_before(number):
            self._intake.add(self)
        self._is_awaited = True
        while self._inbox.has_waveforms_before(number) and not self._is_at_end:
            self._took_waveforms.clear()
            await self._took_waveforms.wait()
        self._is_awaited = False

    def _tell_news(self, frame: Reading | Waveform | LeadStatus, now: float) -> None:
        """Tell that the device is there, if it is time to."""
        self._device.heard_at[self] = now
        if self._device.is_news(now, self._vitals.presence_seconds):
            self._vitals.device_seen(self._device.user_id, self._device.patient_id, measured_at=frame.moment)

    def _refuse(self, error: FrameError, number: int) -> None:
        self._vitals.count_refused(error)
        if isinstance(error, TimeInFuture):
            self._vitals.device_ahead(self._device.user_id, self._device.patient_id, measured_at=error.moment)
        self._errors += 1
        self._send(encode_error(error, frame=number))
        if self._refusals.add(number) >= MOST_ERRORS_IN_A_ROW:
            self._end("too_many_errors")

    # How it ends.

    @property
    def _is_at_end(self) -> bool:
        return self._right.reason is not None or self._ending is not None

    def _end(self, reason: str, code: int = POLICY_VIOLATION) -> None:
        """Take nothing more; the socket is closed when the device has been sent what it was answered."""
        if self._ending is None:
            self._ending = reason, code
            self._usual = None
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
        self._throttle.hold()

    def resume(self) -> None:
        """The device takes its answers again."""
        self._read_on()

    def left(self) -> None:
        """The connection is gone; what was sent on it is still worked off."""


def _decode(message: str | bytes) -> Frame:
    return decode_json(message) if isinstance(message, str) else decode_msgpack(message)
