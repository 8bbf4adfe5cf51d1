"""What waits of one device: in which order it is taken, noted and let go, whoever is busy elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import anyio.lowlevel
import msgspec
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from app.core.roles import Role
from app.core.security import Principal
from app.modules.vitals.device_socket import BEGINNING_BYTES, DeviceSocket
from app.modules.vitals.inbox import MOST_OTHERS, MOST_WAVEFORMS, STALE_SECONDS, Arrived
from app.modules.vitals.intake import Intake, Source
from app.modules.vitals.rights import SocketRights
from app.modules.vitals.throttle import SLOW_DOWN_SECONDS
from tests.modules.vitals.bedside import Bed, counted, packed
from tests.modules.vitals.station import PATIENT, Station
from tests.servers import until

pytestmark = pytest.mark.anyio


async def run_until_it_waits(device: DeviceSocket, is_waiting: Callable[[], bool]) -> None:
    """Have a socket take what it is given until it takes nothing more."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(device.run)
        await until(is_waiting)
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def socket_of(
    station: Station, next_message: Callable[[], Message], intake: Intake | None = None
) -> AsyncIterator[DeviceSocket]:
    """The end of a device's socket whose other end is the test."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"} if not sent else next_message()

    async def send(message: Message) -> None:
        sent.append(message)

    async def its_patient(_principal: Principal) -> str:
        return PATIENT

    await station.ward.user("device", Role.DEVICE)
    websocket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    await websocket.accept()
    rights = SocketRights(station.ward.access, station.ward.auth, station.ward.clock)
    async with rights.held(await station.ward.principal("device"), its_patient) as right:
        yield DeviceSocket(websocket, right, station.service, intake or Intake())


class HeldUp(Intake):
    """An intake that is busy elsewhere until a test has its socket's turn come."""

    def add(self, source: Source) -> None: ...

    def gather(self, source: Source) -> None: ...


