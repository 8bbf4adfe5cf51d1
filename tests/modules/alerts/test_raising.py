"""Raising alerts from other systems, and finding them again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.modules.alerts.steps import (
    acknowledge,
)
from tests.servers import RunningServer, code_of

pytestmark = pytest.mark.anyio


async def test_raising_an_open_condition_again_answers_with_that_alert_and_writes_only_what_changed(
    ward: RunningServer,
) -> None:
    first = await ward.raise_alert("c")
    same = await ward.raise_alert("c")
    changed = await ward.raise_alert("c", vitalsWindow=[200])
    assert [r.status_code for r in (first, same, changed)] == [201, 200, 200]
    assert len({r.json()["alertId"] for r in (first, same, changed)}) == 1
    detail = (await ward.call("GET", f"/api/v1/alerts/{first.json()['alertId']}", "nurse")).json()
    assert [event["event"] for event in detail["timeline"]] == ["alert", "alert_updated"]


async def test_two_raises_that_race_make_one_alert(ward: RunningServer) -> None:
    responses = await asyncio.gather(*(ward.raise_alert("race", reasons=[f"r{n}"]) for n in range(20)))
    assert sorted(response.status_code for response in responses) == [200] * 19 + [201]
    assert len({response.json()["alertId"] for response in responses}) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tier": "severe"}, "tier"),
        ({"patientId": "no id"}, "patientId"),
        ({"reasons": []}, "reasons"),
        ({"reasons": "fast"}, "reasons"),
        ({"recipients": ["wizard"]}, "recipients[0]"),
        ({"recipients": ["device"]}, "recipients"),
        ({"recipient": ["nurse"]}, "recipient"),
        ({"vitalsWindow": ["fast"]}, "vitalsWindow[0]"),
        ({"threshold": {"max": "high"}}, "threshold.max"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-01-02T03:04:05"}, "timestamp"),
        ({"timestamp": "2999-01-02T03:04:05Z"}, "timestamp"),
        ({"condition": "x" * 65}, "condition"),
        ({"reasons": ["\x00"]}, "reasons[0]"),
        ({"context": {"a": "\x00"}}, "context"),
        ({"context": {"a": "x" * 33_000}}, "context"),
        ({"context": "text"}, "context"),
    ],
)
async def test_an_alert_that_cannot_be_is_refused_by_the_name_of_its_field(
    ward: RunningServer, fields: dict[str, object], field: str
) -> None:
    response = await ward.raise_alert(**fields)  # type: ignore[arg-type]
    assert code_of(response) == (422, "validation_error")
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_a_number_that_is_none_is_refused(ward: RunningServer, number: str) -> None:
    body = '{"patientId":"P1","vitalType":"heart_rate","tier":"slight","reasons":["r"],"vitalsWindow":[NUMBER]}'
    headers = {**ward.bearer("admin"), "Content-Type": "application/json"}
    response = await ward.http.post("/api/v1/alerts", content=body.replace("NUMBER", number), headers=headers)
    assert code_of(response) == (422, "validation_error")
    assert response.json()["errors"][0]["field"] == "vitalsWindow[0]"


@pytest.mark.parametrize(
    ("who", "patient_id", "refusal"),
    [
        (None, "P1", (401, "not_signed_in")),
        ("nurse", "P1", (403, "role_not_held")),
        ("device", "P2", (403, "not_on_care_team")),
        ("admin", "no-such-patient", (404, "unknown_patient")),
    ],
)
async def test_only_admins_and_devices_of_the_patient_raise(
    ward: RunningServer, who: str | None, patient_id: str, refusal: tuple[int, str]
) -> None:
    body = {"patientId": patient_id, "vitalType": "heart_rate", "tier": "slight", "reasons": ["r"]}
    assert code_of(await ward.call("POST", "/api/v1/alerts", who, body)) == refusal
    allowed = await ward.call("POST", "/api/v1/alerts", "device", body | {"patientId": "P1"})
    assert (allowed.status_code, allowed.json()["recipients"]) == (201, ["patient", "caregiver", "nurse"])


async def test_a_body_of_two_megabytes_is_refused_and_the_server_goes_on(ward: RunningServer) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"x" * 65_536

    headers = {**ward.bearer("admin"), "Content-Type": "application/json"}
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        told = await ward.http.post("/api/v1/alerts", content=b"x" * (2 << 20), headers=headers)
        untold = await ward.http.post("/api/v1/alerts", content=chunks(), headers=headers)
        assert code_of(told) == code_of(untold) == (413, "body_too_large")
        await ward.raise_alert("still-here")
        await stream.alert("alert", condition="still-here")


# --- history --------------------------------------------------------------------------------------


async def test_history_pages_through_what_the_caller_may_see_newest_first(ward: RunningServer) -> None:
    raised = [(await ward.raise_alert(f"c{n}")).json()["alertId"] for n in range(7)]
    await ward.raise_alert("hidden", recipients=["doctor"])
    await acknowledge(ward, raised[2], "nurse")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"patient_id": "P1", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await ward.call("GET", "/api/v1/alerts", "nurse", params=params)).json()
        seen += [alert["alertId"] for alert in page["alerts"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == raised[::-1]
    states = {}
    for state in ("open", "active", "acknowledged", "resolved"):
        page = (await ward.call("GET", "/api/v1/alerts", "nurse", params={"state": state})).json()
        states[state] = len(page["alerts"])
    assert states == {"open": 7, "active": 6, "acknowledged": 1, "resolved": 0}
    assert len((await ward.call("GET", "/api/v1/alerts", "admin")).json()["alerts"]) == 8
    assert (await ward.call("GET", "/api/v1/alerts", "outsider")).json()["alerts"] == []
    assert code_of(await ward.call("GET", "/api/v1/alerts", "nurse", params={"patient_id": "P2"})) == (
        403,
        "not_on_care_team",
    )
    assert code_of(await ward.call("GET", "/api/v1/alerts", "nurse", params={"cursor": "x"})) == (
        422,
        "validation_error",
    )
