"""The bytes that the description of the protocol shows are what it says they are."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from app.core.roles import Role
from app.modules.vitals.decoding import decode_json, decode_msgpack
from app.modules.vitals.frames import Reading, Waveform
from app.modules.vitals.samples import Counts
from tests.docs.pages import DOCS, blocks
from tests.servers import ROOT, serving

PAGE = DOCS / "vitals-protocol.md"
TEXT = PAGE.read_text()
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)


def unhexed(block: str) -> bytes:
    return bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))


NUMERIC, TWO_LEADS = map(unhexed, blocks(PAGE, "hex"))


def test_the_numeric_is_the_one_that_is_written_as_json_above_it() -> None:
    assert decode_msgpack(NUMERIC) == Reading("spo2", 97, "%", MOMENT)
    assert decode_json(blocks(PAGE, "json")[0]) == decode_msgpack(NUMERIC)
    assert f"The same in {len(NUMERIC)} bytes, for which JSON takes {len(blocks(PAGE, 'json')[0].strip())}:" in TEXT


def test_the_two_leads_are_those_that_are_written_as_json_below_them() -> None:
    waveform, as_text = decode_msgpack(TWO_LEADS), decode_json(blocks(PAGE, "json")[1])
    assert isinstance(waveform, Waveform)
    assert isinstance(as_text, Waveform)
    assert isinstance(waveform.samples, Counts)
    assert (waveform.leads, waveform.seq, waveform.started_at) == (("II", "V5"), 41, MOMENT)
    assert [list(waveform.samples.integers(index)) for index in range(2)] == [[0, 570, -120], [10, 400, -90]]
    for index in range(2):
        assert waveform.samples.rounded(index) == as_text.samples.values(index)
    assert (as_text.leads, as_text.seq, as_text.started_at) == (waveform.leads, waveform.seq, waveform.started_at)


@pytest.mark.parametrize("page", [PAGE, DOCS / "vitals.md"], ids=lambda page: page.name)
def test_what_a_device_sends_on_the_pages_can_be_used(page: Path) -> None:
    shown = [*blocks(page, "json"), *re.findall(r"^`(\{\"event\".*?\})` asks", page.read_text("utf-8"), re.MULTILINE)]
    sent = [
        text for text in shown if json.loads(text).keys() & {"type", "event"} and not is_an_answer(json.loads(text))
    ]
    assert len(sent) >= 3
    for text in sent:
        decode_json(text)


def is_an_answer(message: dict[str, object]) -> bool:
    return "patientId" in message or message.get("event") in {"flushed", "skipped"}


@pytest.mark.anyio
async def test_every_frame_of_the_device_on_the_page_is_taken(tmp_path: Path) -> None:
    (tmp_path / "device.py").write_text(blocks(PAGE, "python")[0])
    async with serving(tmp_path / "data") as server:
        await server.user("monitor", Role.DEVICE)
        await server.user("nurse", Role.NURSE)
        await server.patient("bed-3", "nurse", "monitor")
        own = {"TOCSIN_URL": server.url.replace("http", "ws"), "TOCSIN_TOKEN": server.tokens["monitor"]}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "device.py", cwd=tmp_path, env=os.environ | own, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        latest = (await server.call("GET", "/api/v1/vitals/latest?patient_id=bed-3", "nurse")).json()

    assert printed.decode() == (
        "{'event': 'flushed', 'id': None, 'frames': 41, 'errors': 0, 'missing': 0, 'reordered': 0}\n"
    )
    assert [(it["type"], it["value"]) for it in latest["readings"]] == [("spo2", 97)]


@pytest.mark.parametrize("block", blocks(PAGE, "hex"))
def test_each_line_of_bytes_says_what_is_in_it(block: str) -> None:
    fields = msgspec.msgpack.decode(unhexed(block))
    named = {match[1]: match[2] for match in re.finditer(r'# "(\w+)": (.+)$', block, re.MULTILINE)}
    for name, said in named.items():
        if name not in {"samples", "timestamp"}:
            assert json.loads(said) == fields[name]
    assert named.keys() | {"timestamp"} == fields.keys()


def test_every_code_that_a_device_can_be_told_is_described() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "app" / "modules" / "vitals").glob("*.py"))
    codes = set(re.findall(r'(?:FrameError|super\(\).__init__)\(\s*"(\w+)"', sources))
    table = TEXT[TEXT.index("| code | the frame |") : TEXT.index("Whatever a frame says")]
    described = set(re.findall(r"`(\w+)`", table))
    assert codes
    assert codes <= described
    assert {code for code in described if "_" in code} <= codes
