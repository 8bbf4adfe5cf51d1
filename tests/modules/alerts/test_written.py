"""What is handed on after a commit: exactly what the log holds, in its order, and only once it is there."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.roles import Role
from app.core.security import RoleNotHeld
from app.modules.alerts.lifecycle import AcknowledgeStatus
from app.modules.alerts.repository import StoredLog
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.schemas import AlertPayload, LogEntry
from app.modules.alerts.service import AlertService
from tests.modules.ward import Ward, opened_ward

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bare_ward(tmp_path: Path) -> AsyncIterator[Ward]:
    """The services alone: no server runs, so that nothing happens by itself."""
    async with opened_ward(tmp_path) as ward:
        yield ward


def payload(condition: str, **fields: object) -> AlertPayload:
    document = {"patientId": "P1", "vitalType": "heart_rate", "tier": "critical", "reasons": ["why"], **fields}
    return AlertPayload.model_validate({**document, "condition": condition})


async def test_what_is_handed_on_is_what_the_log_holds_and_is_committed_already(bare_ward: Ward) -> None:
    """Fails when `written` is called inside the transaction (checked so)."""
    ward = bare_ward
    handed_on: list[LogEntry] = []

    def written(entries: Sequence[LogEntry]) -> None:
        outsider = sqlite3.connect(str(ward.db.url.database))
        (committed,) = outsider.execute("SELECT max(seq) FROM alert_events").fetchone()
        outsider.close()
        assert committed == entries[-1].seq
        handed_on.extend(entries)

    alerts = AlertService(
        ward.db, written, ward.clock, ward.metrics, ActiveRules(None, {}, ward.clock, ward.metrics), ward.care_team
    )
    await ward.user("admin", Role.ADMIN)
    nurse = await ward.user("nurse", Role.NURSE)
    await ward.patients.create("P1", None)
    await ward.care_team.add("P1", nurse.id)
    admin = await ward.principal("admin")

    first, _ = await alerts.raise_alert(admin, payload("a"))
    await alerts.raise_alert(admin, payload("b"))
    await alerts.raise_alert(admin, payload("a"))  # says nothing new
    await alerts.raise_alert(admin, payload("a", reasons=["worse"]))
    with pytest.raises(RoleNotHeld):
        await alerts.raise_alert(await ward.principal("nurse"), payload("c"))
    # An acknowledgement that ends the alert is two events of one transaction.
    await alerts.acknowledge(admin, first.alert_id, "P1", status=AcknowledgeStatus.RESOLVED, note=None)
    ward.clock.advance(timedelta(hours=1))
    assert await alerts.escalate_due() == 1

    page = await StoredLog(ward.db).page(None, after=0)
    assert [entry.event for entry in handed_on] == [
        "alert", "alert", "alert_updated", "alert_acknowledged", "alert_resolved", "alert_escalated",
    ]  # fmt: skip
    assert page.entries == handed_on
    assert {entry.occurred_at for entry in handed_on[:5]} == {ward.clock.now() - timedelta(hours=1)}
    assert handed_on[5].occurred_at == ward.clock.now()
