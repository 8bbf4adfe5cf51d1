"""Other rules for a running server: all of them hold from one moment on, or nothing changes."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from app.core.clock import Clock
from app.core.metrics import Metrics
from app.core.roles import Role
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.surveillance import Surveillance
from app.modules.vitals.signs import NUMERICS
from tests.modules.ward import SetClock
from tests.servers import PATIENCE_SECONDS, RunningServer, code_of, run_cli, server_process, serving

pytestmark = pytest.mark.anyio

TIERS = {"slight": ["nurse"], "moderate": ["nurse"], "critical": ["nurse"]}


def write_rules(path: Path, limit: float, *, name: str = "spo2_low", tier: str = "moderate") -> None:
    """One condition, without delays, of which the readings that it takes are told to be normal at once."""
    levels = [{"tier": tier, "when": {"below": limit}}]
    condition = {"name": name, "vitalType": "spo2", "unit": "%", "levels": levels}
    tiers = {tier: {"recipients": roles} for tier, roles in TIERS.items()}
    path.write_text(json.dumps({"tiers": tiers, "conditions": [condition]}))


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "ward.json"
    write_rules(path, 90)
    return path


@pytest.fixture
async def server(tmp_path: Path, rules_file: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path, rules_file=rules_file) as running:
        for name, role in (("admin", Role.ADMIN), ("nurse", Role.NURSE), ("device", Role.DEVICE)):
            await running.user(name, role)
        await running.patient("P1", "nurse", "device")
        yield running


async def measure(server: RunningServer, value: float) -> None:
    now = server.services.get(Clock).now()
    body = {"patientId": "P1", "type": "spo2", "value": value, "timestamp": now.isoformat()}
    assert (await server.call("POST", "/api/v1/vitals", "device", body)).status_code == 201


async def alerts(server: RunningServer) -> list[tuple[str, str]]:
    """Every alert of P1 as (condition, state), oldest first."""
    page = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "admin")).json()["alerts"]
    return [(alert["condition"], alert["state"]) for alert in reversed(page)]


async def eventually(server: RunningServer, expected: list[tuple[str, str]]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while await alerts(server) != expected:
            await anyio.sleep(0.01)


async def test_what_other_rules_do_not_know_ends_also_where_they_came_while_nobody_watched(
    server: RunningServer, rules_file: Path
) -> None:
    """As after a restart: the patient is taken up anew, under rules without the condition of the open alert."""
    await measure(server, 85)
    assert await alerts(server) == [("spo2_low", "active")]
    server.services.get(Surveillance).forget("P1")
    write_rules(rules_file, 90, name="other")
    await server.call("POST", "/api/v1/rules/reload", "admin")
    await measure(server, 85)
    assert await alerts(server) == [("spo2_low", "resolved"), ("other", "active")]


async def test_rules_that_are_reloaded_hold_for_the_next_reading(server: RunningServer, rules_file: Path) -> None:
    await measure(server, 92)
    assert await alerts(server) == []
    write_rules(rules_file, 95)

    reloaded = (await server.call("POST", "/api/v1/rules/reload", "admin")).json()
    await measure(server, 92)

    assert (reloaded["changed"], reloaded["conditions"]) == (True, ["spo2_low"])
    assert await alerts(server) == [("spo2_low", "active")]
    again = (await server.call("POST", "/api/v1/rules/reload", "admin")).json()
    assert (again["changed"], again["digest"]) == (False, reloaded["digest"])


async def test_rules_with_a_mistake_change_nothing_and_every_mistake_is_told(
    server: RunningServer, rules_file: Path
) -> None:
    before = (await server.call("GET", "/api/v1/rules", "admin")).json()
    rules_file.write_text(json.dumps({"tiers": {}, "conditions": [{"name": "x"}]}, indent=1))

    refused = await server.call("POST", "/api/v1/rules/reload", "admin")

    assert code_of(refused) == (422, "rules_refused")
    assert {"line": 2, "field": "tiers", "message": "`slight` is needed here"} in refused.json()["errors"]
    assert (await server.call("GET", "/api/v1/rules", "admin")).json() == before
    await measure(server, 89)
    assert await alerts(server) == [("spo2_low", "active")]


async def test_the_alert_of_a_condition_that_is_no_longer_watched_ends(server: RunningServer, rules_file: Path) -> None:
    """Without any reading: fails when only readings bring a watch up to date."""
    await measure(server, 80)
    write_rules(rules_file, 90, name="renamed")

    await server.call("POST", "/api/v1/rules/reload", "admin")

    await eventually(server, [("spo2_low", "resolved")])


async def test_silence_raises_an_alert_without_any_reading(server: RunningServer, rules_file: Path) -> None:
    levels: list[Any] = [{"tier": "slight", "when": {"noReadingForSeconds": 0.5}}]
    condition = {"name": "spo2_missing", "vitalType": "spo2", "unit": "%", "kind": "technical", "levels": levels}
    tiers = {tier: {"recipients": roles} for tier, roles in TIERS.items()}
    rules_file.write_text(json.dumps({"tiers": tiers, "conditions": [condition]}))
    await server.call("POST", "/api/v1/rules/reload", "admin")
    await measure(server, 97)

    await eventually(server, [("spo2_missing", "active")])

    (alert,) = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "admin")).json()["alerts"]
    assert (alert["kind"], alert["reasons"]) == ("technical", ["no spo2 reading for 0.5 s"])
    await measure(server, 97)
    assert await alerts(server) == [("spo2_missing", "resolved")]


async def test_only_an_admin_sees_and_reloads_rules(server: RunningServer) -> None:
    assert code_of(await server.call("GET", "/api/v1/rules", "nurse")) == (403, "role_not_held")
    assert code_of(await server.call("POST", "/api/v1/rules/reload", "nurse")) == (403, "role_not_held")


def test_a_signal_makes_the_server_read_its_rules_again(tmp_path: Path, rules_file: Path) -> None:
    with server_process(tmp_path / "data", rules_file=str(rules_file)) as server:
        server.cli("user", "create", "admin@example.org", "--role", "admin")
        token = server.cli("token", "admin@example.org")

        def digest() -> str:
            answer = httpx.get(server.url + "/api/v1/rules", headers={"Authorization": f"Bearer {token}"})
            found: str = answer.raise_for_status().json()["digest"]
            return found

        def until_logged(event: str) -> None:
            with anyio.from_thread.start_blocking_portal() as portal:
                portal.call(_until, lambda: event in server.log())

        before = digest()
        rules_file.write_text("{")
        server.send_signal(signal.SIGHUP)
        until_logged("rules.refused")
        assert digest() == before
        write_rules(rules_file, 85)
        server.send_signal(signal.SIGHUP)
        until_logged("rules.reloaded")
        assert digest() != before


async def _until(condition: Any) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition():
            await anyio.sleep(0.01)


async def test_a_book_is_never_half_of_one_and_half_of_another(tmp_path: Path, rules_file: Path) -> None:
    rules = ActiveRules(rules_file, NUMERICS, SetClock(), Metrics())
    held = rules.book
    write_rules(rules_file, 95)

    rules.reload()

    assert held.conditions[0].thresholds == {"moderate": {"min": 90}}
    assert rules.book.conditions[0].thresholds == {"moderate": {"min": 95}}


def test_rules_check_tells_every_mistake_and_says_when_there_is_none(tmp_path: Path, rules_file: Path) -> None:
    good = run_cli("rules", "check", str(rules_file))
    rules_file.write_text('{\n "tiers": {},\n "conditions": 3\n}')
    bad = run_cli("rules", "check", str(rules_file))
    missing = run_cli("rules", "check", str(tmp_path / "nowhere.json"))

    assert (good.returncode, good.stdout) == (0, f"{rules_file} is in order: 1 condition, 1 level\n")
    assert bad.returncode == 1
    assert f"{rules_file}: line 2: tiers: `moderate` is needed here" in bad.stderr
    assert f"{rules_file}: line 3: conditions: input should be a valid list" in bad.stderr
    assert bad.stderr.splitlines()[-1] == f"tocsin: {rules_file} has 4 mistakes"
    assert missing.returncode == 1
    assert missing.stderr == f"tocsin: {tmp_path}/nowhere.json: No such file or directory\n"
    assert "Traceback" not in bad.stderr + missing.stderr


def test_rules_schema_prints_the_published_schema() -> None:
    printed = json.loads(run_cli("rules", "schema").stdout)

    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "conditions" in printed["properties"]


async def test_nothing_is_left_of_a_patient_who_is_forgotten(server: RunningServer) -> None:
    await measure(server, 80)
    surveillance = server.services.get(Surveillance)

    surveillance.forget("P1")
    await measure(server, 80)

    assert await alerts(server) == [("spo2_low", "active")]
