"""Real recordings through a real server: the alerts that arrive are those that a naive count expects.

The expectation is computed here from the recording and the numbers of the shipped rules alone, by
looking back over the whole list at every sample, with none of the code that the server uses.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.commands.playback import play
from app.commands.recordings import read_recording
from app.core.roles import Role
from tests.conftest import ROOT
from tests.servers import RunningServer, serving

pytestmark = pytest.mark.anyio

COLUMNS = {"HR": "heart_rate", "PULSE": "pulse", "RESP": "respiratory_rate", "SpO2": "spo2"}
RULES = json.loads((ROOT / "app/modules/alerts/rules/default.json").read_text())["conditions"]

#: More than the 15 connections that the database has.
AT_ONCE = 20

Told = tuple[str, str, str, tuple[float, ...]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    # Most patients are well for minutes: the stream is not to be taken for dead on a slow machine.
    async with serving(tmp_path, keepalive_seconds=5) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("device", Role.DEVICE)
        yield server


async def test_forty_recordings_raise_the_alerts_that_a_naive_count_expects(
    server: RunningServer, recordings: Path
) -> None:
    """More patients at once than the database has connections: whoever holds one must not wait for another.

    Checked by priming the rules inside the session that reads the last readings: the senders then wait
    for each other until the pool gives up.
    """
    files = {path.name.removesuffix("_Numerics.csv"): path for path in (recordings / "bidmc").glob("*_Numerics.csv")}
    expected = {patient: expected_events(path) for patient, path in files.items()}
    assert ("alert", "spo2_low", "moderate") in {told[:3] for told in expected["bidmc_49"]}
    for patient in files:
        await server.patient(patient, "device")
    async with server.stream("admin", "admin", "*") as stream:
        await stream.control("stream.ready")
        beds = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(_replay(server, patient, path, beds) for patient, path in files.items()))
        # An alert of our own is last in the log: when it is here, everything before it is, too.
        await server.raise_alert("the-end", patient_id="bidmc_01")
        await stream.alert("alert", condition="the-end")
        told = {patient: [_told(e) for e in stream.alerts[:-1] if e["patientId"] == patient] for patient in files}
    assert told == expected
    assert stream.seqs == list(range(1, len(stream.alerts) + 1))
    for patient, path in files.items():
        stored = await server.call("GET", f"/api/v1/vitals/history?patient_id={patient}&limit=5000", "admin")
        assert len(stored.json()["readings"]) == sum(len(values) for values in _columns(path).values())


async def _replay(server: RunningServer, patient: str, recording: Path, beds: asyncio.Semaphore) -> None:
    rows = list(read_recording(recording))
    async with beds:
        await play(rows, patient=patient, url=server.url, token=server.tokens["device"], speed=math.inf)


def expected_events(recording: Path) -> list[Told]:
    """What the shipped rules make of a recording: (event, condition, tier, window), in the order of the samples."""
    events: list[tuple[int, int, Told]] = []
    for place, (vital_type, samples) in enumerate(_columns(recording).items()):
        for rule in RULES:
            if rule["vitalType"] == vital_type:
                events += [(row, place, told) for row, told in _events_of(rule, samples)]
    return [told for _, _, told in sorted(events)]


def _events_of(rule: dict[str, Any], samples: list[tuple[int, float]]) -> list[tuple[int, Told]]:
    tiers = ["slight", "moderate", "critical"]
    side = "above" if "above" in rule["levels"][0]["when"] else "below"
    sign = 1 if side == "above" else -1
    clear_samples = rule["clear"].get("samples", 1)
    events: list[tuple[int, Told]] = []
    open_tier: str | None = None
    is_present = False
    counted_from = 0
    shown: tuple[float, ...] = ()
    # At full speed a whole recording is sent within the minute in which violations are counted.
    violations = [0] * len(rule["levels"])
    for index in range(len(samples)):
        row, values = samples[index][0], [value for _, value in samples[max(counted_from, index - 60) : index + 1]]
        reached: list[tuple[str, tuple[float, ...]]] = []
        for number, level in enumerate(rule["levels"]):
            asked, limit = level.get("samples", 1), level["when"][side]
            violates = sign * (values[-1] - limit) > 0
            violations[number] += violates and (index == counted_from or sign * (values[-2] - limit) <= 0)
            last = values[-asked:]
            is_long = len(last) == asked and all(sign * (value - limit) > 0 for value in last)
            is_again = "repeated" in level and violates and violations[number] >= level["repeated"]["times"]
            if is_long or is_again:
                reached.append((level["tier"], tuple(last)))
        normal = values[-clear_samples:]
        is_normal = len(normal) == clear_samples and not any(
            sign * (value - level["when"][side]) > -rule["clear"]["hysteresis"]
            for value in normal
            for level in rule["levels"]
        )
        if reached:
            tier, window = max(reached, key=lambda found: tiers.index(found[0]))
            is_worse = open_tier is not None and tiers.index(tier) > tiers.index(open_tier)
            if open_tier is None:
                events.append((row, ("alert", rule["name"], tier, window)))
            elif is_worse or not is_present:
                events.append((row, ("alert_updated", rule["name"], tier, window)))
            else:
                continue
            open_tier, is_present, shown = tier, True, window
        elif is_normal and open_tier is not None and is_present:
            if open_tier == "critical":
                events.append((row, ("alert_updated", rule["name"], open_tier, shown)))
                is_present = False
            else:
                events.append((row, ("alert_resolved", rule["name"], open_tier, shown)))
                open_tier, is_present, counted_from = None, False, index + 1
                violations = [0] * len(violations)
    return events


def _columns(recording: Path) -> dict[str, list[tuple[int, float]]]:
    """Each vital sign as (row, value), without the samples that are missing."""
    with recording.open() as file:
        header, *rows = list(csv.reader(file))
    columns: dict[str, list[tuple[int, float]]] = {}
    for name, cells in zip(header, zip(*rows, strict=True), strict=True):
        if name.strip() in COLUMNS:
            columns[COLUMNS[name.strip()]] = [
                (row, float(cell)) for row, cell in enumerate(cells) if cell.strip() not in {"", "NaN"}
            ]
    return columns


def _told(event: dict[str, Any]) -> Told:
    return event["event"], event["condition"], event["tier"], tuple(event["vitalsWindow"])
