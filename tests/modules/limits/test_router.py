"""Limits by HTTP: who may see and set them, what cannot be, and what the audit says."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from app.modules.alerts.rules.file import load_rules
from tests.modules.limits.bed import LIMITS, WARD, limits_at, move, one, put
from tests.servers import RunningServer, code_of

pytestmark = pytest.mark.anyio

SPO2, CRITICAL_SPO2 = ("spo2_low", "moderate"), ("spo2_low", "critical")


async def test_without_anything_set_every_limit_is_that_of_the_rules(ward: RunningServer) -> None:
    found = (await ward.call("GET", LIMITS, "nurse")).json()
    assert (found["patientId"], found["unit"], found["spo2Scale"], found["ignored"]) == ("P1", "ward-2", 1, [])
    shipped = [(condition.name, level.tier) for condition in load_rules().conditions for level in condition.levels]
    assert [(it["condition"], it["tier"]) for it in found["limits"]] == shipped
    assert all(it["limit"] == it["default"] and it["source"] == "rules" for it in found["limits"])
    assert next(it for it in found["limits"] if (it["condition"], it["tier"]) == SPO2) == {
        "condition": "spo2_low", "vitalType": "spo2", "unit": "%", "tier": "moderate", "direction": "below",
        "limit": 90, "default": 90, "source": "rules", "setBy": None, "setAt": None,
    }  # fmt: skip


async def test_what_a_nurse_sets_is_in_force_with_who_has_set_it_and_when(ward: RunningServer) -> None:
    answer = await put(ward, "nurse", one("spo2_low", "moderate", 88), spo2Scale=2)
    assert answer.status_code == 200
    found = (await ward.call("GET", LIMITS, "caregiver")).json()
    assert answer.json() == found
    (own,) = [it for it in found["limits"] if it["source"] == "patient"]
    assert (own["condition"], own["limit"], own["default"]) == ("spo2_low", 88, 90)
    assert (own["setBy"]["name"], own["setBy"]["role"]) == ("Nurse", "nurse")
    assert datetime.fromisoformat(own["setAt"]).utcoffset() is not None
    assert (found["spo2Scale"], found["spo2ScaleSetBy"]["name"]) == (2, "Nurse")


async def test_what_is_set_again_unchanged_keeps_who_has_set_it(ward: RunningServer) -> None:
    await put(ward, "nurse", one("spo2_low", "moderate", 88), spo2Scale=2)
    answer = await put(ward, "doctor", one("spo2_low", "moderate", 88), one("spo2_low", "critical", 82))
    by = {(it["condition"], it["tier"]): it["setBy"]["name"] for it in answer.json()["limits"] if it["setBy"]}
    assert by == {SPO2: "Nurse", CRITICAL_SPO2: "Doctor"}
    assert (answer.json()["spo2Scale"], answer.json()["spo2ScaleSetBy"]["name"]) == (2, "Nurse")


async def test_an_empty_list_takes_all_of_the_patients_own_away(ward: RunningServer) -> None:
    await put(ward, "nurse", one("spo2_low", "moderate", 88))
    await put(ward, "nurse")
    assert (await limits_at(ward))[SPO2] == (90, "rules")


async def test_doctors_and_nurses_of_the_care_team_set_limits_and_nobody_else(ward: RunningServer) -> None:
    """Fails when the route asks for the team alone, and when it asks for the role alone (checked so)."""
    own = "/api/v1/patients/own/limits"
    for who, path, refusal in (
        (None, LIMITS, (401, "not_signed_in")),
        ("admin", LIMITS, (403, "role_not_held")),
        ("caregiver", LIMITS, (403, "role_not_held")),
        ("device", LIMITS, (403, "role_not_held")),
        ("rosa", own, (403, "role_not_held")),
        ("outsider", LIMITS, (403, "not_on_care_team")),
        ("chief", LIMITS, (403, "not_on_care_team")),
        ("nurse", "/api/v1/patients/nobody/limits", (403, "not_on_care_team")),
    ):
        assert code_of(await put(ward, who, one("spo2_low", "moderate", 88), path=path)) == refusal, (who, path)
    assert (await limits_at(ward))[SPO2] == (90, "rules")
    await ward.grant("P1", "chief")
    assert (await put(ward, "chief", one("spo2_low", "moderate", 88))).status_code == 200
    await ward.revoke("P1", "chief")
    assert code_of(await put(ward, "chief")) == (403, "not_on_care_team")


async def test_limits_are_seen_by_whoever_sees_the_patient(ward: RunningServer) -> None:
    for who, path, refusal in (
        (None, LIMITS, (401, "not_signed_in")),
        ("outsider", LIMITS, (403, "not_on_care_team")),
        ("device", LIMITS, (403, "not_on_care_team")),
        ("rosa", LIMITS, (403, "not_on_care_team")),
        ("admin", "/api/v1/patients/nobody/limits", (404, "unknown_patient")),
    ):
        assert code_of(await ward.call("GET", path, who)) == refusal, (who, path)
    for who, path in (("admin", LIMITS), ("caregiver", LIMITS), ("rosa", "/api/v1/patients/own/limits")):
        assert (await ward.call("GET", path, who)).status_code == 200


async def test_a_unit_is_for_admins_and_for_doctors_and_nurses_of_its_patients(ward: RunningServer) -> None:
    for who, refusal in (
        (None, (401, "not_signed_in")),
        ("caregiver", (403, "role_not_held")),
        ("rosa", (403, "role_not_held")),
        ("outsider", (403, "not_of_unit")),
    ):
        assert code_of(await put(ward, who, path=WARD)) == refusal
        assert code_of(await ward.call("GET", WARD, who)) == refusal
        assert code_of(await ward.call("GET", WARD + "/changes", who)) == refusal
    assert (await put(ward, "nurse", one("spo2_low", "moderate", 91), path=WARD)).status_code == 200
    assert (await put(ward, "admin", one("spo2_low", "moderate", 92), path=WARD)).status_code == 200
    changes = (await ward.call("GET", WARD + "/changes", "doctor")).json()["changes"]
    assert [it["changedBy"]["role"] for it in changes] == ["admin", "nurse"]
    await move(ward, "ward-2", "P2")
    assert (await ward.call("GET", WARD, "outsider")).status_code == 200


async def test_the_limits_of_the_unit_lie_below_the_patients_own(ward: RunningServer) -> None:
    await put(ward, "admin", one("spo2_low", "moderate", 92), one("heart_rate_high", "moderate", 110), path=WARD)
    await put(ward, "nurse", one("spo2_low", "moderate", 88))
    found = await limits_at(ward)
    assert found[SPO2] == (88, "patient")
    assert found["heart_rate_high", "moderate"] == (110, "unit")
    assert found["heart_rate_high", "critical"] == (180, "rules")
    of_unit = await limits_at(ward, WARD)
    assert of_unit[SPO2] == (92, "unit")


async def test_a_patient_who_moves_is_under_the_limits_of_the_other_unit(ward: RunningServer) -> None:
    other = "/api/v1/units/icu/limits"
    await put(ward, "admin", one("spo2_low", "moderate", 92), path=WARD)
    await put(ward, "admin", one("spo2_low", "moderate", 94), path=other)
    for unit, expected in (("icu", (94, "unit")), ("ward-2", (92, "unit")), (None, (90, "rules"))):
        await move(ward, unit)
        assert (await limits_at(ward))[SPO2] == expected
    changes = (await ward.call("GET", LIMITS + "/changes", "nurse")).json()["changes"]
    assert [(it["reason"], it["before"]["unit"], it["after"]["unit"]) for it in changes] == [
        ("moved from ward-2 to no unit", "ward-2", None),
        ("moved from icu to ward-2", "icu", "ward-2"),
        ("moved from ward-2 to icu", "ward-2", "icu"),
        ("moved from no unit to ward-2", None, "ward-2"),
    ]


CANNOT_BE: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([one("spo2_lw", "moderate", 88)], {}, "limits[0].condition"),
    ([one("spo2_low", "slight", 88)], {}, "limits[0].tier"),
    ([one("spo2_low", "high", 88)], {}, "limits[0].tier"),
    ([one("spo2_low", "moderate", 101)], {}, "limits[0].limit"),
    ([one("spo2_low", "moderate", 0)], {}, "limits[0].limit"),
    ([one("heart_rate_high", "moderate", 110), one("heart_rate_high", "critical", 351)], {}, "limits[1].limit"),
    ([{"condition": "spo2_low", "tier": "moderate", "limit": "88"}], {}, "limits[0].limit"),
    ([{"condition": "spo2_low", "tier": "moderate", "limit": True}], {}, "limits[0].limit"),
    ([{"condition": "spo2_low", "tier": "moderate"}], {}, "limits[0].limit"),
    ([one("spo2_low", "moderate", 88), one("spo2_low", "moderate", 87)], {}, "limits[1]"),
    ([one("spo2_low", "moderate", 79)], {}, "limits[0].limit"),
    ([one("heart_rate_high", "moderate", 110), one("spo2_low", "critical", 90)], {}, "limits[1].limit"),
    ([], {"reason": ""}, "reason"),
    ([], {"reason": "  \n"}, "reason"),
    ([], {"reason": "x" * 501}, "reason"),
    ([], {"reason": "a\x00b"}, "reason"),
    ([], {"reason": None}, "reason"),
    ([], {"spo2Scale": 3}, "spo2Scale"),
    ([], {"spo2Scale": True}, "spo2Scale"),
    ([], {"version": -1}, "version"),
    ([], {"limit": 3}, "limit"),
]


async def test_what_cannot_be_is_refused_by_the_name_of_its_field(ward: RunningServer) -> None:
    for limits, more, field in CANNOT_BE:
        refused = await put(ward, "nurse", *limits, **more)
        assert code_of(refused) == (422, "validation_error"), (limits, more, refused.text)
        assert [it["field"] for it in refused.json()["errors"]] == [field], (limits, more)
    assert (await ward.call("GET", LIMITS, "nurse")).json()["version"] == 1
    refused = await put(ward, "nurse", spo2Scale=2, path=WARD)
    assert refused.json()["errors"][0]["field"] == "spo2Scale"


async def test_limits_are_in_order_with_those_of_the_unit_too(ward: RunningServer) -> None:
    """Over the rules alone it would be in order. Fails when the unit's are left out of the check (checked so)."""
    await put(ward, "admin", one("spo2_low", "critical", 88), one("spo2_low", "moderate", 92), path=WARD)
    refused = await put(ward, "nurse", one("spo2_low", "moderate", 87))
    assert refused.json()["errors"] == [
        {
            "field": "limits[0].limit",
            "message": "spo2_low: the limit of `critical` (88) must be below that of `moderate` (87)",
        }
    ]
    assert (await put(ward, "nurse", one("spo2_low", "moderate", 89))).status_code == 200


