"""What the tests of limits do again and again, on a running server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx

from app.core.clock import Clock
from tests.servers import RunningServer

LIMITS = "/api/v1/patients/P1/limits"
WARD = "/api/v1/units/ward-2/limits"


def now(server: RunningServer) -> datetime:
    return server.services.get(Clock).now()


def one(condition: str, tier: str, limit: float) -> dict[str, Any]:
    return {"condition": condition, "tier": tier, "limit": limit}


async def put(
    server: RunningServer, who: str | None, *limits: dict[str, Any], path: str = LIMITS, **more: Any
) -> httpx.Response:
    """Ask that exactly these limits hold from now on."""
    body = {"limits": list(limits), "reason": "seen at the bedside", **more}
    return await server.call("PUT", path, who, body)


async def limits_at(server: RunningServer, path: str = LIMITS, who: str = "nurse") -> dict[tuple[str, str], Any]:
    """The limits in force, each with the layer that it comes from."""
    document = (await server.call("GET", path, who)).json()
    return {(it["condition"], it["tier"]): (it["limit"], it["source"]) for it in document["limits"]}


async def move(server: RunningServer, unit: str | None, patient_id: str = "P1") -> None:
    moved = await server.call("PATCH", f"/api/v1/patients/{patient_id}", "admin", {"unit": unit})
    assert moved.status_code == 200, moved.text


async def send(
    server: RunningServer, sign: str, values: Iterable[float], *, first_at: datetime, every: timedelta
) -> None:
    """Readings of P1 in even distances."""
    readings = [
        {"type": sign, "value": value, "timestamp": (first_at + number * every).isoformat()}
        for number, value in enumerate(values)
    ]
    sent = await server.call("POST", "/api/v1/vitals/bulk", "device", {"patientId": "P1", "readings": readings})
    assert (sent.status_code, sent.json()["accepted"]) == (201, len(readings)), sent.text


class Monitor:
    """Sends readings of one sign that are all of the last minutes, a second apart."""

    def __init__(self, server: RunningServer, sign: str = "spo2") -> None:
        self._server = server
        self._sign = sign
        self._next = now(server) - timedelta(seconds=100)

    async def send(self, value: float, count: int = 1) -> None:
        second = timedelta(seconds=1)
        await send(self._server, self._sign, [value] * count, first_at=self._next, every=second)
        self._next += count * second


async def open_alerts(server: RunningServer) -> list[tuple[str, dict[str, float]]]:
    """The condition and the threshold of every open alert of P1, oldest first."""
    page = (await server.call("GET", "/api/v1/alerts?patient_id=P1&state=open", "admin")).json()["alerts"]
    return [(alert["condition"], alert["threshold"]) for alert in reversed(page)]
