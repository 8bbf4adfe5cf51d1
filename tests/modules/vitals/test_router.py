from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from app.core.timestamps import to_rfc3339
from tests.modules.vitals.bedside import Bed
from tests.servers import RunningServer, code_of

pytestmark = pytest.mark.anyio

VITALS = "/api/v1/vitals"
YEAR = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
BACKWARDS = {"since": "2026-01-01T00:00:01Z", "until": "2026-01-01T00:00:00Z"}


def values(body: dict[str, Any]) -> list[object]:
    return [reading["value"] for reading in body["readings"]]


async def test_one_reading_is_taken_with_its_patient_in_the_body_or_in_the_query(
    server: RunningServer, bed: Bed
) -> None:
    first = await server.call("POST", VITALS, "device", {**bed.reading(), "patientId": "P1"})
    assert (first.status_code, first.json()) == (201, {"accepted": 1, "duplicates": 0})
    again = await server.call("POST", f"{VITALS}?patient_id=P1", "device", bed.reading())
    assert (again.status_code, again.json()) == (201, {"accepted": 0, "duplicates": 1})
    own = await server.call("POST", VITALS, "patient", bed.reading())
    assert (own.status_code, own.json()) == (201, {"accepted": 1, "duplicates": 0})


async def test_many_readings_are_committed_and_ruled_on_when_they_are_answered(server: RunningServer, bed: Bed) -> None:
    readings = [bed.reading(30, seconds=second) for second in range(-20, 0)]
    answer = await server.call("POST", f"{VITALS}/bulk", "device", {"patientId": "P1", "readings": readings * 2})
    assert (answer.status_code, answer.json()) == (201, {"accepted": 20, "duplicates": 20})
    latest = await server.call("GET", f"{VITALS}/latest?patient_id=P1", "nurse")
    assert latest.json() == {"patientId": "P1", "readings": [readings[-1]]}
    alerts = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "nurse")).json()["alerts"]
    assert [alert["condition"] for alert in alerts] == ["heart_rate_low"]


async def test_of_many_readings_none_is_taken_when_one_cannot_be_used(server: RunningServer, bed: Bed) -> None:
    readings = [bed.reading(), bed.reading(900, seconds=-1), bed.reading(unit="mmHg", seconds=-2)]
    refused = await server.call("POST", f"{VITALS}/bulk", "device", {"patientId": "P1", "readings": readings})
    assert code_of(refused) == (422, "validation_error")
    assert [error["field"] for error in refused.json()["errors"]] == ["readings[1].value", "readings[2].unit"]
    latest = await server.call("GET", f"{VITALS}/latest?patient_id=P1", "nurse")
    assert latest.json()["readings"] == []


async def test_a_reading_that_cannot_be_used_is_refused_with_its_field(server: RunningServer, bed: Bed) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"value": float("nan")}, "value"),
        ({"value": "72"}, "value"),
        ({"type": "ecg"}, "type"),
        ({"timestamp": "2026-01-02T03:04:05"}, "timestamp"),
        ({"timestamp": "2999-01-02T03:04:05Z"}, "timestamp"),
        ({"colour": "red"}, "colour"),
        ({"patientId": "P 1"}, "patientId"),
        ({"patientId": "P2"}, "patientId"),
    ]
    for changes, field in cases:
        refused = await server.http.post(
            f"{VITALS}?patient_id=P1",
            content=json.dumps(bed.reading() | changes),
            headers={**server.bearer("device"), "Content-Type": "application/json"},
        )
        assert code_of(refused) == (422, "validation_error"), changes
        assert [error["field"] for error in refused.json()["errors"]] == [field], changes


async def test_a_request_has_one_to_a_thousand_readings(server: RunningServer, bed: Bed) -> None:
    for count in (0, 1001):
        body = {"patientId": "P1", "readings": [bed.reading()] * count}
        assert code_of(await server.call("POST", f"{VITALS}/bulk", "device", body)) == (422, "validation_error")


async def test_who_may_not_send_is_refused(server: RunningServer, bed: Bed) -> None:
    cases: list[tuple[str | None, str | None, tuple[int, str]]] = [
        (None, "P1", (401, "not_signed_in")),
        ("nurse", "P1", (403, "role_not_held")),
        ("device", "P9", (403, "not_on_care_team")),
        ("device", None, (400, "patient_id_required")),
        ("patient", "P1", (403, "not_own_record")),
    ]
    for name, patient_id, expected in cases:
        body = bed.reading() if patient_id is None else bed.reading(patientId=patient_id)
        assert code_of(await server.call("POST", VITALS, name, body)) == expected, (name, patient_id)


@pytest.mark.parametrize("path", ["latest", "history", "series"])
async def test_who_may_not_see_is_refused(server: RunningServer, bed: Bed, path: str) -> None:
    cases: list[tuple[str | None, str | None, tuple[int, str]]] = [
        (None, "P1", (401, "not_signed_in")),
        ("outsider", "P1", (403, "not_on_care_team")),
        ("device", "P1", (403, "not_on_care_team")),
        ("patient", "P1", (403, "not_on_care_team")),
        ("nurse", None, (400, "patient_id_required")),
        ("nurse", "with a space", (422, "validation_error")),
    ]
    for name, patient_id, expected in cases:
        query = {"type": "heart_rate", "since": bed.time(-60), "until": bed.time()} if path == "series" else {}
        if patient_id is not None:
            query["patient_id"] = patient_id
        answer = await server.call("GET", f"{VITALS}/{path}", name, params=query)
        assert code_of(answer) == expected, (name, patient_id)