async def test_limits_between_which_no_value_lies_are_refused_unless_others_have_set_them(ward: RunningServer) -> None:
    low, high = one("heart_rate_low", "moderate", 130), one("heart_rate_high", "moderate", 125)
    message = "no value would be normal: `heart_rate_low` alarms below 130, `heart_rate_high` above 125"
    for limits, field in (([high, low], "limits[0].limit"), ([low, high], "limits[0].limit")):
        refused = await put(ward, "nurse", *limits)
        assert refused.json()["errors"] == [{"field": field, "message": message}]
    assert (await put(ward, "admin", high, path=WARD)).status_code == 200
    assert (await put(ward, "nurse", one("spo2_low", "moderate", 88), low)).json()["errors"] == [
        {"field": "limits[1].limit", "message": message}
    ]


async def test_a_limit_from_which_no_value_would_be_back_is_refused(ward: RunningServer) -> None:
    """At 99.5 and with a hysteresis of 1, 100.5 % would be needed. Fails where only order is asked for (checked so)."""
    for path in (LIMITS, WARD):
        refused = await put(
            ward, "nurse", one("spo2_low", "critical", 85), one("spo2_low", "moderate", 99.5), path=path
        )
        assert code_of(refused) == (422, "validation_error")
        assert refused.json()["errors"] == [
            {
                "field": "limits[0].limit",
                "message": "spo2_low: with a hysteresis of 1 no value of `spo2` would be normal again",
            }
        ]
        assert (await put(ward, "nurse", one("spo2_low", "moderate", 99), path=path)).status_code == 200


