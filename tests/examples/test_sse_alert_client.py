"""The example client, against a server that breaks off, lies, falls silent and refuses."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.sse_alert_client import (
    LONGEST_WAIT_SECONDS,
    Alert,
    AlertClient,
    Backoff,
    Cursor,
    Refused,
    describe,
    format_alert,
    main,
    printable,
    wants_colour,
)
from tests.examples.hostile_server import (
    ALERT,
    HostileServer,
    alert_block,
    answer,
    opened,
    ready,
    serving,
    silent_after,
    stream,
)

pytestmark = pytest.mark.anyio


@dataclass
class Run:
    """One run of the client: what it showed, said, and how long it stayed away each time."""

    shown: list[Alert] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def against(self, server: HostileServer, **options: Any) -> None:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            client = AlertClient(
                http,
                "/api/v1/alerts/stream",
                {"role": "nurse", "patient_id": "bed-3"},
                show=self.shown.append,
                say=self.said.append,
                sleep=self.wait,
                **options,
            )
            async with asyncio.timeout(20):
                await client.run()

    @property
    def ids(self) -> list[str]:
        return [alert["alertId"] for alert in self.shown]


async def test_a_broken_stream_is_continued_after_the_last_event_that_was_dealt_with() -> None:
    first = stream(opened(), ready("e-1"), alert_block("e-2"), alert_block("e-3", alertId="a2")[:-9])
    second = stream(opened(recovered=True), alert_block("e-3", alertId="a2"))
    run = Run()
    async with serving(first, second) as server:
        await run.against(server, exit_after=2)
    assert [request.headers.get("last-event-id") for request in server.streams] == [None, "e-2"]
    assert run.ids == ["a1", "a2"]


async def test_a_keepalive_moves_the_cursor_though_it_has_no_data() -> None:
    first = stream(opened(), ready("e-1"), "id: e-7\n: keepalive\n\n")
    run = Run()
    async with serving(first, stream(alert_block("e-8"))) as server:
        await run.against(server, exit_after=1)
    assert server.streams[1].headers["last-event-id"] == "e-7"


async def test_a_snapshot_that_is_cut_off_is_asked_for_again_as_a_whole() -> None:
    first = stream(opened(), alert_block(None), alert_block(None, alertId="a2"))
    second = stream(opened(), alert_block(None), alert_block(None, alertId="a2"), ready("e-5"), alert_block("e-6"))
    run = Run()
    async with serving(first, second) as server:
        await run.against(server, exit_after=5)
    assert [request.headers.get("last-event-id") for request in server.streams] == [None, None]


async def test_silence_is_a_lost_connection() -> None:
    run = Run()
    async with serving(silent_after(opened(), ready("e-1")), stream(alert_block("e-2"))) as server:
        await run.against(server, exit_after=1, silence_seconds=0.2)
    assert any("nothing heard for 0.2 s" in line for line in run.said)
    assert server.streams[1].headers["last-event-id"] == "e-1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_a_refusal_stops_the_client_with_what_the_server_said(status: int) -> None:
    run = Run()
    async with serving(answer(status)) as server:
        with pytest.raises(Refused, match=f"{status} some_code: detail of {status}"):
            await run.against(server)
    assert len(server.streams) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_server_in_trouble_is_tried_again(status: int) -> None:
    run = Run()
    async with serving(answer(status), answer(status), stream(alert_block("e-1"))) as server:
        await run.against(server, exit_after=1)
    assert len(run.waits) == 2


async def test_a_page_that_is_no_event_stream_is_tried_again() -> None:
    async def login_page(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>")

    run = Run()
    async with serving(login_page, stream(alert_block("e-1"))) as server:
        await run.against(server, exit_after=1)
    assert run.ids == ["a1"]


async def test_the_client_stays_away_as_long_as_the_server_asked_for() -> None:
    closing = 'event: stream.closing\nretry: 7000\ndata: {"reason": "draining", "retryMs": 7000}\n\n'
    run = Run()
    async with serving(stream(opened(), ready("e-1"), closing), stream(alert_block("e-2"))) as server:
        await run.against(server, exit_after=1)
    assert run.waits[0] >= 7
    assert any("draining" in line for line in run.said)


async def test_a_replaced_client_does_not_push_its_successor_out() -> None:
    run = Run()
    async with serving(stream(opened(), 'event: stream.closing\ndata: {"reason": "replaced"}\n\n')) as server:
        with pytest.raises(Refused, match="taken the place"):
            await run.against(server)
    assert len(server.streams) == 1


async def test_what_a_newer_server_adds_is_ignored() -> None:
    odd = 'event: stream.weather\ndata: {}\n\ndata: no json\n\ndata: [1]\n\ndata: {"event": "other"}\n\n'
    run = Run()
    async with serving(stream(opened(), odd, alert_block("e-1", event="alert_blessed", novel=1))) as server:
        await run.against(server, exit_after=1)
    assert run.ids == ["a1"]


async def test_each_active_alert_is_acknowledged_and_others_are_not() -> None:
    blocks = (
        alert_block("e-1"),
        alert_block("e-2", alertId="a/2", state="acknowledged"),
        alert_block("e-3", alertId="a3"),
    )
    run = Run()
    async with serving(stream(opened(), *blocks)) as server:
        await run.against(server, exit_after=3, acknowledgement={"status": "confirmed", "note": "on my way"})
    assert [request.target for request in server.acknowledged] == [
        "/api/v1/alerts/alerts/a1/acknowledge?patient_id=bed-3",
        "/api/v1/alerts/alerts/a3/acknowledge?patient_id=bed-3",
    ]
    assert json.loads(server.acknowledged[0].body) == {"status": "confirmed", "note": "on my way"}


async def test_an_acknowledgement_that_did_not_get_through_is_sent_again() -> None:
    run = Run()
    blocks = opened(), ready("e-1"), alert_block("e-2")
    async with serving(stream(*blocks), acknowledgements=[503, 200]) as server:
        await run.against(server, exit_after=2, acknowledgement={})
    assert len(server.acknowledged) == 2
    assert server.streams[1].headers["last-event-id"] == "e-1"


async def test_an_alert_that_somebody_else_has_acknowledged_is_no_trouble() -> None:
    run = Run()
    blocks = opened(), alert_block("e-1"), alert_block("e-2", alertId="a2")
    async with serving(stream(*blocks), acknowledgements=[409, 200]) as server:
        await run.against(server, exit_after=2, acknowledgement={})
    assert len(server.streams) == 1
    assert any("detail of 409" in line for line in run.said)


async def test_a_restarted_client_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "cursor"
    async with serving(stream(opened(), alert_block("e-5"), alert_block("e-6"))) as server:
        await Run().against(server, exit_after=2, cursor=Cursor(kept))
        await Run().against(server, exit_after=1, cursor=Cursor(kept))
    assert server.streams[1].headers["last-event-id"] == "e-6"
    assert [file.name for file in tmp_path.iterdir()] == ["cursor"]


def test_a_cursor_file_with_rubbish_in_it_is_started_anew(tmp_path: Path) -> None:
    kept = tmp_path / "cursor"
    kept.write_bytes(b"e-1\r\nAuthorization: x\xff")
    assert Cursor(kept).value == ""


def test_an_empty_id_does_not_move_the_cursor() -> None:
    cursor = Cursor(value="e-1")
    cursor.advance("")
    assert cursor.value == "e-1"


@given(failures=st.integers(0, 10_000), draw=st.floats(0, 1), retry=st.integers(-1000, 10**12))
def test_the_wait_is_never_shorter_than_asked_and_never_long(failures: int, draw: float, retry: int) -> None:
    backoff = Backoff(failures=failures, draw=lambda: draw)
    backoff.server_asked(retry)
    wait = backoff.wait_seconds()
    assert min(max(retry / 1000, 0), LONGEST_WAIT_SECONDS) <= wait <= 2 * LONGEST_WAIT_SECONDS


def test_each_failure_widens_the_jitter_and_none_narrows_the_pause() -> None:
    backoff = Backoff(retry_seconds=2, draw=lambda: 1.0)
    assert [backoff.wait_seconds() for _ in range(7)] == [3, 4, 6, 10, 18, 32, 32]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "SpO2 79 < 80 %"),
        (
            {"vitalType": "heart_rate", "vitalsWindow": [192], "threshold": {"max": 180}, "unit": "/min"},
            "HR 192 > 180 /min",
        ),
        ({"vitalType": "weight", "vitalsWindow": [1.5], "threshold": {"min": 2}, "unit": None}, "weight 1.5 < 2"),
        ({"threshold": None}, "SpO2 below 80"),
        ({"vitalsWindow": [None]}, "SpO2 below 80"),
        ({"vitalsWindow": None, "threshold": None, "reasons": []}, "SpO2"),
    ],
)
def test_an_alert_says_what_and_against_which_limit(fields: dict[str, Any], text: str) -> None:
    assert describe(dict(ALERT, **fields)) == text


@pytest.mark.parametrize(
    ("fields", "symbol"),
    [
        ({}, " *** "),
        ({"priority": "medium"}, " **  "),
        ({"priority": "low"}, " *   "),
        ({"kind": "technical"}, " !!! "),
        ({"priority": "unheard of"}, " *   "),
    ],
)
def test_the_priority_can_be_told_without_colour(fields: dict[str, Any], symbol: str) -> None:
    line = format_alert(dict(ALERT, **fields), colour=False)
    assert symbol in line
    assert "\x1b" not in line


def test_a_note_cannot_steer_the_terminal() -> None:
    fields = {"event": "alert_acknowledged", "acknowledgedBy": "nurse", "note": "\x1b[2Jgone\r\n\u202e"}
    line = format_alert(dict(ALERT, **fields), colour=False)
    assert line.isprintable()
    assert "?[2Jgone???" in line
    assert printable("ward “3”") == "ward “3”"


def test_colour_is_for_terminals_whose_owner_wants_it() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert wants_colour(Terminal(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(io.StringIO(), {})


@pytest.mark.parametrize(
    "arguments",
    [
        ["--role", "nurse", "--patient-id", "1"],
        ["--token", "x"],
        ["--token", "x\ny", "--caregiver"],
        ["--token", "x", "--role", "nurse", "--url", "127.0.0.1:8000"],
    ],
)
def test_wrong_arguments_are_said_before_anything_is_tried(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TOCSIN_TOKEN", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err
