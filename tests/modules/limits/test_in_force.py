"""What a limit that somebody has set changes: what alarms, at once, on every node, and under other rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.rules.schemas import AlarmSettings, Tier
from app.modules.alerts.surveillance import Surveillance
from app.modules.limits.feed import LimitFeed
from tests.databases import statements
from tests.modules.alerts.steps import metric
from tests.modules.limits.bed import (
    LIMITS,
    WARD,
    Monitor,
    limits_at,
    move,
    now,
    one,
    open_alerts,
    put,
)
from tests.modules.limits.conftest import fill
from tests.servers import PATIENCE_SECONDS, RunningServer, serving

pytestmark = pytest.mark.anyio

SPO2 = ("spo2_low", Tier.MODERATE)


@pytest.fixture
async def elsewhere(ward: RunningServer, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """Another node on the same database."""
    async with serving(tmp_path) as node:
        node.tokens = ward.tokens
        yield node


async def test_a_limit_that_a_nurse_sets_changes_what_alarms_from_the_next_reading_on(ward: RunningServer) -> None:
    """Fails when a change is not told to the surveillance of this node (checked so)."""
    monitor = Monitor(ward)
    await put(ward, "nurse", one("spo2_low", "moderate", 88))
    await monitor.send(89, 20)
    assert await open_alerts(ward) == []
    await put(ward, "nurse", one("spo2_low", "moderate", 92))
    await monitor.send(89)
    assert await open_alerts(ward) == [("spo2_low", {"min": 92})]


async def test_a_unit_limit_changes_what_alarms_for_its_patients_and_ends_with_a_move(ward: RunningServer) -> None:
    monitor = Monitor(ward)
    await monitor.send(91, 20)
    assert await open_alerts(ward) == []
    await move(ward, None)
    await put(ward, "admin", one("spo2_low", "moderate", 93), path=WARD)
    await monitor.send(91)
    assert await open_alerts(ward) == []
    await move(ward, "ward-2")
    await monitor.send(91)
    assert await open_alerts(ward) == [("spo2_low", {"min": 93})]


async def test_an_alert_ends_when_its_limit_is_loosened_and_the_readings_have_been_within_the_new_one(
    ward: RunningServer,
) -> None:
    monitor = Monitor(ward)
    await monitor.send(89, 15)
    assert await open_alerts(ward) == [("spo2_low", {"min": 90})]
    await put(ward, "nurse", one("spo2_low", "moderate", 86))
    await monitor.send(89)
    assert await open_alerts(ward) == []


async def test_a_reading_asks_the_database_for_no_limits(ward: RunningServer) -> None:
    monitor = Monitor(ward)
    await put(ward, "nurse", one("spo2_low", "moderate", 88))
    await monitor.send(97, 2)
    with statements() as asked:
        await monitor.send(97, 20)
    assert asked
    assert not [statement for statement in asked if "limit_settings" in statement]


async def test_a_change_on_one_node_holds_on_another(ward: RunningServer, elsewhere: RunningServer) -> None:
    """Fails when a node does not look by itself (checked so): these two share a database and no bus."""
    monitor = Monitor(elsewhere)
    await monitor.send(89, 5)
    await put(ward, "nurse", one("spo2_low", "moderate", 85))
    await until_seen(elsewhere, ward)
    await monitor.send(89, 20)
    assert await open_alerts(elsewhere) == []
    await put(ward, "admin", one("heart_rate_high", "moderate", 90), path=WARD)
    await until_seen(elsewhere, ward)
    pulse = Monitor(elsewhere, "heart_rate")
    await pulse.send(95, 10)
    assert await open_alerts(elsewhere) == [("heart_rate_high", {"min": 50, "max": 90})]


async def test_of_two_nodes_one_change_is_made_on_a_version_and_each_gets_its_number(
    ward: RunningServer, elsewhere: RunningServer
) -> None:
    statuses: list[int] = []

    async def try_on(node: RunningServer, limit: float) -> None:
        answer = await put(node, "nurse", one("spo2_low", "moderate", limit), version=1)
        statuses.append(answer.status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(try_on, ward, 84 + number)
            tasks.start_soon(try_on, elsewhere, 81 + number / 2)
    assert sorted(statuses) == [200] + [409] * 7
    assert (await ward.call("GET", LIMITS, "nurse")).json() == (await elsewhere.call("GET", LIMITS, "nurse")).json()


async def test_the_spo2_scale_of_a_patient_holds_for_the_score(tmp_path: Path) -> None:
    """88 % scores 3 on scale 1, and nothing on scale 2."""
    async with serving(tmp_path, rules_file=_rules(tmp_path, {"news2Single": 3}, sign="news2", unit="")) as server:
        await fill(server)
        await put(server, "doctor", spo2Scale=2)
        await Monitor(server).send(88)
        assert await open_alerts(server) == []
        await put(server, "doctor", spo2Scale=1)
        await Monitor(server).send(88)
        assert [condition for condition, _ in await open_alerts(server)] == ["watched"]


async def test_a_limit_that_other_rules_have_no_use_for_is_shown_as_ignored_and_does_not_hold(tmp_path: Path) -> None:
    rules = _rules(tmp_path, {"below": 90}, {"below": 80})
    async with serving(tmp_path, rules_file=rules) as server:
        await fill(server)
        await put(server, "nurse", one("watched", "critical", 85), one("watched", "moderate", 91))
        await put(server, "nurse", one("watched", "critical", 85))
        _rules(tmp_path, {"below": 84}, {"below": 80})
        assert (await server.call("POST", "/api/v1/rules/reload", "admin")).json()["changed"] is True
        found = (await server.call("GET", LIMITS, "nurse")).json()
        (ignored,) = found["ignored"]
        assert (ignored["condition"], ignored["tier"], ignored["limit"]) == ("watched", "critical", 85)
        assert (ignored["source"], ignored["setBy"]["name"]) == ("patient", "Nurse")
        assert ignored["reason"] == "the limit of `critical` (85) must be below that of `moderate` (84)"
        assert (await limits_at(server))["watched", "critical"] == (80, "rules")
        await Monitor(server).send(82)
        assert await open_alerts(server) == [("watched", {"min": 84})]
        assert metric(server, "tocsin_limits_passed_over_total") == 1
        _rules(tmp_path, {"below": 90}, {"below": 80})
        server.services.get(ActiveRules).reload()
        assert (await limits_at(server))["watched", "critical"] == (85, "patient")


async def test_the_server_that_comes_back_knows_what_was_set(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await fill(server)
        await put(server, "nurse", one("spo2_low", "moderate", 85))
        tokens = server.tokens
    async with serving(tmp_path) as server:
        server.tokens = tokens
        await Monitor(server).send(89, 20)
        assert await open_alerts(server) == []


class SlowReader:
    """Answers with what was set, and what is set meanwhile it learns too late."""

    def __init__(self) -> None:
        self.limit = 90.0
        self.asked, self.may_answer = anyio.Event(), anyio.Event()

    async def settings_of(self, patient_id: str) -> AlarmSettings:
        answer = AlarmSettings({SPO2: self.limit})
        self.asked.set()
        await self.may_answer.wait()
        return answer


@pytest.mark.parametrize("is_watched", [False, True])
async def test_what_is_set_while_the_settings_are_read_is_not_missed(ward: RunningServer, *, is_watched: bool) -> None:
    """Fails when the mark of a change is taken away after the reading, and when priming takes none (checked so)."""
    reader = SlowReader()
    ours = ward.services.get(Surveillance)
    surveillance = Surveillance(ours._alerts, ours._rules, ours._clock, reader)
    if is_watched:
        reader.may_answer.set()
        await surveillance.prime("P1", ())
        reader.asked, reader.may_answer = anyio.Event(), anyio.Event()
        surveillance.settings_changed(["P1"])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_observe, ward, surveillance, 95.0)
        await reader.asked.wait()
        reader.limit = 93.0
        surveillance.settings_changed(["P1"])
        reader.may_answer.set()
    for _ in range(10):
        await _observe(ward, surveillance, 92.0)
    assert await open_alerts(ward) == [("spo2_low", {"min": 93})]


async def _observe(server: RunningServer, surveillance: Surveillance, value: float) -> None:
    await surveillance.observe("P1", "spo2", value, now(server), unit="%")


async def test_a_change_that_could_not_be_told_at_once_is_made_and_told_at_the_next_look(ward: RunningServer) -> None:
    feed = ward.services.get(LimitFeed)
    told: list[str] = []
    fails = True

    def listen(patient_ids: object) -> None:
        if fails:
            raise OSError
        told.append(str(patient_ids))

    feed.on_change(listen)
    before = feed.number
    answer = await put(ward, "nurse", one("spo2_low", "moderate", 88))
    assert (answer.status_code, feed.number) == (200, before)
    fails = False
    await feed.catch_up()
    assert (told, feed.number) == (["{'P1'}"], before + 1)


async def until_seen(node: RunningServer, by: RunningServer) -> None:
    """Wait until this node has noticed, by itself, what was changed on the other."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while node.services.get(LimitFeed).number < by.services.get(LimitFeed).number:
            await anyio.sleep(0.005)


def _rules(folder: Path, *levels: dict[str, float], sign: str = "spo2", unit: str = "%") -> Path:
    """A ward's rules with one condition: its moderate level, and its critical one."""
    tiers = {tier: {"recipients": ["nurse"]} for tier in ("slight", "moderate", "critical")}
    written = [{"tier": tier, "when": when} for tier, when in zip(("moderate", "critical"), levels, strict=False)]
    conditions = [{"name": "watched", "vitalType": sign, "unit": unit, "levels": written}]
    path = folder / "rules.json"
    path.write_text(json.dumps({"tiers": tiers, "conditions": conditions}))
    return path
