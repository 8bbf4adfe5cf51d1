"""Patients, accounts, care teams and the state of the system, asked of PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.roles import Role
from tests.modules.ward import SetClock
from tests.servers import RunningServer, serving

pytestmark = pytest.mark.anyio


async def all_pages(server: RunningServer, path: str, of: str, name: str, **query: str) -> list[str]:
    """One field of everything, a piece on each page."""
    found: list[str] = []
    while True:
        page = (await server.call("GET", path, "admin", params={**query, "limit": "1"})).json()
        found += [one[name] for one in page[of]]
        if page["nextCursor"] is None:
            return found
        query["cursor"] = page["nextCursor"]


async def test_lists_come_in_order_piece_by_piece_and_whole_for_those_who_see_a_part(
    database_url: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, database_url=database_url) as server:
        await server.user("admin", Role.ADMIN)
        for name in ("nurse_b", "nurse-a"):
            await server.user(name, Role.NURSE)
        for patient_id in ("P2", "P3", "P1"):
            await server.patient(patient_id)
        await server.grant("P3", "nurse_b", "nurse-a")
        await server.grant("P1", "nurse-a")

        assert await all_pages(server, "/api/v1/patients", "patients", "id") == ["P1", "P2", "P3"]
        seen = (await server.call("GET", "/api/v1/patients", "nurse-a")).json()["patients"]
        assert [patient["id"] for patient in seen] == ["P1", "P3"]
        assert (await server.call("GET", "/api/v1/patients/P1", "nurse-a")).json() == seen[0]

        emails = await all_pages(server, "/api/v1/users", "users", "email")
        assert sorted(emails) == ["admin@example.org", "nurse-a@example.org", "nurse_b@example.org"]
        for letters, holding in (("NURSE", 2), ("_", 1), ("%", 0)):
            assert len(await all_pages(server, "/api/v1/users", "users", "email", q=letters)) == holding

        team = (await server.call("GET", "/api/v1/patients/P3/care-team", "nurse_b")).json()["members"]
        assert [member["email"] for member in team] == ["nurse-a@example.org", "nurse_b@example.org"]


async def test_the_state_of_the_system_is_read_off_its_tables(database_url: str, tmp_path: Path) -> None:
    clock = SetClock()
    async with serving(tmp_path, database_url=database_url, clock=clock) as server:
        await server.user("admin", Role.ADMIN)
        await server.patient("P1")
        raised = (await server.raise_alert("one")).json()
        await server.raise_alert("other", tier="critical")
        system = (await server.call("GET", "/api/v1/system", "admin")).json()
        assert (system["openAlerts"]["open"], system["openAlerts"]["unacknowledged"]) == (2, 2)
        assert [it["open"] for it in system["openAlerts"]["byTier"]] == [1, 1, 0]
        assert (system["escalations"]["running"], system["escalations"]["overdue"]) == (2, 0)
        assert system["escalations"]["nextDueAt"] <= raised["nextEscalationAt"]
        assert system["devices"] == {"expected": 0, "silent": 0}
        async with server.services.get(Database).write() as session:
            await session.execute(sa.text("SELECT seq FROM alert_log FOR UPDATE"))
            clock.advance(timedelta(minutes=30))
            overdue = (await server.call("GET", "/api/v1/system", "admin")).json()["escalations"]["overdue"]
        assert overdue == 2
