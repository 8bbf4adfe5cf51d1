"""What a device sends, by either way, and what it is answered: with messages taken directly, and the ASGI way."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from app.core.metrics import Metrics
from app.modules.vitals.device_socket import MOST_ERRORS_IN_A_ROW, MOST_UNREAD_BYTES
from app.modules.vitals.frames import Waveform
from app.modules.vitals.inbox import MANY, MOST_OTHERS
from app.modules.vitals.rights import SERVICE_RESTART
from app.modules.vitals.service import Received, VitalsService
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, counted, packed, refusal, serving_ward, socket
from tests.servers import RunningServer, until

pytestmark = pytest.mark.anyio


def count(server: RunningServer, name: str, **labels: str) -> float:
    return server.services.get(Metrics).registry.get_sample_value(f"tocsin_vitals_{name}_total", labels) or 0


def service(server: RunningServer) -> VitalsService:
    return server.services.get(VitalsService)


def busy_with(server: RunningServer, patient_id: str) -> AbstractAsyncContextManager[object]:
    """Nothing of the patient is taken, because somebody else has the turn: as if the database were slow."""
    return service(server)._tracks.turn_of(patient_id)


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
        self.waveforms += (waveform for waveform, _, _ in received)

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
    service(either).tell_presence(observer, every_seconds=1)
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
        transports = [it.transport for it in server.server.server_state.connections]
        readers = {type(transport.get_protocol()).__name__ for transport in transports}
        assert ("DirectReceiver" in readers) == direct
        unread_bytes = [
            transport.get_extra_info("socket").getsockopt(SOL_SOCKET, SO_RCVBUF)
            for transport in transports
            if type(transport.get_protocol()).__name__ == "DirectReceiver"
        ]
        # Linux counts what it needs besides, and says twice as much; left alone it grows to megabytes.
        assert sys.platform != "linux" or unread_bytes == [2 * MOST_UNREAD_BYTES] * direct


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


@pytest.mark.parametrize(
    "lie",
    [{"sampleRate": "500"}, {"samples": "flat"}, {"scale": None}, {"timestamp": None}, {"seq": -1}, {"seq": "1"}],
    ids=str,
)
async def test_what_was_sent_before_a_flush_is_judged_before_it_is_answered(
    either: RunningServer, bed: Bed, lie: dict[str, object]
) -> None:
    """Fails where what is taken for a waveform and is none goes behind what waits (checked so)."""
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(counted(bed, [1]), counted(bed, [1], seconds=1, **lie))
        answer = await device.flush()
        assert (answer["event"], answer.get("frame")) == ("error", 2)
        assert await device.next() == {"event": "flushed", "id": 1, "frames": 1, "errors": 1}


async def test_errors_with_good_frames_of_another_kind_between_them_are_not_in_a_row(
    either: RunningServer, bed: Bed
) -> None:
    """Fails where each kind has a row of its own, or good waveforms are looked at later (checked so)."""
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        many = 2 * MOST_ERRORS_IN_A_ROW
        for number in range(many):
            await device.send(counted(bed, [1], seconds=number / 10), "{", bed.reading(seconds=number / 10))
            await device.send(counted(bed, [1], scale=0))
        for _ in range(2 * many):
            assert (await device.next())["event"] == "error"
        assert await device.flush() == {"event": "flushed", "id": 1, "frames": 2 * many, "errors": 2 * many}


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
        async with busy_with(either, "P1"):
            tasks.start_soon(device.send, *readings)
            answer = await device.next(may_ask_to_slow_down=True)
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


async def test_a_device_that_goes_on_with_another_socket_has_not_signed_off(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as second:
        with capture_logs() as logs:
            async with socket(either, MOBILE, "device", patient_id="P1") as first:
                await first.send(bed.reading())
                await first.flush()
                await second.send(bed.reading(seconds=1))
                await second.flush()
            await until(lambda: any(line["event"] == "vitals.sender_closed" for line in logs))
        assert notes.gone == []
    await until(lambda: notes.gone == [True])


async def test_that_a_device_is_there_is_told_now_and_then_with_its_own_time(
    either: RunningServer, notes: Notes, bed: Bed
) -> None:
    async with socket(either, MOBILE, "device", patient_id="P1") as device:
        await device.send(*(bed.reading(seconds=number / 1000) for number in range(-100, 0)))
        await device.flush()
        assert 1 <= len(notes.here) < 20
        assert notes.here[0] == bed.now - timedelta(seconds=0.1)


async def test_that_a_device_is_back_is_told_at_once(either: RunningServer, notes: Notes, bed: Bed) -> None:
    """Fails where a device that has left counts as told (checked so)."""
    for number in range(3):
        async with socket(either, MOBILE, "device", patient_id="P1") as device:
            await device.send(bed.reading(seconds=number))
            await device.flush()
        await until(lambda: len(notes.gone) == len(notes.here))
    assert notes.here == [bed.now + timedelta(seconds=number) for number in range(3)]


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


async def test_what_cannot_be_taken_before_the_server_stops_is_let_go_in_good_order(
    tmp_path: Path, bed: Bed, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails, with an error for each device, where uvicorn has to cancel them (checked so)."""
    async with (
        serving_ward(tmp_path, shutdown_seconds=1) as server,
        busy_with(server, "P1"),
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await device.send(*(bed.reading(seconds=-number) for number in range(3)))
        await (await device.connection.ping())
        with capture_logs() as logs:
            server.server.should_exit = True
            assert (await device.closing())[0] == SERVICE_RESTART
            await until(lambda: any(line["event"] == "vitals.sender_closed" for line in logs))
    (line,) = (line for line in logs if line["event"] == "vitals.sender_closed")
    assert (line["reason"], line["not_taken"]) == ("server_stopping", 3)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("path", [MOBILE, FRONTEND])
async def test_a_socket_that_is_refused_is_no_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """Fails where uvicorn, which looks for a handshake, is not told that there will be none (checked so)."""
    async with serving_ward(tmp_path) as server:
        assert (await refusal(server, path, "nurse", patient_id="P1", max_hz="0"))[0] in (403, 422)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
