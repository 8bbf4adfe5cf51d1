"""The worker that escalates: woken by the timers that it would come too late for, and by no others."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from app.core.clock import SystemClock
from app.core.db import Database
from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.security import Principal
from app.modules.alerts.escalation import EscalationWorker
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.schemas import AlertPayload, LogEntry
from app.modules.alerts.service import AlertService
from tests.databases import statements
from tests.modules.alerts.steps import quick_rules
from tests.modules.ward import opened_ward
from tests.servers import until

pytestmark = pytest.mark.anyio

#: Longer than any test: what comes sooner was not found by looking. The worker looks at whole multiples of its
#: period on the monotonic clock: of these periods, the one whose next multiple is furthest away.
NEVER_SECONDS = float(max(range(600, 1200), key=lambda period: period - time.monotonic() % period))


@dataclass
class Station:
    """The alerts of one node, with a worker that looks for timers by itself as good as never."""

    db: Database
    alerts: AlertService
    log: list[LogEntry]
    admin: Principal

    async def raise_alert(self, condition: str) -> None:
        document = {"patientId": "P1", "vitalType": "heart_rate", "tier": "moderate", "reasons": ["why"]}
        await self.alerts.raise_alert(self.admin, AlertPayload.model_validate({**document, "condition": condition}))


@asynccontextmanager
async def working(data_dir: Path, *after_seconds: float) -> AsyncIterator[Station]:
    clock, log = SystemClock(), list[LogEntry]()
    async with opened_ward(data_dir) as ward:
        rules = ActiveRules(quick_rules(data_dir, *after_seconds), {}, clock, Metrics())
        alerts = AlertService(ward.db, log.extend, clock, Metrics(), rules, ward.care_team)
        worker = EscalationWorker(alerts, clock, longest_pause_seconds=NEVER_SECONDS)
        await ward.user("admin", Role.ADMIN)
        await ward.patients.create("P1", None)
        station = Station(ward.db, alerts, log, await ward.principal("admin"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.run)
            await until(worker.is_in_order)
            yield station
            tasks.cancel_scope.cancel()


async def test_a_timer_that_is_due_before_the_next_look_wakes_the_worker(tmp_path: Path) -> None:
    """Fails when the worker is not told of timers (checked so): it would look in ten minutes."""
    async with working(tmp_path, 0.05, 0.05) as station:
        await station.raise_alert("left-alone")
        await until(lambda: len(station.log) == 3)
    raised, first, second = station.log
    assert [first.event, second.event] == ["alert_escalated"] * 2
    due_at = json.loads(raised.payload)["nextEscalationAt"]
    assert due_at <= json.loads(first.payload)["occurredAt"]
    assert second.occurred_at - raised.occurred_at >= timedelta(seconds=0.1)


async def test_raising_an_alert_costs_four_statements_and_its_timer_none(tmp_path: Path) -> None:
    """They find, number, write and log; the timer is due in half an hour, when the worker has looked again.

    Fails when every alert wakes the worker (checked so).
    """
    async with working(tmp_path, 1800, 3600) as station:
        await station.raise_alert("first")
        with statements() as asked:
            await station.raise_alert("second")
            await anyio.wait_all_tasks_blocked()  # whoever was woken has asked by then
            await until(lambda: station.db.checked_out() == 0)
    assert [statement.split()[0] for statement in asked] == ["SELECT", "UPDATE", "INSERT", "INSERT"]


async def test_a_timer_that_is_left_on_an_ended_alert_is_not_acted_on_again_and_again(tmp_path: Path) -> None:
    """Nothing of ours leaves one there; a row that was changed by hand may have one.

    Fails when such an alert counts as escalated, so that the worker goes on at once (checked so).
    """
    async with working(tmp_path, 1800, 3600) as station:
        await station.raise_alert("left-behind")
        alert_id = json.loads(station.log[0].payload)["alertId"]
        await station.alerts.resolve(station.admin, alert_id, None, note=None)
        due = "UPDATE alerts SET next_escalation_at = '2026-01-01 00:00:00.000000'"
        await station.db.run_write(lambda it: it.execute(sa.text(due)))
        await station.raise_alert("another")

        assert await station.alerts.escalate_due() == 0
        assert [entry.event for entry in station.log] == ["alert", "alert_resolved", "alert"]
