"""Care teams by HTTP: a grant opens streams and calls at once, and taking it away ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.roles import Role
from app.modules.care_team.models import CareTeamGrant
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

TEAM = "/api/v1/patients/P1/care-team"


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with an admin and two nurses; nobody is on the care teams of P1 and P2 yet."""
    async with serving(tmp_path) as server:
        for name, role in (("admin", Role.ADMIN), ("ada", Role.NURSE), ("eve", Role.NURSE)):
            await server.user(name, role)
        await server.patient("P1")
        await server.patient("P2")
        yield server


async def test_a_grant_holds_from_the_moment_it_is_answered(ward: RunningServer) -> None:
    ada, admin = await _id_of(ward, "ada"), await _id_of(ward, "admin")
    async with ward.stream("ada") as refused:
        assert (refused.status, refused.problem["code"]) == (403, "not_on_care_team")

    granted = await ward.call("PUT", _grant("P1", ada), "admin")

    assert (granted.status_code, granted.content) == (204, b"")
    assert (await ward.call("GET", "/api/v1/users/me", "ada")).json()["patientIds"] == ["P1"]
    async with ward.stream("ada") as stream:
        await stream.control("stream.ready")
    async with ward.stream("ada", patient_id="P2") as elsewhere, ward.stream("eve") as other:
        assert (elsewhere.status, other.status) == (403, 403)
    async with ward.services.get(Database).read() as session:
        assert list(await session.scalars(sa.select(CareTeamGrant.granted_by))) == [admin]


async def test_a_revocation_ends_the_streams_of_that_patient_within_a_second_and_no_others(
    ward: RunningServer,
) -> None:
    """Fails when `remove` does not record the change (checked so)."""
    ada, eve = await _id_of(ward, "ada"), await _id_of(ward, "eve")
    for patient_id, user_id in (("P1", ada), ("P2", ada), ("P1", eve)):
        await ward.call("PUT", _grant(patient_id, user_id), "admin")
    async with (
        ward.stream("ada") as revoked,
        ward.stream("ada", patient_id="P2") as of_another_patient,
        ward.stream("eve") as of_another_nurse,
    ):
        for stream in (revoked, of_another_patient, of_another_nurse):
            await stream.control("stream.ready")
        assert (await ward.call("DELETE", _grant("P1", ada), "admin")).status_code == 204
        with anyio.fail_after(1):
            assert (await revoked.control("stream.closing"))["reason"] == "access_changed"
        await ward.raise_alert("afterwards")
        await ward.raise_alert("elsewhere", patient_id="P2")
        await of_another_nurse.alert("alert", condition="afterwards")
        await of_another_patient.alert("alert", condition="elsewhere")
        await revoked.end()
        assert revoked.alerts == []
    async with ward.stream("ada") as refused:
        assert refused.status == 403


async def test_granting_and_revoking_twice_is_harmless(ward: RunningServer) -> None:
    ada = await _id_of(ward, "ada")
    for method, patient_ids in (("PUT", ["P1"]), ("PUT", ["P1"]), ("DELETE", []), ("DELETE", [])):
        assert (await ward.call(method, _grant("P1", ada), "admin")).status_code == 204
        assert (await ward.call("GET", "/api/v1/users/me", "ada")).json()["patientIds"] == patient_ids


async def test_a_repeated_grant_leaves_open_streams_alone(ward: RunningServer) -> None:
    ada = await _id_of(ward, "ada")
    await ward.call("PUT", _grant("P1", ada), "admin")
    async with ward.stream("ada") as stream:
        await stream.control("stream.ready")
        await ward.call("PUT", _grant("P1", ada), "admin")
        await ward.call("PUT", _grant("P2", ada), "admin")
        await ward.raise_alert("afterwards")
        await stream.alert("alert", condition="afterwards")


async def test_nobody_but_an_admin_grants_or_learns_who_there_is(ward: RunningServer) -> None:
    """Fails when a route does not ask for the role (checked so, with each of the two)."""
    ada, eve = await _id_of(ward, "ada"), await _id_of(ward, "eve")
    await ward.call("PUT", _grant("P1", eve), "admin")
    for who, refusal in ((None, (401, "not_signed_in")), ("ada", (403, "role_not_held"))):
        for path in (_grant("P1", ada), _grant("P1", eve), _grant("no-such-patient", ada), _grant("P1", "nobody")):
            for method in ("PUT", "DELETE"):
                assert code_of(await ward.call(method, path, who)) == refusal
    assert (await ward.call("GET", "/api/v1/users/me", "ada")).json()["patientIds"] == []
    assert (await ward.call("GET", "/api/v1/users/me", "eve")).json()["patientIds"] == ["P1"]


