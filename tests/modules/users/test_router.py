"""Accounts by HTTP: who may make and change them, and what follows at once for those who are signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving
from tests.sse import EventStream

pytestmark = pytest.mark.anyio

USERS, ME, SIGN_IN = "/api/v1/users", "/api/v1/users/me", "/api/v1/login/access-token"
PASSWORD = "correct horse battery"


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with an admin, a nurse on the care team of P1 and P0, and a device."""
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE)
        await server.user("device", Role.DEVICE)
        await server.patient("P1", "nurse")
        await server.patient("P0", "nurse")
        yield server


async def test_an_admin_makes_an_account_that_can_sign_in(ward: RunningServer) -> None:
    body = {"email": " Ada.Quinn@Example.org", "roles": ["doctor", "caregiver"], "password": PASSWORD}
    made = await ward.call("POST", USERS, "admin", body)

    user = made.json()
    assert made.status_code == 201
    assert user | {"id": "", "createdAt": ""} == {
        "id": "", "email": "ada.quinn@example.org", "name": "ada.quinn", "roles": ["caregiver", "doctor"],
        "disabled": False, "createdAt": "",
    }  # fmt: skip
    assert user["createdAt"].endswith("Z")
    signed_in = await ward.http.post(SIGN_IN, data={"username": "ada.quinn@example.org", "password": PASSWORD})
    me = await ward.http.get(ME, headers={"Authorization": f"Bearer {signed_in.json()['access_token']}"})
    assert me.json() == {
        "id": user["id"], "email": "ada.quinn@example.org", "name": "ada.quinn",
        "roles": ["caregiver", "doctor", "hospital"], "patientId": None, "patientIds": [],
    }  # fmt: skip


async def test_everybody_learns_who_they_are_and_whom_they_care_for(ward: RunningServer) -> None:
    rosa = await ward.user("rosa", Role.CAREGIVER, patient_of="own")
    await ward.grant("P1", "rosa")

    assert (await ward.call("GET", ME, "nurse")).json()["patientIds"] == ["P0", "P1"]
    assert (await ward.call("GET", ME, "rosa")).json() == {
        "id": rosa, "email": "rosa@example.org", "name": "Rosa", "roles": ["patient", "caregiver"],
        "patientId": "own", "patientIds": ["P1"],
    }  # fmt: skip
    assert code_of(await ward.call("GET", ME)) == (401, "not_signed_in")


async def test_nobody_but_an_admin_makes_or_changes_an_account(ward: RunningServer) -> None:
    """Fails when a route does not ask for the role (checked so, with each of the two)."""
    nurse = (await ward.call("GET", ME, "nurse")).json()["id"]
    for who, refusal in ((None, (401, "not_signed_in")), ("nurse", (403, "role_not_held"))):
        made = await ward.call("POST", USERS, who, {"email": "eve@example.org", "roles": ["admin"]})
        changed = await ward.call("PATCH", f"{USERS}/{nurse}", who, {"roles": ["admin"]})
        unknown = await ward.call("PATCH", f"{USERS}/nobody", who, {"roles": ["admin"]})
        assert code_of(made) == code_of(changed) == code_of(unknown) == refusal
    assert (await ward.call("GET", ME, "nurse")).json()["roles"] == ["nurse"]
    assert (await ward.call("POST", USERS, "admin", {"email": "eve@example.org", "roles": []})).status_code == 201


async def test_an_account_that_cannot_be_is_refused_by_the_name_of_its_field(ward: RunningServer) -> None:
    right: dict[str, Any] = {"email": "eve@example.org", "roles": ["nurse"]}
    cases: list[tuple[Any, list[str]]] = [
        ({"roles": ["nurse"]}, ["email"]),
        (right | {"email": "nowhere"}, ["email"]),
        (right | {"roles": ["nurse", "wizard"]}, ["roles[1]"]),
        (right | {"roles": ["hospital"]}, ["roles[0]"]),
        (right | {"roles": "nurse"}, ["roles"]),
        (right | {"name": "tab\tbed"}, ["name"]),
        (right | {"password": "short"}, ["password"]),
        (right | {"password": 12345678}, ["password"]),
        (right | {"disabled": True}, ["disabled"]),
        (right | {"id": "chosen"}, ["id"]),
        ([right], ["body"]),
    ]
    for body, fields in cases:
        refused = await ward.call("POST", USERS, "admin", body)
        assert code_of(refused) == (422, "validation_error"), body
        assert [error["field"] for error in refused.json()["errors"]] == fields
    nurse = (await ward.call("GET", ME, "nurse")).json()
    changes = [({"email": "eve@example.org"}, "email"), ({"disabled": "perhaps"}, "disabled"), ({"name": " "}, "name")]
    for change, field in changes:
        refused = await ward.call("PATCH", f"{USERS}/{nurse['id']}", "admin", change)
        assert code_of(refused) == (422, "validation_error"), change
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    refused = await ward.call("PATCH", f"{USERS}/not an id", "admin", {})
    assert [error["field"] for error in refused.json()["errors"]] == ["user_id"]
    assert (await ward.call("GET", ME, "nurse")).json() == nurse