async def test_limits_of_the_unit_that_come_to_cross_a_patients_are_ignored_for_this_patient(
    ward: RunningServer,
) -> None:
    low, high = ("heart_rate_low", "moderate"), ("heart_rate_high", "moderate")
    await put(ward, "nurse", one(*high, 100))
    assert (await put(ward, "admin", one(*low, 110), path=WARD)).status_code == 200
    assert (await limits_at(ward, WARD))[low] == (110, "unit")
    found = await limits_at(ward)
    assert (found[low], found[high]) == ((50, "rules"), (100, "patient"))
    (ignored,) = (await ward.call("GET", LIMITS, "nurse")).json()["ignored"]
    assert (ignored["condition"], ignored["limit"], ignored["source"]) == ("heart_rate_low", 110, "unit")
    assert ignored["reason"] == (
        "no value would be normal: `heart_rate_low` alarms below 110, `heart_rate_high` above 100"
    )


async def test_the_audit_says_who_what_when_and_why_newest_first_in_pages(ward: RunningServer) -> None:
    await put(ward, "nurse", one("spo2_low", "moderate", 88), reason=" COPD, usual 89 ")
    await put(ward, "doctor", one("spo2_low", "moderate", 87), spo2Scale=2, reason="blood gas")
    newest = (await ward.call("GET", LIMITS + "/changes?limit=1", "nurse")).json()
    (change,) = newest["changes"]
    assert (change["changedBy"]["name"], change["changedBy"]["role"]) == ("Doctor", "doctor")
    assert change["reason"] == "blood gas"
    assert change["before"] == {"limits": [one("spo2_low", "moderate", 88)], "spo2Scale": 1, "unit": "ward-2"}
    assert change["after"] == {"limits": [one("spo2_low", "moderate", 87)], "spo2Scale": 2, "unit": "ward-2"}
    rest = (await ward.call("GET", f"{LIMITS}/changes?cursor={newest['nextCursor']}", "admin")).json()
    assert [it["reason"] for it in rest["changes"]] == ["COPD, usual 89", "moved from no unit to ward-2"]
    assert rest["nextCursor"] is None
    for cursor in ("x", "", "-1", "٣", "9" * 19):
        refused = await ward.call("GET", LIMITS + "/changes", "nurse", params={"cursor": cursor})
        assert code_of(refused) == (422, "validation_error"), cursor