async def test_what_is_not_there_is_told_and_what_cannot_be_is_named(ward: RunningServer) -> None:
    ada = await _id_of(ward, "ada")
    for method in ("PUT", "DELETE"):
        for path, refusal in (
            (_grant("no-such-patient", ada), (404, "unknown_patient")),
            (_grant("*", ada), (422, "validation_error")),
            (_grant("all", ada), (404, "unknown_patient")),
            (_grant("P1", "nobody"), (404, "unknown_user")),
        ):
            assert code_of(await ward.call(method, path, "admin")) == refusal, path
        wrong = await ward.call(method, _grant("bed 3", "x" * 65), "admin")
        assert [error["field"] for error in wrong.json()["errors"]] == ["patientId", "userId"]


async def _id_of(server: RunningServer, name: str) -> str:
    found: str = (await server.call("GET", "/api/v1/users/me", name)).json()["id"]
    return found


def _grant(patient_id: str, user_id: str) -> str:
    return f"/api/v1/patients/{patient_id}/care-team/{user_id}"


async def test_a_care_team_is_told_by_name_with_what_each_is_and_since_when(ward: RunningServer) -> None:
    eve, ada = await _id_of(ward, "eve"), await _id_of(ward, "ada")
    renamed = await ward.call("PATCH", f"/api/v1/users/{ada}", "admin", {"name": "zoë", "roles": ["doctor", "nurse"]})
    assert renamed.status_code == 200
    assert (await ward.call("GET", TEAM, "admin")).json() == {"patientId": "P1", "members": []}
    for user_id in (ada, eve):
        await ward.call("PUT", _grant("P1", user_id), "admin")

    for who in ("admin", "eve"):
        told = (await ward.call("GET", TEAM, who)).json()
        since = [member.pop("grantedAt") for member in told["members"]]
        assert told == {
            "patientId": "P1",
            "members": [
                {"userId": eve, "name": "Eve", "email": "eve@example.org", "roles": ["nurse"]},
                {"userId": ada, "name": "zoë", "email": "ada@example.org", "roles": ["doctor", "nurse"]},
            ],
        }
        assert all(at.endswith("Z") for at in since)
        assert since == sorted(since, reverse=True)


async def test_a_care_team_is_told_to_whoever_may_see_the_patient_and_to_nobody_else(ward: RunningServer) -> None:
    await ward.user("rosa", Role.PATIENT, patient_of="P3")
    await ward.user("monitor", Role.DEVICE)
    await ward.grant("P1", "monitor", "ada")
    for who, address in (("ada", TEAM), ("monitor", TEAM), ("rosa", "/api/v1/patients/P3/care-team")):
        assert (await ward.call("GET", address, who)).status_code == 200
    for who in ("eve", "rosa"):
        assert code_of(await ward.call("GET", TEAM, who)) == (403, "not_on_care_team")
    assert code_of(await ward.call("GET", TEAM)) == (401, "not_signed_in")
    unknown = "/api/v1/patients/P9/care-team"
    assert code_of(await ward.call("GET", unknown, "admin")) == (404, "unknown_patient")
    assert code_of(await ward.call("GET", unknown, "ada")) == (403, "not_on_care_team")


async def test_an_admin_is_told_on_whose_care_teams_an_account_stands(ward: RunningServer) -> None:
    ada = await _id_of(ward, "ada")
    path = f"/api/v1/users/{ada}/patients"
    assert (await ward.call("GET", path, "admin")).json()["patientIds"] == []

    await ward.grant("P2", "ada", "eve")
    await ward.grant("P1", "ada")
    told = (await ward.call("GET", path, "admin")).json()

    assert (told["user"]["email"], told["patientIds"]) == ("ada@example.org", ["P1", "P2"])
    await ward.revoke("P2", "ada")
    assert (await ward.call("GET", path, "admin")).json()["patientIds"] == ["P1"]
    assert code_of(await ward.call("GET", path, "ada")) == (403, "role_not_held")
    assert code_of(await ward.call("GET", path)) == (401, "not_signed_in")
    assert code_of(await ward.call("GET", "/api/v1/users/nobody/patients", "admin")) == (404, "unknown_user")
