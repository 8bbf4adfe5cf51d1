"""Which patients somebody is told of: page by page, and one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

PATIENTS = "/api/v1/patients"


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """Five patients, of whom P5 is Rosa; the nurse cares for three, and for Rosa nobody."""
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE)
        await server.user("monitor", Role.DEVICE)
        await server.user("stranger", Role.DOCTOR)
        await server.user("former", Role.PATIENT)
        for patient_id, team in (("P3", ["nurse", "monitor"]), ("P1", ["nurse"]), ("P4", []), ("P2", ["nurse"])):
            await server.patient(patient_id, *team)
        await server.user("rosa", Role.CAREGIVER, patient_of="P5")
        await server.grant("P2", "rosa", "former")
        yield server


async def pages(server: RunningServer, who: str, limit: int) -> list[list[str]]:
    """The ids of every page that there is."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await server.call("GET", PATIENTS, who, params={"limit": limit, **cursor})
        assert answer.status_code == 200
        found.append([patient["id"] for patient in answer.json()["patients"]])
        if answer.json()["nextCursor"] is None:
            return found
        cursor = {"cursor": answer.json()["nextCursor"]}


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("admin", ["P1", "P2", "P3", "P4", "P5"]),
        ("nurse", ["P1", "P2", "P3"]),
        ("monitor", ["P3"]),
        ("rosa", ["P2", "P5"]),
        ("former", []),  # on a care team, and without a role that acts on one
        ("stranger", []),
    ],
)
async def test_everybody_is_told_of_their_own_patients_by_id_however_many_fit_on_a_page(
    ward: RunningServer, who: str, seen: list[str]
) -> None:
    for limit in (1, 2, 3, 500):
        found = await pages(ward, who, limit)
        assert [patient_id for page in found for patient_id in page] == seen
        assert len(found) == max(1, -(-len(seen) // limit)), "no page is empty but the only one"
    for patient_id in ("P1", "P2", "P3", "P4", "P5"):
        one = await ward.call("GET", f"{PATIENTS}/{patient_id}", who)
        assert (one.status_code == 200) == (patient_id in seen)


async def test_a_patient_is_shown_as_an_admin_has_made_the_record(ward: RunningServer) -> None:
    await ward.call("PATCH", f"{PATIENTS}/P3", "admin", {"name": "Bed 3", "unit": "ward-2"})
    shown = {"id": "P3", "name": "Bed 3", "userId": None, "unit": "ward-2"}
    assert (await ward.call("GET", f"{PATIENTS}/P3", "monitor")).json() == shown
    assert (await ward.call("GET", PATIENTS, "monitor")).json() == {"patients": [shown], "nextCursor": None}


async def test_only_an_admin_learns_that_a_patient_is_unknown(ward: RunningServer) -> None:
    for patient_id in ("P9", "all"):
        address = f"{PATIENTS}/{patient_id}"
        assert code_of(await ward.call("GET", address, "admin")) == (404, "unknown_patient")
        assert code_of(await ward.call("GET", address, "nurse")) == (403, "not_on_care_team")
        assert code_of(await ward.call("GET", address)) == (401, "not_signed_in")


async def test_a_patient_is_gone_from_the_list_with_the_care_team(ward: RunningServer) -> None:
    await ward.revoke("P1", "nurse")
    assert await pages(ward, "nurse", 500) == [["P2", "P3"]]
    assert code_of(await ward.call("GET", f"{PATIENTS}/P1", "nurse")) == (403, "not_on_care_team")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "cursor=", "cursor=no%20id", "limit=many"])
async def test_a_page_that_cannot_be_is_refused_by_the_name_of_its_field(ward: RunningServer, query: str) -> None:
    refused = await ward.call("GET", f"{PATIENTS}?{query}", "admin")
    assert code_of(refused) == (422, "validation_error")
    assert [error["field"] for error in refused.json()["errors"]] == [query.partition("=")[0]]
