"""A recorded ECG, replayed to a running server: beats and rate are those of the annotators, a false alarm is none."""

from __future__ import annotations

import bisect
import itertools
import warnings
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from app.core.roles import Role
from app.modules.vitals.ecg.monitor import EcgMonitor
from app.modules.vitals.ecg.teller import EcgListener
from app.modules.vitals.manager import VitalsViewers
from tests.modules.vitals.bedside import FRONTEND, Socket, socket
from tests.servers import PATIENCE_SECONDS, RunningServer, run_cli, serving, until

pytestmark = pytest.mark.anyio

#: Beats of these kinds are annotated (PhysioNet's codes of beats).
BEATS = frozenset("NLRBAaJSVrFejnE/fQ")

#: A beat is found when one was annotated within so much.
NEAR_SECONDS = 0.15

#: So long after the start of the recording the rate is that of a full window of intervals.
SETTLED_SECONDS = 20

#: Record 100 has so many whole seconds.
LAST_SECOND = 1805


class Notes:
    """What the ECG is found to show."""

    def __init__(self) -> None:
        self.asystoles: list[tuple[str, bool]] = []

    async def quality(self, patient_id: str, lead: str | None, state: str, reason: str | None, at: datetime) -> None:
        pass

    async def asystole(self, patient_id: str, *, is_present: bool, at: datetime) -> None:
        self.asystoles.append((patient_id, is_present))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("device", Role.DEVICE)
        await server.patient("P1", "device")
        yield server


async def replay(server: RunningServer, record: Path, patient_id: str, *options: str) -> None:
    arguments = ["replay", str(record), "--patient", patient_id, "--url", server.url]
    done = await anyio.to_thread.run_sync(
        lambda: run_cli(*arguments, "--token", server.tokens["device"], "--speed", "max", *options)
    )
    assert done.returncode == 0, done.stderr


async def heart_rates(server: RunningServer, patient_id: str, *, at_least: int) -> list[tuple[float, float]]:
    """Every stored heart rate as (time, value), oldest first, when there are so many."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            found: list[dict[str, Any]] = []
            cursor = ""
            while True:
                query = f"patient_id={patient_id}&type=heart_rate&limit=5000{cursor}"
                page = (await server.call("GET", f"/api/v1/vitals/history?{query}", "admin")).json()
                found += page["readings"]
                if page["nextCursor"] is None:
                    break
                cursor = f"&cursor={page['nextCursor']}"
            if len(found) >= at_least:
                assert {reading["source"] for reading in found} == {"ecg"}
                times = [datetime.fromisoformat(reading["timestamp"]).timestamp() for reading in found]
                return sorted(zip(times, (reading["value"] for reading in found), strict=True))
            await anyio.sleep(0.05)


async def told_beats(screen: Socket, *, until_second: float) -> tuple[float, list[float]]:
    """When the recording began, and when in it the heart has beaten, up to the first beat after that second."""
    began = datetime.fromisoformat((await screen.next())["timestamp"]).timestamp()
    beats: list[float] = []
    while not beats or beats[-1] <= until_second:
        frame = await screen.next()
        assert frame.get("event") != "skipped"
        if frame.get("event") == "beats":
            beats += [datetime.fromisoformat(at).timestamp() - began for at in frame["timestamps"]]
    return began, beats


def matched(found: list[float], beats: list[float]) -> int:
    """How many of the found beats are annotated ones, each once."""
    left, count = deque(beats), 0
    for beat in found:
        while left and left[0] < beat - NEAR_SECONDS:
            left.popleft()
        if left and left[0] <= beat + NEAR_SECONDS:
            left.popleft()
            count += 1
    return count


def annotated(record: Path) -> list[float]:
    """When the annotators saw a beat, in seconds of the recording."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        read = wfdb.rdann(str(record), "atr")
    beats = zip(read.sample.tolist(), read.symbol, strict=True)
    return [sample / read.fs for sample, symbol in beats if symbol in BEATS]


def expected_rate(beats: list[float], second: float) -> float:
    """As `clinical.md` has it, from annotated beats, with none of the code that the server uses."""
    seen = beats[: bisect.bisect_right(beats, second)]
    intervals = [after - before for before, after in zip(seen[-13:], seen[-12:], strict=False)]
    intervals = intervals[-4:] if min(intervals[-3:]) > 1.2 else sorted(intervals)[1:-1]
    return 60 * len(intervals) / sum(intervals)


async def test_the_beats_and_the_rate_of_a_replayed_record_are_those_of_its_annotations(
    server: RunningServer, recordings: Path
) -> None:
    """99 in 100 beats are told, and 99 in 100 told are there; in 99 of 100 seconds the rate is within 2 /min.

    The server tells a rate as of a moment that it knows all beats of.
    """
    record = recordings / "wfdb" / "100"
    beats = annotated(record)
    before = datetime.now(UTC).timestamp()

    # The first waveform says when the recording began; few samples of it will do, and beats are told all the same.
    async with socket(server, FRONTEND, "admin", patient_id="P1", beats="true", max_hz="5") as screen:
        await until(lambda: server.services.get(VitalsViewers).count() == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(replay, server, record, "P1")
            began, found = await told_beats(screen, until_second=LAST_SECOND - 1)

    assert found == sorted(set(found))
    hits = matched(found, beats)
    assert hits / len(beats) >= 0.99
    assert hits / len(found) >= 0.99

    rates = await heart_rates(server, "P1", at_least=1780)
    # The recording was laid into the past, so that it ended when the replay did: 1805.556 s.
    ended = datetime.now(UTC).timestamp()
    assert before - 1806 < began < rates[0][0] < ended
    compared = [(round(at - began), value) for at, value in rates]
    assert [later - earlier for (earlier, _), (later, _) in itertools.pairwise(compared)].count(1) >= 1779
    wrong = 0
    for second, value in compared:
        if second > SETTLED_SECONDS:
            wrong += abs(value - expected_rate(beats, second)) > 2
    assert wrong <= 0.01 * len(compared)


async def test_a_false_asystole_alarm_raises_none(server: RunningServer, recordings: Path) -> None:
    """At full speed what is found is old to the rules, so that the analysis itself is listened to."""
    notes: EcgListener = Notes()
    server.services.get(EcgMonitor).tell(notes)

    await replay(server, recordings / "wfdb" / "a103l", "P1")
    await heart_rates(server, "P1", at_least=200)

    assert isinstance(notes, Notes)
    assert ("P1", True) not in notes.asystoles
    page = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "admin")).json()
    assert [alert["condition"] for alert in page["alerts"] if alert["condition"] == "asystole"] == []