async def test_the_audit_is_for_those_who_decide(ward: RunningServer) -> None:
    for path in (LIMITS + "/changes", LIMITS + "/suggestions"):
        assert code_of(await ward.call("GET", path, "caregiver")) == (403, "role_not_held")
        assert code_of(await ward.call("GET", path, "outsider")) == (403, "not_on_care_team")
        assert (await ward.call("GET", path, "admin")).status_code == 200


async def test_a_change_based_on_another_version_changes_nothing_and_is_told_the_present_state(
    ward: RunningServer,
) -> None:
    seen = (await ward.call("GET", LIMITS, "nurse")).json()["version"]
    first = await put(ward, "doctor", one("spo2_low", "moderate", 88), version=seen)
    second = await put(ward, "nurse", one("spo2_low", "moderate", 86), version=seen)
    assert code_of(second) == (409, "limits_changed")
    assert second.json()["current"] == first.json()
    assert (await limits_at(ward))[SPO2] == (88, "patient")
    again = await put(ward, "nurse", one("spo2_low", "moderate", 86), version=second.json()["current"]["version"])
    assert again.status_code == 200


async def test_sending_the_same_again_is_harmless_and_no_change(ward: RunningServer) -> None:
    first = await put(ward, "nurse", one("spo2_low", "moderate", 88), version=1)
    again = await put(ward, "nurse", one("spo2_low", "moderate", 88), version=1)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len((await ward.call("GET", LIMITS + "/changes", "nurse")).json()["changes"]) == 2


async def test_of_changes_that_race_on_the_same_version_one_is_made(ward: RunningServer) -> None:
    """Fails when the version is compared outside the transaction (checked so)."""
    answers = await asyncio.gather(
        *(put(ward, "nurse", one("spo2_low", "moderate", 81 + number), version=1) for number in range(8))
    )
    assert sorted(it.status_code for it in answers) == [200] + [409] * 7
    changes = (await ward.call("GET", LIMITS + "/changes", "nurse")).json()["changes"]
    assert [it["number"] for it in changes] == [2, 1]
