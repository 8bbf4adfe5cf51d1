"""The bytes that the description of the protocol shows are what it says they are."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from app.modules.vitals.decoding import decode_json, decode_msgpack
from app.modules.vitals.frames import Reading, Waveform
from app.modules.vitals.samples import Counts
from tests.docs.pages import DOCS, blocks
from tests.servers import ROOT

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
