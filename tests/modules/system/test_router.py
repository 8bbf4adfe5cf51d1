"""What an operator is told of a node and of the whole installation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from app import __version__
from app.core.config import Settings
from app.core.db import Database
from app.core.roles import Role
from tests.modules.alerts.steps import CAREGIVER_STREAM, acknowledge, alert_socket
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, socket
from tests.modules.ward import SetClock
from tests.servers import PATIENCE_SECONDS, RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

SYSTEM = "/api/v1/system"
NO_STREAMS = {"total": 0, "byRole": {}}
NO_ALERTS = [{"tier": tier, "open": 0, "unacknowledged": 0} for tier in ("critical", "moderate", "slight")]


async def furnish(server: RunningServer) -> None:
    for name, role in (("admin", Role.ADMIN), ("nurse", Role.NURSE), ("doctor", Role.DOCTOR), ("monitor", Role.DEVICE)):
        await server.user(name, role)
    await server.patient("P1", "nurse", "doctor", "monitor")


async def told(server: RunningServer) -> dict[str, Any]:
    answer = await server.call("GET", SYSTEM, "admin")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until_told(server: RunningServer, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not is_so(found := await told(server)):
            await anyio.sleep(0.02)
    return found


async def test_a_server_that_has_just_started_has_nothing_to_tell_but_that_it_is_in_order(tmp_path: Path) -> None:
    clock = SetClock()
    async with serving(tmp_path, clock=clock) as server:
        await server.user("admin", Role.ADMIN)
        await until_told(server, lambda found: set(found["checks"].values()) == {"ok"})
        clock.advance(timedelta(seconds=5))
        assert await told(server) == {
            "version": __version__,
            "startedAt": "2026-01-02T03:04:05Z",
            "checks": dict.fromkeys(("database", "bus", "escalation", "silence", "streams"), "ok"),
            "connections": {
                "sse": NO_STREAMS, "websocket": NO_STREAMS, "sseShare": None, "vitalsViewers": 0, "devices": 0,
            },
            "escalations": {"running": 0, "overdue": 0, "nextDueAt": None},
            "openAlerts": {"open": 0, "unacknowledged": 0, "byTier": NO_ALERTS},
            "devices": {"expected": 0, "silent": 0},
        }  # fmt: skip


async def test_what_is_open_is_counted_by_transport_and_role_as_long_as_it_is_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, AsyncExitStack() as stack:
        await furnish(server)
        for who, role, path in (
            ("nurse", "nurse", "/api/v1/alerts/stream"), ("doctor", "doctor", "/api/v1/alerts/stream"),
            ("nurse", None, CAREGIVER_STREAM),
        ):  # fmt: skip
            stream = await stack.enter_async_context(server.stream(who, role, path=path))
            await stream.control("stream.ready")
        async with (
            alert_socket(server, "nurse", role="nurse", patient_id="P1"),
            socket(server, FRONTEND, "nurse", patient_id="P1"),
            socket(server, FRONTEND, "doctor", patient_id="P1"),
            socket(server, MOBILE, "monitor", patient_id="P1"),
        ):
            found = await until_told(server, lambda it: it["connections"]["vitalsViewers"] == 2)
            assert found["connections"] == {
                "sse": {"total": 3, "byRole": {"doctor": 1, "nurse": 2}},
                "websocket": {"total": 1, "byRole": {"nurse": 1}},
                "sseShare": 0.75,
                "vitalsViewers": 2,
                "devices": 1,
            }
        found = await until_told(server, lambda it: it["connections"]["devices"] == 0)
        assert (found["connections"]["websocket"], found["connections"]["sseShare"]) == (NO_STREAMS, 1.0)


async def test_open_alerts_are_counted_by_tier_and_those_that_nobody_has_taken_apart(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await furnish(server)
        raised = [
            (await server.raise_alert(f"c{number}", tier=tier)).json()["alertId"]
            for number, tier in enumerate(("critical", "critical", "slight", "slight", "slight"))
        ]
        await acknowledge(server, raised[0], "nurse")
        await acknowledge(server, raised[2], "nurse")
        await server.call("POST", f"/api/v1/alerts/alerts/{raised[3]}/resolve", "nurse")
        assert (await told(server))["openAlerts"] == {
            "open": 4,
            "unacknowledged": 2,
            "byTier": [
                {"tier": "critical", "open": 2, "unacknowledged": 1},
                {"tier": "moderate", "open": 0, "unacknowledged": 0},
                {"tier": "slight", "open": 2, "unacknowledged": 1},
            ],
        }


async def test_timers_run_until_somebody_has_answered_and_are_overdue_when_nobody_acts_on_them(tmp_path: Path) -> None:
    """The worker is stuck behind a transaction that does not end."""
    clock = SetClock()
    async with serving(tmp_path, clock=clock) as server:
        await furnish(server)
        first, second = [(await server.raise_alert(condition)).json() for condition in ("first", "second")]
        due_at = first["nextEscalationAt"]
        assert (await told(server))["escalations"] == {"running": 2, "overdue": 0, "nextDueAt": due_at}
        await acknowledge(server, second["alertId"], "nurse")
        assert (await told(server))["escalations"] == {"running": 1, "overdue": 0, "nextDueAt": due_at}
        async with server.services.get(Database).write():
            clock.advance(timedelta(minutes=30))
            found = await told(server)
        assert found["escalations"] == {"running": 1, "overdue": 1, "nextDueAt": due_at}
        assert found["checks"]["escalation"] != "ok"
        await until_told(server, lambda it: it["escalations"]["overdue"] == 0)


async def test_connections_are_those_of_the_node_that_answers_and_the_rest_is_told_by_every_node(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as here:
        await furnish(here)
        url = here.services.get(Settings).sqlalchemy_url
        async with serving(tmp_path, database_url=url) as there, here.stream("nurse") as stream:
            there.tokens = here.tokens
            await stream.control("stream.ready")
            await here.raise_alert("one")
            bed = Bed()
            async with socket(here, MOBILE, "monitor", patient_id="P1") as monitor:
                await monitor.send({"type": "heart_rate", "value": 72, "unit": "/min", "timestamp": bed.time()})
                await monitor.flush()
                of_there = await until_told(there, lambda it: it["devices"]["expected"] == 1)
                of_here = await told(here)
            assert of_here["connections"]["sse"]["total"] == of_here["connections"]["devices"] == 1
            assert of_there["connections"]["sse"]["total"] == of_there["connections"]["devices"] == 0
            for shared in ("escalations", "openAlerts", "devices"):
                assert of_here[shared] == of_there[shared]
            assert (of_there["openAlerts"]["open"], of_there["escalations"]["running"]) == (1, 1)


async def test_nobody_but_an_admin_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await furnish(server)
        assert code_of(await server.call("GET", SYSTEM)) == (401, "not_signed_in")
        for who in ("nurse", "monitor"):
            assert code_of(await server.call("GET", SYSTEM, who)) == (403, "role_not_held")
