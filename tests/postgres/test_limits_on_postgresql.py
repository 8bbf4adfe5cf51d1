"""Limits on PostgreSQL: two nodes, changes that race, and what readings suggest."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.modules.limits.bed import LIMITS, WARD, Monitor, limits_at, move, now, one, open_alerts, put, send
from tests.modules.limits.conftest import fill
from tests.modules.limits.test_in_force import until_seen
from tests.servers import serving

pytestmark = pytest.mark.anyio


async def test_limits_are_set_seen_audited_and_in_force_on_both_nodes(database_url: str, tmp_path: Path) -> None:
    async with (
        serving(tmp_path, database_url=database_url) as first,
        serving(tmp_path, database_url=database_url) as second,
    ):
        await fill(first)
        second.tokens = first.tokens
        monitor = Monitor(second)
        await monitor.send(91, 5)
        await put(first, "admin", one("spo2_low", "moderate", 93), one("heart_rate_high", "moderate", 110), path=WARD)
        await put(first, "nurse", one("spo2_low", "moderate", 92), spo2Scale=2)
        await until_seen(second, first)
        await monitor.send(91, 6)
        assert await open_alerts(second) == [("spo2_low", {"min": 92})]
        found = await limits_at(second)
        assert found["spo2_low", "moderate"] == (92, "patient")
        assert found["heart_rate_high", "moderate"] == (110, "unit")
        await move(second, None)
        assert (await limits_at(first))["heart_rate_high", "moderate"] == (120, "rules")
        changes = (await second.call("GET", LIMITS + "/changes", "nurse")).json()["changes"]
        assert [(it["number"], it["changedBy"]["name"]) for it in changes] == [(4, "Admin"), (3, "Nurse"), (1, "Admin")]


async def test_changes_that_race_over_two_nodes_are_numbered_without_gaps(database_url: str, tmp_path: Path) -> None:
    async with (
        serving(tmp_path, database_url=database_url) as first,
        serving(tmp_path, database_url=database_url) as second,
    ):
        await fill(first)
        second.tokens = first.tokens
        answers = await asyncio.gather(
            *(put(node, "nurse", one("spo2_low", "moderate", 81 + n + place / 2), version=1)
              for n in range(4) for place, node in enumerate((first, second))),
            *(put(node, "admin", one("spo2_low", "moderate", 81 + n + place / 2), path=WARD)
              for n in range(4) for place, node in enumerate((first, second))),
        )  # fmt: skip
        assert sorted(it.status_code for it in answers[:8]) == [200] + [409] * 7
        assert [it.status_code for it in answers[8:]] == [200] * 8
        of_patient = (await first.call("GET", LIMITS + "/changes", "nurse")).json()["changes"]
        of_unit = (await second.call("GET", WARD + "/changes", "nurse")).json()["changes"]
        assert sorted(it["number"] for it in of_patient + of_unit) == list(range(1, 11))
        for newer, older in pairwise(of_unit):
            assert newer["before"] == older["after"]


async def test_readings_suggest_limits(database_url: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database_url=database_url) as server:
        await fill(server)
        minute = timedelta(minutes=1)
        await send(server, "heart_rate", [80.26, 80.31] * 80, first_at=now(server) - 170 * minute, every=minute)
        answer = (await server.call("GET", LIMITS + "/suggestions", "nurse")).json()
        (heart,) = [it for it in answer["suggestions"] if it["condition"] == "heart_rate_high"]
        assert (heart["suggested"], heart["readings"]["median"], heart["readings"]["count"]) == (101, 80.3, 160)