async def test_the_care_team_and_an_admin_see_what_was_sent(server: RunningServer, bed: Bed) -> None:
    await server.call("POST", VITALS, "device", bed.reading(patientId="P1"))
    for name in ("nurse", "admin"):
        assert values((await server.call("GET", f"{VITALS}/latest?patient_id=P1", name)).json()) == [72]


async def test_a_patient_sees_their_own_record_without_naming_it(server: RunningServer, bed: Bed) -> None:
    await server.call("POST", VITALS, "patient", bed.reading())
    assert (await server.call("GET", f"{VITALS}/latest", "patient")).json() == {
        "patientId": "P9",
        "readings": [bed.reading()],
    }


async def test_a_history_is_read_page_by_page(server: RunningServer, bed: Bed) -> None:
    readings = [bed.reading(60 + number, seconds=number - 10) for number in range(5)]
    await server.call("POST", f"{VITALS}/bulk", "device", {"patientId": "P1", "readings": readings})
    query = {"patient_id": "P1", "limit": "2", "since": bed.time(-9)}
    pages = []
    while True:
        page = (await server.call("GET", f"{VITALS}/history", "nurse", params=query)).json()
        pages.append(values(page))
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert pages == [[64, 63], [62, 61]]


async def test_a_series_is_two_lists_of_equal_length_oldest_first(server: RunningServer, bed: Bed) -> None:
    readings = [bed.reading(60 + number, seconds=number - 10) for number in range(3)]
    await server.call("POST", f"{VITALS}/bulk", "device", {"patientId": "P1", "readings": readings})
    query = {"patient_id": "P1", "type": "heart_rate", "since": bed.time(-60), "until": bed.time()}
    assert (await server.call("GET", f"{VITALS}/series", "nurse", params=query)).json() == {
        "resolution": "raw",
        "patientId": "P1",
        "type": "heart_rate",
        "unit": "/min",
        "timestamps": [reading["timestamp"] for reading in readings],
        "values": [60, 61, 62],
        "truncated": False,
    }


async def test_a_series_in_buckets_has_the_least_mean_and_greatest_of_each(server: RunningServer, bed: Bed) -> None:
    start = bed.now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    moments = [start + timedelta(seconds=seconds) for seconds in (0, 59, 120)]
    readings = [bed.reading(60 + n, timestamp=to_rfc3339(moment)) for n, moment in enumerate(moments)]
    await server.call("POST", f"{VITALS}/bulk", "device", {"patientId": "P1", "readings": readings})
    stretch = {"since": to_rfc3339(start), "until": to_rfc3339(start + timedelta(minutes=10))}
    query = {"patient_id": "P1", "type": "heart_rate", "resolution": "buckets", "points": "10", **stretch}
    assert (await server.call("GET", f"{VITALS}/series", "nurse", params=query)).json() == {
        "resolution": "buckets",
        "patientId": "P1",
        "type": "heart_rate",
        "unit": "/min",
        "bucketSeconds": 60,
        "timestamps": [to_rfc3339(start + timedelta(minutes=minute)) for minute in range(10)],
        "min": [60, None, 62] + [None] * 7,
        "mean": [60.5, None, 62] + [None] * 7,
        "max": [61, None, 62] + [None] * 7,
        "count": [2, 0, 1] + [0] * 7,
    }


async def test_a_question_that_cannot_be_answered_is_refused_with_its_field(server: RunningServer) -> None:
    cases: list[tuple[str, dict[str, str], str]] = [
        ("history", {"cursor": "not one"}, "cursor"),
        ("history", {"type": "ecg"}, "type"),
        ("history", {"limit": "5001"}, "limit"),
        ("history", {"since": "2026-01-02T03:04:05"}, "since"),
        ("history", {"since": "0001-01-01T00:00:00+23:59"}, "since"),
        ("series", {"type": "spo2", "since": "2026-01-01T00:00:00Z", "until": "2027-02-05T00:00:01Z"}, "until"),
        ("history", BACKWARDS, "until"),
        ("series", {**BACKWARDS, "type": "spo2"}, "until"),
        ("series", {**YEAR, "type": "consciousness", "resolution": "buckets"}, "resolution"),
        ("series", {**YEAR, "type": "spo2", "resolution": "hourly"}, "resolution"),
        ("series", {**YEAR, "type": "spo2", "points": "2001"}, "points"),
        ("series", {"type": "spo2", "since": "2026-01-01T00:00:00Z"}, "until"),
    ]
    for path, query, field in cases:
        refused = await server.call("GET", f"{VITALS}/{path}", "nurse", params={"patient_id": "P1", **query})
        assert code_of(refused) == (422, "validation_error"), query
        assert [error["field"] for error in refused.json()["errors"]] == [field], query


async def test_every_parameter_of_stored_readings_says_what_it_is(server: RunningServer) -> None:
    document = (await server.http.get("/openapi.json")).json()
    for path in ("latest", "history", "series"):
        parameters = document["paths"][f"{VITALS}/{path}"]["get"]["parameters"]
        assert [it["name"] for it in parameters if not it.get("description")] == []
    sent = document["components"]["schemas"]["ReadingInput"]["properties"]
    assert [name for name, field in sent.items() if not field.get("description")] == []