async def test_a_flush_and_the_end_wait_for_the_curves_before_them(station: Station, bed: Bed) -> None:
    bed.now = station.ward.clock.now()
    station.service.tell_waveforms(station.curves)
    messages: list[Message] = [
        {"type": "websocket.receive", "text": json.dumps(bed.ecg(1))},
        {"type": "websocket.receive", "text": json.dumps({"event": "flush"})},
        {"type": "websocket.receive", "text": json.dumps(bed.ecg(2, seconds=1))},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    ended: list[bool] = []
    async with socket_of(station, lambda: messages.pop(0), HeldUp()) as device, anyio.create_task_group() as tasks:

        async def run() -> None:
            await device.run()
            ended.append(True)

        tasks.start_soon(run)
        await until(lambda: not messages)
        for taken, is_answered in ((0, False), (1, True)):
            device.take_waveforms(taken)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            assert [waiting.number for waiting in device._inbox.others] == [2][is_answered:]
            assert len(station.curves.taken) == taken
            assert not ended
        device.take_waveforms(1)
    assert len(station.curves.taken) == 2


async def test_a_curve_never_overtakes_one_that_waits(station: Station, bed: Bed) -> None:
    bed.now = station.ward.clock.now()
    station.service.tell_waveforms(station.curves)
    in_text = json.dumps(bed.ecg(3, seconds=-1))
    async with socket_of(station, dict, HeldUp()) as device:
        for message in (
            counted(bed, [1], seconds=-3),
            counted(bed, [2] * 1000, seconds=-2),
            in_text,
            counted(bed, [4]),
        ):
            device._put(message)
        assert station.curves.taken == []
        assert device.take_waveforms(3)
        assert not device.take_waveforms(3)
    assert [waveform.samples.values()[0] for _, waveform in station.curves.taken] == [0.001, 0.002, 3, 0.004]


@pytest.mark.parametrize("between", ["a reading", "another curve", "nothing"])
async def test_numbers_are_noted_in_the_order_in_which_they_came_whenever_they_are_looked_at(
    station: Station, bed: Bed, between: str
) -> None:
    bed.now = station.ward.clock.now()
    extra: dict[str, str | bytes] = {
        "a reading": json.dumps(bed.reading(seq=4)),
        "another curve": packed({**bed.ecg(1, seconds=4), "type": "resp_wave", "unit": "", "seq": 4}),
    }
    async with socket_of(station, dict, HeldUp()) as device:
        for number in range(1, 4):
            device._put(counted(bed, [1], seconds=number / 20, seq=number))
        assert not device._device.sequence.late
        if between in extra:
            device._put(extra[between])
        device._put(counted(bed, [1], seconds=5, seq=5))
        device.take_waveforms(16)
        sequence = device._device.sequence
    assert (sequence.missing, sequence.late) == (0 if between in extra else 1, 0)


async def test_what_begins_like_a_curve_and_is_none_is_taken_for_what_it_is(station: Station, bed: Bed) -> None:
    """The first fields are those of the curves before it: it is found out when it is looked at.

    Fails where nothing more is taken of a device that has left once its curves are (checked so).
    """
    bed.now = station.ward.clock.now()
    station.service.tell_waveforms(station.curves)
    station.service.tell_leads(station.curves)
    curve = counted(bed, [1], type="ecg")
    fields = {**msgspec.msgpack.decode(curve), "event": "lead_off"}
    unit = fields.pop("unit")
    assert unit == "mV"
    event = packed(fields)
    async with socket_of(station, lambda: {"type": "websocket.disconnect", "code": 1000}, HeldUp()) as device:
        device._put(curve)
        device._put(event)
        assert event[:BEGINNING_BYTES] == curve[:BEGINNING_BYTES]
        assert len(device._inbox.waveforms) == 2
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(device.run)
            await until(lambda: device._is_awaited)
            device.take_waveforms(16)
            assert len(device._inbox.others) == 1
    assert [len(station.curves.taken), [lead[3] for lead in station.curves.leads]] == [1, [True]]


async def test_nothing_more_is_read_when_a_thousand_readings_wait(station: Station, bed: Bed) -> None:
    bed.now, read = station.ward.clock.now(), 0

    def next_message() -> Message:
        nonlocal read
        read += 1
        return {"type": "websocket.receive", "text": json.dumps(bed.reading(seconds=-read))}

    async with socket_of(station, next_message) as device, station.service._tracks.turn_of(PATIENT):
        await run_until_it_waits(device, lambda: read > MOST_OTHERS)
    assert read == MOST_OTHERS + 1


async def test_a_device_that_goes_on_though_it_was_asked_to_slow_down_loses_its_oldest_curves_and_no_reading(
    station: Station, bed: Bed
) -> None:
    """Fails where it is held back for ever, and where the first burst already loses something (checked so, each)."""
    bed.now = station.ward.clock.now()
    station.service.tell_waveforms(station.curves)
    sent, readings = 0, 100

    def burst(device: DeviceSocket, frames: int) -> None:
        nonlocal sent
        for _ in range(frames):
            sent += 1
            at = sent / 20 - 100
            is_reading = sent % 10 == 0 and sent <= 10 * readings
            device._put(
                json.dumps(bed.reading(seconds=at, seq=sent)) if is_reading else counted(bed, [1], seconds=at, seq=sent)
            )

    async with socket_of(station, lambda: {"type": "websocket.disconnect", "code": 1000}, HeldUp()) as device:
        burst(device, 600)
        inbox = device._inbox
        assert (device._throttle.is_held, inbox.dropped, len(inbox)) == (True, 0, 600)
        station.ward.clock.advance(timedelta(seconds=SLOW_DOWN_SECONDS / 2))
        burst(device, 1)
        assert inbox.dropped == 0
        station.ward.clock.advance(timedelta(seconds=SLOW_DOWN_SECONDS / 2))
        device.take_waveforms(1)
        assert not device._throttle.is_held
        burst(device, 999)
        assert not device._throttle.is_held
        assert len(inbox.waveforms) <= MOST_WAVEFORMS
        assert inbox.waveforms[-1].number == sent
        assert len(inbox.others) == readings
        while device.take_waveforms(16):
            pass
        assert device._device.sequence.missing == 0
        left = len(station.curves.taken)
        assert station.count("tocsin_vitals_frames_dropped_total") == inbox.dropped == sent - readings - left
        assert station.count("tocsin_vitals_slow_downs_total") == 2
        assert len(inbox.others) == readings


@pytest.mark.parametrize("first", ["timestamp", "device", "type"])
async def test_what_begins_as_the_waveforms_do_is_never_dropped_with_them(
    station: Station, bed: Bed, first: str
) -> None:
    """Fails where it is not looked at before it is dropped, or compared by other fields than its type (checked so)."""
    bed.now = station.ward.clock.now()
    station.service.tell_leads(station.curves)
    sent = 0

    def message(frame: dict[str, object]) -> bytes:
        fields = {"device": "monitor-icu-17", **frame}
        return packed({first: fields.pop(first), **fields})

    def burst(device: DeviceSocket, frames: int) -> None:
        nonlocal sent
        for _ in range(frames):
            sent += 1
            at = sent / 20 - 100
            curve = msgspec.msgpack.decode(counted(bed, [1], seconds=at))
            device._put(message(curve))
            if sent % 20 == 0 and first == "type":
                kept = {name: curve[name] for name in ("type", "sampleRate", "scale", "unit", "timestamp", "lead")}
                device._put(message({**kept, "event": "lead_off"}))
            elif sent % 20 == 0:
                device._put(message({**bed.reading(seconds=at), "sampleRate": 0, "scale": 1, "lead": None}))

    async with socket_of(station, lambda: {"type": "websocket.disconnect", "code": 1000}, HeldUp()) as device:
        burst(device, 300)
        station.ward.clock.advance(timedelta(seconds=SLOW_DOWN_SECONDS))
        burst(device, 700)
        assert device._inbox.dropped > 500
        if first != "type":
            # Not even a moment among the waveforms.
            assert len(device._inbox.others) == sent // 20
        station.ward.clock.advance(timedelta(seconds=STALE_SECONDS + 1))
        device.take_waveforms(16)
        assert len(device._inbox.others) == sent // 20
        assert device._errors == 0


async def test_a_device_that_has_caught_up_is_held_back_again_before_anything_is_dropped(
    station: Station, bed: Bed
) -> None:
    """Fails where it is not forgotten that a device was asked (checked so)."""
    bed.now = station.ward.clock.now()
    async with socket_of(station, dict, HeldUp()) as device:
        for burst in range(3):
            for number in range(MOST_WAVEFORMS + 1):
                device._put(counted(bed, [1], seconds=number / 20 + 20 * burst))
            was_held = device._throttle.is_held
            while device.take_waveforms(16):
                pass
            assert (was_held, device._throttle.is_held) == (True, False)
            station.ward.clock.advance(timedelta(seconds=SLOW_DOWN_SECONDS))
    assert station.count("tocsin_vitals_slow_downs_total") == 3
    assert station.count("tocsin_vitals_frames_dropped_total") == 0


async def test_curves_that_have_waited_too_long_are_dropped_and_counted(station: Station, bed: Bed) -> None:
    bed.now = station.ward.clock.now()
    station.service.tell_waveforms(station.curves)
    async with socket_of(station, lambda: {"type": "websocket.disconnect", "code": 1000}) as device:
        now = bed.now.timestamp()
        for number, at in enumerate((now - STALE_SECONDS - 1, now - STALE_SECONDS - 0.5, now), 1):
            message = json.dumps(bed.ecg(number, seconds=-number))
            device._inbox.put(Arrived(number, message, at), is_waveform=True)
        assert not device.take_waveforms(8)
    assert [waveform.samples.values() for _, waveform in station.curves.taken] == [[3]]
    assert station.count("tocsin_vitals_frames_dropped_total") == 2