async def test_an_address_that_is_taken_and_a_user_that_is_not_there_are_told(ward: RunningServer) -> None:
    taken = await ward.call("POST", USERS, "admin", {"email": "NURSE@example.org", "roles": []})
    unknown = await ward.call("PATCH", f"{USERS}/nobody", "admin", {"name": "Nobody"})
    assert code_of(taken) == (409, "email_taken")
    assert code_of(unknown) == (404, "unknown_user")


async def test_the_last_admin_stays_one(ward: RunningServer) -> None:
    admin = (await ward.call("GET", ME, "admin")).json()["id"]
    for change in ({"roles": ["nurse"]}, {"disabled": True}):
        assert code_of(await ward.call("PATCH", f"{USERS}/{admin}", "admin", change)) == (409, "last_admin")
    await ward.user("second", Role.ADMIN)
    assert (await ward.call("PATCH", f"{USERS}/{admin}", "admin", {"roles": ["nurse"]})).status_code == 200
    assert code_of(await ward.call("POST", USERS, "admin", {"email": "x@x", "roles": []})) == (403, "role_not_held")


async def test_a_changed_role_holds_at_once_for_calls_and_open_streams(ward: RunningServer) -> None:
    nurse = (await ward.call("GET", ME, "nurse")).json()["id"]
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        changed = await ward.call("PATCH", f"{USERS}/{nurse}", "admin", {"roles": ["doctor"], "name": "Dr. Ada"})
        with anyio.fail_after(1):
            assert (await stream.control("stream.closing"))["reason"] == "access_changed"
    assert (changed.json()["roles"], changed.json()["name"]) == (["doctor"], "Dr. Ada")
    assert (await ward.call("GET", ME, "nurse")).json()["roles"] == ["doctor", "hospital"]


@pytest.mark.parametrize("change", [{"password": "another horse"}, {"disabled": True}])
async def test_a_new_password_or_disabling_ends_every_sign_in_of_the_user(
    ward: RunningServer, change: dict[str, object]
) -> None:
    """Fails for the password when the route does not sign the user out (checked so)."""
    ada = await ward.user("ada", Role.NURSE, password=PASSWORD)
    await ward.grant("P1", "ada")
    credentials = {"username": "ada@example.org", "password": PASSWORD}
    pairs = [(await ward.http.post(SIGN_IN, data=credentials)).json() for _ in range(2)]
    headers = [{"Authorization": f"Bearer {pair['access_token']}"} for pair in pairs]
    query = {"role": "nurse", "patient_id": "P1"}
    async with EventStream.open(ward.http, "/api/v1/alerts/stream", params=query, headers=headers[0]) as stream:
        await stream.control("stream.ready")
        assert (await ward.call("PATCH", f"{USERS}/{ada}", "admin", change)).status_code == 200
        with anyio.fail_after(1):
            await stream.control("stream.closing")
    assert [(await ward.http.get(ME, headers=header)).status_code for header in headers] == [401, 401]
    for pair in pairs:
        refused = await ward.http.post("/api/v1/refresh-token", json={"refreshToken": pair["refresh_token"]})
        assert code_of(refused) == (401, "refresh_token_invalid")
    assert (await ward.http.post(SIGN_IN, data=credentials)).status_code == 401
    if "password" in change:
        signed_in = await ward.http.post(SIGN_IN, data=credentials | {"password": "another horse"})
        assert signed_in.status_code == 200
        assert (await ward.call("GET", ME, "ada")).status_code == 200, "an operator's token has no sign-in to end"


async def test_a_change_of_a_name_ends_nothing(ward: RunningServer) -> None:
    nurse = (await ward.call("GET", ME, "nurse")).json()["id"]
    async with ward.stream("nurse") as stream:
        await stream.control("stream.ready")
        for change in ({}, {"name": "Ada", "roles": None, "disabled": None, "password": None}):
            assert (await ward.call("PATCH", f"{USERS}/{nurse}", "admin", change)).status_code == 200
        await ward.raise_alert("afterwards")
        await stream.alert("alert", condition="afterwards")
    assert (await ward.call("GET", ME, "nurse")).json()["name"] == "Ada"
