"""What the demo hears arrives once and in order, whatever happens to the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from app.commands.demo.feeds import AlertFeed
from tests.examples.hostile_server import Script, alert_block, answer, opened, ready, serving, silent_after, stream

pytestmark = pytest.mark.anyio


@dataclass
class Heard:
    """Keeps what it is told, and ends the test's wait when an alert with the awaited id is among it."""

    awaited: str = "last"
    told: list[str] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def opened(self, *, recovered: bool) -> None:
        self.told.append("recovered" if recovered else "opened")

    def ready(self, now: datetime) -> None:
        self.told.append("ready")

    def lost(self, why: str, now: datetime) -> None:
        self.told.append(f"lost: {why}")

    def heed(self, text: str, now: datetime) -> None:
        self.told.append(text)

    def alert(self, event: Mapping[str, Any]) -> None:
        self.told.append(event["alertId"])
        if event["alertId"] == self.awaited:
            self.complete.set()

    def vital(self, frame: Mapping[str, Any]) -> None:
        raise AssertionError("alerts are no numerics")


async def token() -> str:
    return "t"


async def hear(*scripts: Script) -> tuple[list[str], list[dict[str, str]]]:
    """Follow these streams until the alert `last`; what was told, and the headers of each request."""
    heard = Heard()
    async with serving(*scripts) as server:
        following = asyncio.ensure_future(AlertFeed(server.url, token, heard).follow())
        try:
            async with asyncio.timeout(20):
                await heard.complete.wait()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    return heard.told, [request.headers for request in server.streams]


LAST = silent_after(opened(recovered=True), alert_block("e-9", alertId="last"))


async def test_a_stream_is_followed_signed_in_and_for_everybody() -> None:
    told, (headers,) = await hear(silent_after(opened(), ready("e-1"), alert_block("e-9", alertId="last")))
    assert told == ["opened", "ready", "last"]
    assert headers["authorization"] == "Bearer t"
    assert "last-event-id" not in headers


async def test_a_broken_stream_goes_on_after_the_last_keepalive() -> None:
    told, headers = await hear(stream(opened(), ready("e-1"), alert_block("e-2"), "id: e-5\n: keepalive\n\n"), LAST)
    assert (told[:3], told[4:]) == (["opened", "ready", "a1"], ["recovered", "last"])
    assert told[3].startswith("lost: ")
    assert headers[1]["last-event-id"] == "e-5"


async def test_a_refusal_is_said_and_tried_again_with_a_new_token() -> None:
    told, headers = await hear(answer(401), LAST)
    assert told[0].startswith("lost: the server refused (401): ")
    assert len(headers) == 2


async def test_the_reason_of_a_closed_stream_is_told() -> None:
    closing = 'event: stream.closing\ndata: {"reason": "draining", "retryMs": 10}\n\n'
    told, _ = await hear(stream(opened(), ready("e-1"), closing), LAST)
    assert told[2] == "lost: the server closed the stream: draining"
