from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
import structlog.testing

from app.core.config import Settings
from app.main import wire
from app.modules.vitals.decoding import decode_msgpack
from app.modules.vitals.ecg.monitor import EcgMonitor
from app.modules.vitals.frames import Waveform
from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.service import VitalsService
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, Socket, socket
from tests.modules.vitals.ecg.player import BEGAN, beats, ecg, frames, of_50_ms
from tests.modules.vitals.station import PATIENT, Station
from tests.servers import PATIENCE_SECONDS, RunningServer, until

pytestmark = pytest.mark.anyio

RATE = 250.0
VITALS = "/api/v1/vitals"


def _sent(bed: Bed, *, rate: float, seconds: float) -> list[bytes]:
    """What a device has sent up to now, in binary."""
    signal = ecg(beats(rate, until=seconds), seconds, RATE)
    return [
        msgspec.msgpack.encode(
            {
                "type": "ecg",
                "sampleRate": RATE,
                "samples": samples.data,
                "scale": samples.scales[0],
                "offset": 0,
                "unit": "mV",
                "lead": "II",
                "timestamp": bed.time(at - BEGAN - seconds),
            }
        )
        for at, samples in frames([signal], RATE, of_50_ms(RATE))
    ]


async def test_a_rate_from_the_ecg_is_stored_shown_and_marked(server: RunningServer, bed: Bed) -> None:
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1") as screen,
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await device.send(*_sent(bed, rate=80, seconds=12))
        shown: dict[str, Any] = {}
        while shown.get("type") != "heart_rate":
            shown = await screen.next()
        assert shown == {
            "patientId": "P1",
            "type": "heart_rate",
            "value": 80,
            "unit": "/min",
            "timestamp": shown["timestamp"],
            "source": "ecg",
        }

    async def latest() -> list[tuple[object, object]]:
        answer = await server.call("GET", f"{VITALS}/latest?patient_id=P1", "nurse")
        return [(reading["value"], reading.get("source")) for reading in answer.json()["readings"]]

    with anyio.fail_after(PATIENCE_SECONDS):
        while await latest() != [(80, "ecg")]:
            await anyio.lowlevel.checkpoint()


async def test_beats_are_shown_to_viewers_who_ask_for_them(server: RunningServer, bed: Bed) -> None:
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1", beats="true") as screen,
        socket(server, FRONTEND, "nurse", patient_id="P1", beats="true", format="binary") as in_binary,
        socket(server, FRONTEND, "nurse", patient_id="P1", beats="false") as without,
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await until(lambda: server.services.get(VitalsViewers).count() == 3)
        seen: dict[Socket, list[dict[str, Any]]] = {screen: [], in_binary: [], without: []}

        async def watch(viewer: Socket) -> None:
            async for message in viewer.connection:
                if isinstance(message, str):
                    seen[viewer].append(json.loads(message))
                else:
                    seen[viewer].append(msgspec.msgpack.decode(message))

        frames = _sent(bed, rate=80, seconds=12)
        async with anyio.create_task_group() as tasks:
            for viewer in seen:
                tasks.start_soon(watch, viewer)
            # No faster than they are read: a viewer that lags skips some, beats as well.
            for shown in range(8, len(frames) + 1, 8):
                await device.send(*frames[shown - 8 : shown])
                await until(partial(_have_been_shown, shown, seen.values()))
            await until(lambda: all(_rates(its) for its in seen.values()))
            tasks.cancel_scope.cancel()
        told = _beats(seen[screen])
        assert {(frame["patientId"], frame["lead"]) for frame in told} == {("P1", "II")}
        times = [datetime.fromisoformat(at).timestamp() for frame in told for at in frame["timestamps"]]
        began = bed.now.timestamp() - 12
        assert [at - began for at in times] == pytest.approx(beats(80, until=12)[: len(times)], abs=0.02)
        assert _beats(seen[in_binary])[0] == told[0]
        assert _beats(seen[without]) == []


def _have_been_shown(frames: int, each: Iterable[list[dict[str, Any]]]) -> bool:
    return all(sum("samples" in frame for frame in seen) == frames for seen in each)


def _rates(seen: list[dict[str, Any]]) -> int:
    return sum(frame.get("type") == "heart_rate" for frame in seen)


def _beats(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in seen if frame.get("event") == "beats"]


async def test_a_rate_from_the_ecg_gives_way_while_the_device_tells_its_own(station: Station) -> None:
    at = station.ward.clock.now()
    own = station.reading(70, seconds=-30)
    await station.service.take(PATIENT, [own])
    for seconds in (-42, -41, -40, -35, -20, -19, -18):
        await station.service.take_ecg_rates(PATIENT, [(80, at + timedelta(seconds=seconds))])
    await station.service.flush()
    stored = [(it.value, (it.measured_at - at).total_seconds(), it.source) for it in await station.stored()]
    assert stored == [
        (80, -42, "ecg"),
        (80, -41, "ecg"),
        (70, -30, "device"),
        (80, -19, "ecg"),
        (80, -18, "ecg"),
    ]
    assert [value for _, _, value, _ in station.rules.observed] == [70, 80, 80, 80, 80]


async def test_other_numerics_of_the_device_leave_the_rate_to_the_ecg(station: Station) -> None:
    await station.service.take(PATIENT, [station.reading(70, type="pulse")])
    await station.service.take_ecg_rates(PATIENT, [(80, station.ward.clock.now())])
    assert [(kind, value) for _, kind, value, _ in station.rules.observed] == [("pulse", 70), ("heart_rate", 80)]


async def test_the_devices_own_rate_is_remembered_through_a_restart(station: Station) -> None:
    await station.service.record(PATIENT, [station.reading(70)])
    restarted = Station(station.ward)
    await restarted.service.take_ecg_rates(PATIENT, [(80, station.ward.clock.now() + timedelta(seconds=1))])
    assert restarted.rules.observed == []


def test_without_the_extra_the_start_says_so_once_and_nothing_is_analysed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sleepecg", None)
    with structlog.testing.capture_logs() as logs:
        wire(Settings(data_dir=tmp_path))
    assert [line["event"] for line in logs] == ["ecg.not_analysed"]
    with structlog.testing.capture_logs() as logs:
        wire(Settings(data_dir=tmp_path, ecg_heart_rate=False))
    assert logs == []


async def test_an_ecg_is_not_analysed_where_that_is_switched_off(tmp_path: Path, bed: Bed) -> None:
    for is_on in (True, False):
        services = wire(Settings(data_dir=tmp_path, ecg_heart_rate=is_on))
        vitals = services.get(VitalsService)
        frame = decode_msgpack(_sent(bed, rate=80, seconds=1)[0])
        assert isinstance(frame, Waveform)
        await vitals.accept("P1", frame)
        assert len(services.get(EcgMonitor)) == is_on
