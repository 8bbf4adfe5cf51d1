"""Every `bash` block of the pages with a command of ours is run here as it stands there, against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.core.config import Settings
from app.core.roles import Role
from tests.docs.pages import DOCS, README, blocks
from tests.modules.vitals.bedside import MOBILE, Bed, socket
from tests.servers import PATIENCE_SECONDS, ROOT, RunningServer, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: no command of the pages is run"),
]

EXAMPLES = ROOT / "examples" / "rules"

#: What only a reader does: setting up, and what runs until Ctrl-C.
_NOT_RUN = ("make ", "tocsin serve", "tocsin demo", "examples/")

#: A stream never ends, so that each is followed for a moment; curl says 28 when the time is up.
_PREAMBLE = """
set -euo pipefail
curl() { command curl --silent --show-error --fail-with-body --max-time 1 "$@" || [ $? = 28 ]; }
tocsin() { "$PYTHON" -m app.cli "$@"; }
"""


async def run_blocks(page: Path, server: RunningServer, folder: Path) -> str:
    """What the bash blocks of a page print that are about a running server, run in their order in one shell."""
    commands = [text for text in blocks(page, "bash") if not any(word in text for word in _NOT_RUN)]
    script = _PREAMBLE + "\n".join(commands).replace("http://127.0.0.1:8000", server.url)
    data_dir = server.services.get(Settings).data_dir
    own = {"TOCSIN_DATA_DIR": str(data_dir), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=os.environ | own,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaints = await process.communicate()
    assert process.returncode == 0, printed.decode() + complaints.decode()
    return printed.decode()


def events_of(output: str) -> Iterator[dict[str, object]]:
    for line in output.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


async def test_the_commands_of_the_readme_lead_from_an_empty_database_to_an_acknowledged_alert(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        output = await run_blocks(README, server, tmp_path)
    assert [(event["event"], event["state"]) for event in events_of(output) if "event" in event] == [
        ("alert", "active"),
        ("alert_acknowledged", "acknowledged"),
    ]
    assert '"message":"Alert acknowledged successfully"' in output


async def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.patient("bed-3", "nurse", "monitor")
        output = await run_blocks(DOCS / "alerts-sse-migration.md", server, tmp_path)
    assert [event["recovered"] for event in events_of(output) if "recovered" in event] == [False, False, True]
    for answer in (
        "Alert acknowledged successfully",
        "Alert resolved successfully",
        "tocsin_streams_open{",
        "escalation",
    ):
        assert answer in output


async def test_the_commands_of_the_page_on_vital_signs_do_what_it_says(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.patient("bed-3", "nurse", "monitor")
        output = await run_blocks(DOCS / "vitals.md", server, tmp_path)
    assert output.startswith('{"accepted":1,"duplicates":0}{"accepted":1,"duplicates":1}{"patientId":"bed-3"')
    assert '"nextCursor":null' in output
    assert '"truncated":false' in output


async def test_the_command_of_the_page_on_strips_fetches_a_sheet_of_ecg_paper(tmp_path: Path) -> None:
    bed = Bed()
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.patient("bed-3", "nurse", "monitor")
        async with socket(server, MOBILE, "monitor", patient_id="bed-3") as monitor:
            await monitor.send(bed.ecg(*[0.1] * 250, seconds=-1))
            await monitor.send({"type": "spo2", "value": 70, "unit": "%", "timestamp": bed.time()})
            await monitor.flush()
        (alert,) = (await server.call("GET", "/api/v1/alerts?patient_id=bed-3", "nurse")).json()["alerts"]
        await until_answered(server, f"/api/v1/alerts/{alert['alertId']}/strip")
        await run_blocks(DOCS / "strips.md", server, tmp_path)
    assert ElementTree.parse(tmp_path / "strip.svg").getroot().get("width") == "410mm"


async def until_answered(server: RunningServer, path: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await server.call("GET", path, "nurse")).status_code != 200:
            pass


async def test_the_commands_of_the_page_on_rules_set_limits_and_count_alarms(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "it_Numerics.csv").write_text("Time [s],SpO2\n0,95\n60,79\n")
    shutil.copy(EXAMPLES / "ward.json", tmp_path / "ward.json")
    shutil.copy(EXAMPLES / "bare-limits.json", tmp_path / "old-ward.json")
    async with serving(tmp_path / "data") as server:
        await server.user("nurse", Role.NURSE)
        await server.user("admin", Role.ADMIN)
        await server.patient("bed-3", "nurse")
        output = await run_blocks(DOCS / "alert-rules.md", server, tmp_path)
        found = (await server.call("GET", "/api/v1/patients/bed-3/limits", "nurse")).json()
    assert {(it["condition"], it["limit"], it["source"]) for it in found["limits"] if it["source"] != "rules"} == {
        ("heart_rate_high", 130, "unit"),
        ("spo2_low", 86, "patient"),
    }
    assert found["spo2Scale"] == 2
    assert "old-ward.json: 1 alarm" in output
    assert "ward.json,it,spo2_low,critical,60,60,0," in (tmp_path / "alarms.csv").read_text()
    assert (tmp_path / "load.svg").read_text().startswith("<svg ")
