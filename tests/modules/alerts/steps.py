"""What the tests of alerts do again and again, on a running server."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.core.metrics import Metrics
from app.core.roles import CARE_ROLES, Role
from tests.servers import RunningServer

STREAM = "/api/v1/alerts/stream"
CAREGIVER_STREAM = "/api/v1/caregivers/alerts/stream"
CARE = sorted(CARE_ROLES)

#: Runs a test on a ward that writes straight to its connections, and on one that writes the plain ASGI way.
both_ways = pytest.mark.parametrize("ward", [True, False], ids=["direct", "asgi"], indirect=True)

#: The same for a test that starts its own server.
directly_or_not = pytest.mark.parametrize("direct", [True, False], ids=["direct", "asgi"])


async def nurse_and_admin(server: RunningServer) -> None:
    await server.user("admin", Role.ADMIN)
    await server.user("nurse", Role.NURSE)
    await server.patient("P1", "nurse")


async def acknowledge(server: RunningServer, alert_id: str, who: str, body: object = None) -> httpx.Response:
    return await server.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge?patient_id=P1", who, body)


def alert_socket(server: RunningServer, who: str, **params: str) -> connect:
    return connect(server.socket_address("/api/v1/alerts/ws", **params), additional_headers=server.bearer(who))


async def socket_refusal(server: RunningServer, who: str | None, **params: str) -> int:
    """The status with which the legacy WebSocket refuses a caller."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.socket_address("/api/v1/alerts/ws", **params), additional_headers=server.bearer(who))
    return refused.value.response.status_code


def metric(server: RunningServer, line: str) -> float:
    """The value of one line of /metrics."""
    for text in server.services.get(Metrics).render().decode().splitlines():
        if text.startswith(line + " "):
            return float(text.rsplit(" ", 1)[1])
    return 0.0


def quick_rules(folder: Path, *after_seconds: float) -> Path:
    """The rules of a ward where moderate alerts escalate to the doctor and then to the dispatcher, quickly."""
    steps = [
        {"afterSeconds": seconds, "recipients": [role]}
        for seconds, role in zip(after_seconds, ("doctor", "dispatcher"), strict=True)
    ]
    tiers = {tier: {"recipients": ["nurse"], "escalation": steps} for tier in ("slight", "moderate", "critical")}
    path = folder / "rules.json"
    path.write_text(json.dumps({"tiers": tiers, "conditions": []}))
    return path
