"""The rules at work on a running server: readings come in by HTTP, alerts go out."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.core.clock import Clock
from app.core.db import Database
from tests.modules.alerts.steps import acknowledge
from tests.servers import RunningServer

pytestmark = pytest.mark.anyio


class Bedside:
    """Sends SpO2 readings, a second apart, that are all of the last minute."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._next = server.services.get(Clock).now() - timedelta(seconds=100)

    async def send(self, value: float, count: int) -> None:
        readings = []
        for _ in range(count):
            self._next += timedelta(seconds=1)
            readings.append({"type": "spo2", "value": value, "unit": "%", "timestamp": self._next.isoformat()})
        body = {"patientId": "P1", "readings": readings}
        response = await self._server.call("POST", "/api/v1/vitals/bulk", "device", body)
        assert (response.status_code, response.json()["accepted"]) == (201, count), response.text


async def alerts(server: RunningServer) -> list[tuple[str, str, str]]:
    """Every alert of P1 as (state, tier, signal), oldest first."""
    page = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "admin")).json()["alerts"]
    return [(alert["state"], alert["tier"], alert["signal"]) for alert in reversed(page)]


async def test_readings_raise_worsen_and_end_an_alert(ward: RunningServer) -> None:
    bedside = Bedside(ward)
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        await bedside.send(88, 9)
        assert await alerts(ward) == []
        await bedside.send(88, 1)
        raised = await stream.alert("alert", vitalType="spo2", tier="moderate")
        assert (raised["vitalsWindow"], raised["threshold"]) == ([88] * 10, {"min": 90})
        assert raised["reasons"] == ["spo2 below 90 for 10 samples"]
        await bedside.send(97, 10)
        await stream.alert("alert_resolved", alertId=raised["alertId"], conditionPresent=False)
        await bedside.send(88, 10)
        await bedside.send(79, 1)
        worse = await stream.alert("alert_updated", tier="critical")
        assert worse["alertId"] != raised["alertId"]
        await bedside.send(97, 10)
        await stream.alert("alert_updated", signal="latched", conditionPresent=False)
        assert await alerts(ward) == [("resolved", "moderate", "off"), ("active", "critical", "latched")]
        ended = (await acknowledge(ward, worse["alertId"], "nurse")).json()
        assert (ended["state"], ended["status"]) == ("resolved", "acknowledged")


async def test_an_alert_closed_by_hand_comes_again_after_a_whole_window_of_new_readings(ward: RunningServer) -> None:
    bedside = Bedside(ward)
    await bedside.send(88, 12)
    (alert,) = (await ward.call("GET", "/api/v1/alerts?patient_id=P1", "nurse")).json()["alerts"]
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        await ward.call("POST", f"/api/v1/alerts/alerts/{alert['alertId']}/resolve", "nurse")
        await stream.alert("alert_resolved")
        await bedside.send(88, 9)
        assert len(await alerts(ward)) == 1
        await bedside.send(88, 1)
        assert [state for state, _, _ in await alerts(ward)] == ["resolved", "active"]


async def test_the_rules_speak_up_again_after_a_person_has_closed_another_systems_alert(ward: RunningServer) -> None:
    """The rules had taken it for theirs. Checked by following only alerts that the rules had raised: silence."""
    bedside = Bedside(ward)
    foreign = (await ward.raise_alert("spo2_low", vitalType="spo2")).json()["alertId"]
    await bedside.send(85, 10)
    assert len(await alerts(ward)) == 1
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        await ward.call("POST", f"/api/v1/alerts/alerts/{foreign}/resolve", "nurse")
        await stream.alert("alert_resolved")
        await bedside.send(85, 10)
        await stream.alert("alert", condition="spo2_low", source="rules")


async def test_the_rules_make_no_alert_of_another_system_milder(ward: RunningServer) -> None:
    """Made moderate, it would end by itself with the readings, and nobody would have seen it."""
    bedside = Bedside(ward)
    await ward.raise_alert("spo2_low", vitalType="spo2", tier="critical")
    await bedside.send(88, 10)
    await bedside.send(97, 10)
    assert await alerts(ward) == [("active", "critical", "latched")]


async def test_old_readings_alarm_nobody(ward: RunningServer) -> None:
    bedside = Bedside(ward)
    bedside._next -= timedelta(seconds=100)
    await bedside.send(70, 50)
    assert await alerts(ward) == []


async def test_an_alarm_that_the_database_did_not_take_is_raised_without_another_reading(ward: RunningServer) -> None:
    """The next one of a blood pressure may be half an hour off."""
    bedside, db = Bedside(ward), ward.services.get(Database)
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        await bedside.send(97, 1)
        async with db.write() as session:
            await session.execute(sa.text("ALTER TABLE alerts RENAME TO elsewhere"))
        with capture_logs() as logged:
            await bedside.send(70, 1)
        assert "vitals.ruling_failed" in [line["event"] for line in logged]
        async with db.write() as session:
            await session.execute(sa.text("ALTER TABLE elsewhere RENAME TO alerts"))
        await stream.alert("alert", condition="spo2_low", tier="critical")
