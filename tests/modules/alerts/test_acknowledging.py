"""Acknowledging and resolving by HTTP: who may, what is answered, and who is told."""

from __future__ import annotations

import pytest

from tests.modules.alerts.steps import (
    acknowledge,
)
from tests.servers import RunningServer, code_of

pytestmark = pytest.mark.anyio


async def test_an_acknowledgement_answers_with_the_new_state_and_reaches_everybody_who_had_the_alert(
    ward: RunningServer,
) -> None:
    alert_id = (await ward.raise_alert("c", recipients=["nurse", "doctor"])).json()["alertId"]
    async with ward.stream("doctor", "doctor") as doctor, ward.stream("caregiver", "caregiver") as caregiver:
        await doctor.control("stream.ready")
        await caregiver.control("stream.ready")
        response = await acknowledge(ward, alert_id, "nurse", {"status": "confirmed", "note": "Patient stable"})
        told = await doctor.alert("alert_acknowledged", alertId=alert_id)
        assert caregiver.alerts == []
    assert response.status_code == 200
    answer = response.json()
    assert answer["message"] == "Alert acknowledged successfully"
    expected = {
        "alertId": alert_id, "state": "acknowledged", "signal": "acknowledged", "responsibility": "accepted",
        "acknowledgedBy": "nurse", "status": "confirmed", "note": "Patient stable", "nextEscalationAt": None,
        "conditionPresent": True,
    }  # fmt: skip
    assert answer.items() >= expected.items()
    assert told.items() >= expected.items()
    assert told["acknowledgedByUser"] == (await ward.call("GET", "/api/v1/users/me", "nurse")).json()["id"]


async def test_a_repeated_acknowledgement_is_harmless_and_another_persons_is_refused_with_who_and_when(
    ward: RunningServer,
) -> None:
    alert_id = (await ward.raise_alert("c", recipients=["nurse", "doctor"])).json()["alertId"]
    first = await acknowledge(ward, alert_id, "nurse")
    again = await acknowledge(ward, alert_id, "nurse")
    other = await acknowledge(ward, alert_id, "doctor")
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert code_of(other) == (409, "already_acknowledged")
    assert other.json()["acknowledgedBy"] == "nurse"
    assert other.json()["acknowledgedByName"] == "Nurse"
    assert other.json()["acknowledgedAt"] == first.json()["acknowledgedAt"]
    detail = (await ward.call("GET", f"/api/v1/alerts/{alert_id}", "doctor")).json()
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_acknowledged"]


@pytest.mark.parametrize(
    ("who", "patient_id", "refusals"),
    [
        (None, "P1", {(401, "not_signed_in")}),
        ("outsider", "P1", {(403, "not_on_care_team")}),
        ("outsider", None, {(404, "unknown_alert")}),
        ("caregiver", "P1", {(404, "unknown_alert")}),
        ("admin", "P2", {(404, "unknown_alert")}),
        ("device", "P1", {(403, "role_not_held")}),
    ],
)
async def test_who_may_not_see_an_alert_may_not_acknowledge_it(
    ward: RunningServer, who: str | None, patient_id: str | None, refusals: set[tuple[int, str]]
) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    query = {} if patient_id is None else {"patient_id": patient_id}
    response = await ward.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge", who, {}, params=query)
    assert code_of(response) in refusals


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "later"}, "status"),
        ({"note": "x" * 2001}, "note"),
        ({"note": 5}, "note"),
        ({"remark": "x"}, "remark"),
        ([], "body"),
    ],
)
async def test_an_acknowledgement_that_cannot_be_names_its_field(ward: RunningServer, body: object, field: str) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    response = await ward.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge?patient_id=P1", "nurse", body)
    assert code_of(response) == (422, "validation_error")
    assert response.json()["errors"][0]["field"] == field


async def test_an_unknown_alert_is_not_found(ward: RunningServer) -> None:
    assert code_of(await acknowledge(ward, "no-such-alert", "nurse")) == (404, "unknown_alert")


async def test_acknowledging_as_resolved_closes_the_alert_and_tells_both(ward: RunningServer) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        response = await acknowledge(ward, alert_id, "nurse", {"status": "resolved", "note": "Patient stable"})
        await stream.alert("alert_acknowledged", status="resolved")
        await stream.alert("alert_resolved", state="resolved", resolvedBy="nurse")
    assert response.json()["state"] == "resolved"


async def test_resolving_by_hand_is_told_once_however_often_it_is_asked(ward: RunningServer) -> None:
    alert_id = (await ward.raise_alert("c")).json()["alertId"]
    address = f"/api/v1/alerts/alerts/{alert_id}/resolve?patient_id=P1"
    first = await ward.call("POST", address, "nurse", {"note": "lead was off"})
    second = await ward.call("POST", address, "nurse")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["resolutionNote"] == second.json()["resolutionNote"] == "lead was off"
    detail = (await ward.call("GET", f"/api/v1/alerts/{alert_id}", "nurse")).json()
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_resolved"]
    assert (await ward.raise_alert("c")).status_code == 201
