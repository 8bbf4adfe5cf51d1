"""Queries that are asked with every alert: what they cost must not grow with a patient's history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.modules.alerts import repository
from app.modules.alerts.lifecycle import State
from tests.modules.ward import opened_ward

pytestmark = pytest.mark.anyio

Ask = Callable[[sa.Connection], object]


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda it: repository.claim_open(it, "P1", "low"), "uq_alerts_open_condition"),
        (lambda it: repository.open_of_patient(it, "P1", ["rules"]), "uq_alerts_open_condition"),
        (repository.next_due_at, "ix_alerts_due"),
        (lambda it: repository.timers(it, datetime.now(UTC)), "ix_alerts_due"),
        (repository.open_counts, "ix_alerts_open_last_seq"),
    ],
)
async def test_what_is_open_is_found_by_an_index_that_holds_nothing_else(tmp_path: Path, ask: Ask, index: str) -> None:
    """Fails when `resolved` is a parameter of the query (checked so): the plan would depend on its value."""
    asked: list[tuple[str, Any]] = []

    def plan(connection: sa.Connection) -> str:
        sa.event.listen(connection, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
        ask(connection)
        ((statement, parameters),) = asked
        assert State.RESOLVED not in parameters
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return " ".join(row[3] for row in rows)

    async with opened_ward(tmp_path) as ward:
        assert f"USING INDEX {index}" in (await ward.db.run_read(plan)).replace("COVERING ", "")
