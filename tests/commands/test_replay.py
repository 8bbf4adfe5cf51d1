"""Real recordings through `tocsin replay` and a real server, read back by whoever watches."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from operator import sub
from pathlib import Path
from typing import Any

import anyio
import pytest

from app.commands.connection import CommandError
from app.commands.playback import play_beds
from app.commands.sources import Cut, play_together, read_file
from app.commands.timeline import LATEST_SECONDS
from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.timestamps import from_rfc3339
from tests.modules.vitals.bedside import FRONTEND, Socket, socket
from tests.servers import PATIENCE_SECONDS, RunningServer, run_cli, serving

pytestmark = pytest.mark.anyio

BEDS = ("bed-1", "bed-2")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path) as server:
        await server.user("nurse", Role.NURSE)
        await server.user("device", Role.DEVICE)
        for bed in BEDS:
            await server.patient(bed, "nurse", "device")
        yield server


async def watch(viewer: Socket, seen: list[dict[str, Any]]) -> None:
    while True:
        seen.append(json.loads(await viewer.connection.recv()))


async def seen_while(server: RunningServer, patient_id: str, play: Any, count: int) -> list[dict[str, Any]]:
    """The frames that a viewer is shown while something plays, once there are so many."""
    seen: list[dict[str, Any]] = []
    async with socket(server, FRONTEND, "nurse", patient_id=patient_id) as viewer, anyio.create_task_group() as tasks:
        tasks.start_soon(watch, viewer, seen)
        await play
        with anyio.fail_after(PATIENCE_SECONDS):
            while len(seen) < count:
                await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    return seen


async def test_a_wfdb_record_at_real_time_is_shown_sample_by_sample(server: RunningServer, recordings: Path) -> None:
    record = read_file(recordings / "wfdb" / "100")
    steps = play_together([record], Cut(from_seconds=10, duration_seconds=2))
    started = datetime.now(UTC)
    playing = play_beds({"bed-1": steps}, url=server.url, token=server.tokens["device"], speed=1)
    seen = await seen_while(server, "bed-1", playing, 40)
    ended = datetime.now(UTC)
    assert [(frame["type"], frame["sampleRate"], frame["leads"]) for frame in seen] == [
        ("ecg", 360, ["MLII", "V5"])
    ] * 40
    times = [from_rfc3339(frame["timestamp"]) for frame in seen]
    # Where this machine stood still, the rest of the recording has moved on by as much as it was late.
    span = timedelta(seconds=0.05)
    assert all(step == span or step > span + timedelta(seconds=LATEST_SECONDS) for step in map(sub, times[1:], times))
    assert started <= times[0] <= times[-1] + span <= ended
    for index, lead in enumerate(record.signals[0].leads):
        shown = [value for frame in seen for value in frame["samples"][index]]
        expected = [count * lead.scale + lead.offset for count in lead.counts[3600 : 3600 + 720]]
        assert shown == pytest.approx(expected, abs=lead.scale / 100)


async def test_numerics_and_signals_of_two_patients_play_at_once(server: RunningServer, recordings: Path) -> None:
    files = [recordings / "bidmc" / f"bidmc_01_{kind}" for kind in ("Numerics.csv", "Signals.csv.gz")]
    others = [recordings / "bidmc" / "bidmc_49_Numerics.csv"]
    cut = Cut(duration_seconds=60)
    beds = {
        bed: play_together([read_file(file) for file in them], cut)
        for bed, them in zip(BEDS, (files, others), strict=True)
    }
    told = await play_beds(beds, url=server.url, token=server.tokens["device"], speed=math.inf)
    # 60 rows of four; 1,200 frames of each of three types; 60 s of five leads at 125 Hz.
    assert told.startswith(
        "2 patients, 120 rows, 480 readings sent, 3,600 waveform frames with 37,500 samples sent, 0 refused, "
    )
    for bed in BEDS:
        stored = (await server.call("GET", f"/api/v1/vitals/history?patient_id={bed}&limit=5000", "nurse")).json()
        # Played fast, the ECG lies in the past, where the device tells no heart rate of its own.
        assert sum("source" not in reading for reading in stored["readings"]) == 240
    accepted = server.services.get(Metrics).registry.get_sample_value
    assert [accepted("tocsin_vitals_readings_total", {"type": it}) for it in ("ecg", "pleth", "resp_wave")] == [
        1200
    ] * 3
    assert accepted("tocsin_vitals_duplicates_total") == 0


async def test_a_fast_replay_is_laid_into_the_past_and_ends_about_now(server: RunningServer, recordings: Path) -> None:
    steps = play_together([read_file(recordings / "wfdb" / "a103l")], Cut(frame_seconds=2))
    started = datetime.now(UTC)
    playing = play_beds({"bed-1": steps}, url=server.url, token=server.tokens["device"], speed=math.inf)
    seen = await seen_while(server, "bed-1", playing, len(steps))
    times = [from_rfc3339(frame["timestamp"]) for frame in seen if frame["type"] == "ecg"]
    assert times[-1] - times[0] == timedelta(seconds=328)
    assert abs((times[0] - started).total_seconds() + 330) < PATIENCE_SECONDS


async def test_readings_of_a_fast_replay_are_judged_like_fresh_ones(server: RunningServer, recordings: Path) -> None:
    files = [recordings / "bidmc" / f"bidmc_49_{kind}" for kind in ("Numerics.csv", "Signals.csv.gz")]
    steps = play_together([read_file(file) for file in files], Cut(duration_seconds=60))
    async with server.stream("nurse", "nurse", "bed-1") as stream:
        await stream.control("stream.ready")
        await play_beds({"bed-1": steps}, url=server.url, token=server.tokens["device"], speed=math.inf)
        await stream.alert("alert", vitalType="spo2")


async def test_one_patient_who_is_refused_ends_all(server: RunningServer, recordings: Path) -> None:
    steps = play_together([read_file(recordings / "bidmc" / "bidmc_01_Numerics.csv")], Cut())
    beds = {"bed-1": steps, "bed-9": steps}
    with pytest.raises(CommandError, match=r"bed-9: the server refused \(403\)"):
        await play_beds(beds, url=server.url, token=server.tokens["device"], speed=1)


async def test_the_command_plays_files_of_several_patients(server: RunningServer, recordings: Path) -> None:
    bidmc, environment = recordings / "bidmc", {**os.environ, "TOCSIN_TOKEN": server.tokens["device"]}
    arguments = [
        *(str(file) for file in (bidmc / "bidmc_01_Numerics.csv", recordings / "wfdb" / "03700181.hea")),
        *("--patient", "bed-1", "--patient", "bed-2", "--speed", "max", "--url", server.url),
        *("--from", "30", "--duration", "10", "--frame-ms", "100"),
    ]
    done = await asyncio.to_thread(run_cli, "replay", *arguments, environment=environment)
    assert (done.returncode, done.stdout[:32]) == (0, "2 patients, 10 rows, 40 readings"), done.stderr
    assert ", 200 waveform frames with 6,250 samples sent, 0 refused, " in done.stdout
    assert done.stderr.splitlines() == [
        "sending 10 rows, 40 readings, for patient bed-1",
        "sending 200 waveform frames, for patient bed-2",
        "03700181: ABP left out, of no type that is sent",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a.csv", "b.csv", "c.csv", "--patient", "1", "--patient", "2"], "name one patient for all files, or one"),
        (["nowhere.csv", "--patient", "1"], "nowhere.csv: No such file or directory"),
        (["nowhere.csv", "--patient", "1", "--speed", "fast"], "--speed is 'fast'"),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(arguments: list[str], line: str) -> None:
    done = run_cli("replay", *arguments, "--token", "t")
    assert (done.returncode, done.stdout) == (1, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
