"""What a device sends, by either way, and what it is answered: with messages taken directly, and the ASGI way."""

from __future__ import annotations

import json
import socket as socket_module
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.security import Principal
from app.modules.vitals.device_socket import BEGINNING_BYTES, MOST_ERRORS_IN_A_ROW, DeviceSocket
from app.modules.vitals.frames import Waveform
from app.modules.vitals.inbox import MANY, MOST_OTHERS, STALE_SECONDS, Arrived
from app.modules.vitals.intake import Intake, Source
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.rights import SocketRights
from app.modules.vitals.service import Received, VitalsService
from app.modules.vitals.viewer_socket import MOST_UNSENT_BYTES
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, Socket, serving_ward, socket
from tests.modules.vitals.station import PATIENT, Station
from tests.servers import RunningServer, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["direct", "plain ASGI"])
async def either(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    async with serving_ward(tmp_path, direct=request.param == "direct") as running:
        yield running


def count(server: RunningServer, name: str, **labels: str) -> float:
    return server.services.get(Metrics).registry.get_sample_value(f"tocsin_vitals_{name}_total", labels) or 0


def service(server: RunningServer) -> VitalsService:
    return server.services.get(VitalsService)


def packed(fields: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(fields)


def counted(bed: Bed, *rows: list[int], seconds: float = 0, **fields: Any) -> bytes:
    """A binary frame of an ECG with a lead for each row."""
    counts = [count for row in rows for count in row]
    ecg = bed.ecg(seconds=seconds)
    leads = {} if len(rows) == 1 else {"lead": None, "leads": ["I", "II", "III"][: len(rows)]}
    return packed({**ecg, "samples": struct.pack(f"<{len(counts)}h", *counts), "scale": 0.001, **leads, **fields})


async def unpacked(viewer: Socket) -> dict[str, Any]:
    """The next binary message."""
    received = await viewer.connection.recv(decode=False)
    fields: dict[str, Any] = msgspec.msgpack.decode(received)
    return fields


@dataclass
class Notes:
    """An observer of everything, which breaks when it is told to."""

    waveforms: list[Waveform] = field(default_factory=list)
    leads: list[tuple[str | None, bool]] = field(default_factory=list)
    here: list[datetime] = field(default_factory=list)
    gone: list[bool] = field(default_factory=list)
    is_broken: bool = False

    def take(self, patient_id: str, received: Received) -> None:
        if self.is_broken:
            raise RuntimeError("of its own")
        self.waveforms += (waveform for waveform, _ in received)

    def lead(self, patient_id: str, type: str, lead: str | None, *, is_off: bool, at: datetime) -> None:
        self.leads.append((lead, is_off))

    def seen(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        self.here.append(measured_at)

    def ahead(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        """Refused frames are no sign of life."""

    def left(self, user_id: str, patient_id: str, *, signed_off: bool) -> None:
        self.gone.append(signed_off)


@pytest.fixture
def notes(either: RunningServer) -> Notes:
    observer = Notes()
    service(either).tell_waveforms(observer)
    service(either).tell_leads(observer)
    service(either).tell_presence(observer)
    return observer


async def test_what_is_sent_in_binary_is_taken_as_what_is_sent_in_text(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    lead_status = {"type": "ecg", "lead": "I", "timestamp": bed.time()}
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(counted(bed, [0, 500]), packed(bed.reading(99)), counted(bed, [1], [2], seconds=1))
        await device.send(packed({"event": "lead_off", **lead_status}), {"event": "lead_on", **lead_status})
        await device.send(packed({"event": "flush", "id": "b"}))
        assert await device.next() == {"event": "flushed", "id": "b", "frames": 5, "errors": 0}
    values = [[it.samples.values(lead) for lead in range(len(it.leads))] for it in notes.waveforms]
    assert values == [[[0, 0.5]], [[0.001], [0.002]]]
    assert notes.leads == [("I", True), ("I", False)]
    history = await either.call("GET", "/api/v1/vitals/history?patient_id=P1", "nurse")
    assert [reading["value"] for reading in history.json()["readings"]] == [99]


@pytest.mark.parametrize("direct", [True, False])
async def test_messages_are_taken_as_they_arrive_where_the_server_allows_it(
    tmp_path: Path, bed: Bed, direct: bool
) -> None:
    async with (
        serving_ward(tmp_path, direct=direct) as server,
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await device.flush()
        readers = {type(it.transport.get_protocol()).__name__ for it in server.server.server_state.connections}
        assert ("DirectReceiver" in readers) == direct


async def test_a_frame_that_lies_is_told_by_its_number_and_the_others_are_taken(
    either: RunningServer, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(counted(bed, [1]), counted(bed, [1], scale=0), counted(bed, [1], seconds=1), b"\xc1", "{")
        await device.send(counted(bed, [1] * 4097), counted(bed, [1], seconds=3600), counted(bed, [1], seconds=2))
        answers = [await device.next() for _ in range(5)]
        assert {answer["frame"]: answer["code"] for answer in answers} == {
            2: "value_out_of_range",
            4: "invalid_msgpack",
            5: "invalid_json",
            6: "value_out_of_range",
            7: "timestamp_in_future",
        }
        assert await device.flush() == {"event": "flushed", "id": 1, "frames": 3, "errors": 5}


async def test_a_flush_tells_which_numbers_are_missing_also_over_two_connections(
    either: RunningServer, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        for place, number in enumerate([0, 1, 4, 3]):
            await device.send(counted(bed, [1], seconds=place / 10, seq=number))
        await device.send(bed.reading(seq=5))
        answer = await device.flush()
        assert answer == {"event": "flushed", "id": 1, "frames": 5, "errors": 0, "missing": 1, "reordered": 1}
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(packed(bed.reading(seconds=1, seq=7)))
        answer = await device.flush()
        assert (answer["missing"], answer["reordered"]) == (2, 1)
    assert (count(either, "frames_missing"), count(either, "frames_reordered")) == (3, 1)


async def test_a_device_that_is_ahead_is_asked_to_slow_down_and_loses_no_reading(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    readings = [bed.reading(60 + number % 20, seconds=number / 100 - 100) for number in range(3 * MOST_OTHERS)]
    async with (
        socket(either, MOBILE, "device", patient_id="P1") as device,
        socket(either, MOBILE, "device", patient_id="P1") as other,
        anyio.create_task_group() as tasks,
    ):
        # Nothing of this patient is taken while another has the turn, as if the database were slow.
        async with service(either)._tracks.turn_of("P1"):
            tasks.start_soon(device.send, *readings)
            answer = await device.next()
            assert (answer["event"], answer["waiting"] > MANY) == ("slow_down", True)
            assert count(either, "slow_downs") == 1
            await other.send(counted(bed, [1]))
            await until(lambda: len(notes.waveforms) == 1)
            assert count(either, "readings", type="heart_rate") == 0
        await until(lambda: count(either, "readings", type="heart_rate") == len(readings))


async def test_many_curves_at_once_are_all_taken_before_the_flush_behind_them_is_answered(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    frames = [counted(bed, [1], seconds=number / 20 - 1000) for number in range(2000)]
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(*frames)
        assert (await device.flush())["frames"] == len(frames)
    moments = [waveform.started_at for waveform in notes.waveforms]
    assert len(moments) == len(frames)
    assert moments == sorted(moments)


async def test_what_a_device_sent_before_it_left_is_taken(either: RunningServer, notes: Notes, bed: Bed) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(*(counted(bed, [1] * 2000, seconds=number) for number in range(-50, 0)), bed.reading())
    await until(lambda: len(notes.waveforms) == 50)
    await until(lambda: count(either, "readings", type="heart_rate") == 1)


async def test_a_device_that_closes_signs_off_and_one_that_is_cut_off_is_lost(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1"):
        pass
    await until(lambda: notes.gone == [True])
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        device.connection.transport.abort()
        await until(lambda: notes.gone == [True, False])
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await either.revoke("P1", "device")
        await device.closing()
        await until(lambda: notes.gone == [True, False, False])


async def test_that_a_device_is_there_is_told_once_a_second_with_its_own_time(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(*(bed.reading(seconds=number / 1000) for number in range(-100, 0)))
        await device.flush()
        assert 1 <= len(notes.here) < 20
        assert notes.here[0] == bed.now - timedelta(seconds=0.1)


async def test_a_device_that_gets_nothing_right_is_told_each_time_before_it_is_sent_away(
    either: RunningServer, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(*[counted(bed, [1], scale=0), "{"] * (MOST_ERRORS_IN_A_ROW // 2))
        assert [(await device.next())["event"] for _ in range(MOST_ERRORS_IN_A_ROW)] == ["error"] * MOST_ERRORS_IN_A_ROW
        assert await device.closing() == (1008, "too_many_errors")


async def test_an_observer_that_breaks_ends_that_socket_alone(either: RunningServer, notes: Notes, bed: Bed) -> None:
    async with (
        socket(either, MOBILE, "device", patient_id="P1") as device,
        socket(either, MOBILE, "patient") as other,
    ):
        notes.is_broken = True
        with capture_logs() as logs:
            await device.send(counted(bed, [1]))
            assert await device.closing() == (1013, "internal_error")
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["vitals.intake_failed"]
        notes.is_broken = False
        await other.send(counted(bed, [1]))
        assert (await other.flush())["frames"] == 1


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
    """The first fields are those of the curves before it: it is found out when it is looked at."""
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
        device.take_waveforms(16)
        assert len(device._inbox.others) == 1
        await device.run()
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


# --- what viewers choose --------------------------------------------------------------------------


async def test_a_viewer_gets_the_form_and_the_rate_that_it_asks_for(either: RunningServer, bed: Bed) -> None:
    async with (
        socket(either, MOBILE, "device", patient_id="P1") as device,
        socket(either, FRONTEND, "nurse", patient_id="P1") as in_text,
        socket(either, FRONTEND, "nurse", patient_id="P1", format="binary") as in_binary,
        socket(either, FRONTEND, "nurse", patient_id="P1", format="json", max_hz="125") as thin,
    ):
        await until(lambda: either.services.get(VitalsViewers).count() == 3)
        await device.send(counted(bed, [0, 570, 3, 4]), bed.ecg(0.25, 0.5, seconds=1))
        assert await in_text.next() == {"patientId": "P1", **bed.ecg(0, 0.57, 0.003, 0.004)}
        assert await in_text.next() == {"patientId": "P1", **bed.ecg(0.25, 0.5, seconds=1)}
        assert await unpacked(in_binary) == {
            "patientId": "P1", **bed.ecg(), "samples": struct.pack("<4h", 0, 570, 3, 4), "scale": 0.001, "offset": 0,
        }  # fmt: skip
        quantised = await unpacked(in_binary)
        low, high = struct.unpack("<2h", quantised["samples"])
        assert low * quantised["scale"] + quantised["offset"] == pytest.approx(0.25)
        assert high * quantised["scale"] + quantised["offset"] == pytest.approx(0.5)
        assert await thin.next() == {"patientId": "P1", **bed.ecg(0.57, 0.003), "sampleRate": 125}


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", "xml"), ("max_hz", "0"), ("max_hz", "2001"), ("max_hz", "nan"), ("max_hz", "fast"), ("beats", "maybe")],
)
async def test_a_choice_that_there_is_not_is_refused_with_its_field(
    server: RunningServer, field: str, value: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with socket(server, FRONTEND, "nurse", patient_id="P1", **{field: value}):
            pass
    problem = msgspec.json.decode(caught.value.response.body or b"")
    assert (problem["status"], problem["code"]) == (422, "validation_error")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.skipif(not hasattr(socket_module, "TCP_NOTSENT_LOWAT"), reason="an option of Linux and macOS")
async def test_the_kernel_holds_little_for_a_viewer_and_as_much_as_it_likes_for_an_alert_socket(
    server: RunningServer,
) -> None:
    alerts = "/api/v1/alerts/ws"
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1") as viewer,
        socket(server, alerts, "nurse", patient_id="P1", role="nurse") as listener,
    ):
        await until(lambda: server.services.get(VitalsViewers).count() == 1)
        await until(lambda: server.manager.open_count() == 1)
        held = {}
        for protocol in server.server.server_state.connections:
            theirs = protocol.transport.get_extra_info("peername")
            held[theirs] = protocol.transport.get_extra_info("socket").getsockopt(
                socket_module.IPPROTO_TCP, socket_module.TCP_NOTSENT_LOWAT
            )
        ours, default = (held[it.connection.local_address] for it in (viewer, listener))
    assert ours == MOST_UNSENT_BYTES
    assert default != MOST_UNSENT_BYTES
