"""The alert WebSocket that clients are to leave: the same events, and acknowledgements the other way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.modules.alerts.steps import (
    acknowledge,
    alert_socket,
    both_ways,
    nurse_and_admin,
)
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio


@both_ways
async def test_the_legacy_socket_acknowledges_and_is_told_of_mistakes(ward: RunningServer) -> None:
    alert_id = (await ward.raise_alert("c", recipients=["nurse", "doctor"])).json()["alertId"]
    ack = {"event": "ack", "alertId": alert_id, "patientId": "P1", "note": "on my way"}
    async with alert_socket(ward, "nurse", role="nurse", patient_id="P1", replay="none") as socket:
        for wrong, code, named in (
            ("{", "validation_error", "Invalid JSON"),
            (json.dumps(ack | {"status": "later"}), "validation_error", "status"),
            (json.dumps(ack | {"alertId": "no such id"}), "validation_error", "alertId"),
            (json.dumps(ack | {"alertId": "other"}), "unknown_alert", "other"),
            (json.dumps(ack | {"patientId": "P2"}), "not_on_care_team", "care team"),
            (b"\x00", "validation_error", "text frame"),
        ):
            await socket.send(wrong)
            error = json.loads(await socket.recv())
            assert (error["event"], error["code"]) == ("error", code)
            assert named in error["detail"]
        await socket.send(json.dumps(ack))
        told = json.loads(await socket.recv())
        assert (told["event"], told["acknowledgedBy"], told["note"]) == ("alert_acknowledged", "nurse", "on my way")
        await socket.send(json.dumps(ack))
        repeated = json.loads(await socket.recv())
        assert (repeated["event"], repeated["acknowledgedAt"]) == ("alert_acknowledged", told["acknowledgedAt"])
        assert code_of(await acknowledge(ward, alert_id, "doctor")) == (409, "already_acknowledged")


@both_ways
async def test_the_legacy_socket_gets_each_open_alert_in_a_message_of_its_own(ward: RunningServer) -> None:
    """Fails the plain ASGI way when messages that are written together are sent as one (checked so)."""
    raised = [(await ward.raise_alert(f"c{number}")).json()["alertId"] for number in range(3)]
    async with alert_socket(ward, "nurse", role="nurse", patient_id="P1") as socket:
        assert [json.loads(await socket.recv())["alertId"] for _ in raised] == raised


@both_ways
async def test_a_socket_that_gets_nothing_right_is_closed(ward: RunningServer) -> None:
    async with alert_socket(ward, "nurse", role="nurse", patient_id="P1") as socket:
        for _ in range(10):
            await socket.send("nonsense")
        await socket.wait_closed()
    assert socket.close_code == 1008


async def test_the_legacy_socket_takes_its_token_in_the_address_or_as_a_subprotocol(ward: RunningServer) -> None:
    address = ward.socket_address("/api/v1/alerts/ws", role="nurse", patient_id="P1", token=ward.tokens["nurse"])
    async with connect(address):
        pass
    bare = ward.socket_address("/api/v1/alerts/ws", role="nurse", patient_id="P1")
    async with connect(bare, subprotocols=["bearer", ward.tokens["nurse"]]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "bearer"


async def test_a_cookie_opens_a_socket_only_from_an_allowed_origin(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed_origins=("https://ward.example.org",)) as server:
        await nurse_and_admin(server)
        address = server.socket_address("/api/v1/alerts/ws", role="nurse", patient_id="P1")
        cookie = {"Cookie": f"access_token={server.tokens['nurse']}"}
        for origin in ("https://ward.example.org", server.url):
            async with connect(address, additional_headers=cookie, origin=origin):  # type: ignore[arg-type]
                pass
        for foreign in ("https://evil.example.org", "null", None):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address, additional_headers=cookie, origin=foreign)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403
            assert json.loads(refused.value.response.body)["code"] == "origin_not_allowed"
