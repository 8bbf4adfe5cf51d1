"""Patient records by HTTP: who makes them, whose own they are, and what cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.roles import Role
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

PATIENTS, ME = "/api/v1/patients", "/api/v1/users/me"


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server with an admin, a nurse, and Rosa, who has no record yet."""
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE)
        await server.user("rosa", Role.PATIENT)
        yield server


async def test_an_admin_makes_a_record_by_its_id_alone_or_with_a_name(ward: RunningServer) -> None:
    bare = await ward.call("POST", PATIENTS, "admin", {"id": "bed-3"})
    named = await ward.call("POST", PATIENTS, "admin", {"id": "ward:2.4_A", "name": "  Bed 4 "})

    assert (bare.status_code, bare.json()) == (201, {"id": "bed-3", "name": "bed-3", "userId": None, "unit": None})
    assert (named.status_code, named.json()) == (
        201, {"id": "ward:2.4_A", "name": "Bed 4", "userId": None, "unit": None},
    )  # fmt: skip


async def test_who_is_given_a_record_of_their_own_is_a_patient_from_then_on(ward: RunningServer) -> None:
    rosa = (await ward.call("GET", ME, "rosa")).json()
    stream = {"role": "patient"}
    refused = await ward.call("GET", "/api/v1/alerts/stream", "rosa", params=stream)
    assert (rosa["roles"], rosa["patientId"], code_of(refused)) == ([], None, (403, "role_not_held"))

    made = await ward.call("POST", PATIENTS, "admin", {"id": "P1", "name": "Rosa Lind", "userId": rosa["id"]})

    assert (made.status_code, made.json()["userId"]) == (201, rosa["id"])
    me = (await ward.call("GET", ME, "rosa")).json()
    assert (me["roles"], me["patientId"], me["patientIds"]) == (["patient"], "P1", [])
    async with ward.stream("rosa", "patient", None) as opened:
        await opened.control("stream.ready")
        await ward.raise_alert("own", recipients=["patient"])
        await opened.alert("alert", patientId="P1")


async def test_nobody_but_an_admin_makes_a_record(ward: RunningServer) -> None:
    """Fails when the route does not ask for the role (checked so)."""
    rosa = (await ward.call("GET", ME, "rosa")).json()["id"]
    for who, refusal in (
        (None, (401, "not_signed_in")), ("nurse", (403, "role_not_held")), ("rosa", (403, "role_not_held")),
    ):  # fmt: skip
        assert code_of(await ward.call("POST", PATIENTS, who, {"id": "P1", "userId": rosa})) == refusal
    assert (await ward.call("POST", PATIENTS, "admin", {"id": "P1"})).status_code == 201


async def test_a_record_that_is_in_the_way_of_another_is_told(ward: RunningServer) -> None:
    rosa = (await ward.call("GET", ME, "rosa")).json()["id"]
    assert (await ward.call("POST", PATIENTS, "admin", {"id": "P1", "userId": rosa})).status_code == 201
    cases = [
        ({"id": "P1"}, (409, "patient_exists")),
        ({"id": "P1", "userId": rosa}, (409, "patient_exists")),
        ({"id": "P2", "userId": rosa}, (409, "user_has_patient_record")),
        ({"id": "P2", "userId": "nobody"}, (404, "unknown_user")),
    ]
    for body, refusal in cases:
        assert code_of(await ward.call("POST", PATIENTS, "admin", body)) == refusal, body
    assert (await ward.call("POST", PATIENTS, "admin", {"id": "P2"})).status_code == 201


async def test_a_record_that_cannot_be_is_refused_by_the_name_of_its_field(ward: RunningServer) -> None:
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["id"]),
        ({"id": ""}, ["id"]),
        ({"id": "bed 3"}, ["id"]),
        ({"id": "x" * 65}, ["id"]),
        ({"id": "bed/3"}, ["id"]),
        ({"id": "P1\n"}, ["id"]),
        ({"id": 7}, ["id"]),
        ({"id": "*"}, ["id"]),
        ({"id": "all"}, ["id"]),
        ({"id": "P1", "name": ""}, ["name"]),
        ({"id": "P1", "name": "x" * 201}, ["name"]),
        ({"id": "P1", "userId": "no id"}, ["userId"]),
        ({"id": "P1", "user": "nobody", "bed": 3}, ["user", "bed"]),
    ]
    for body, fields in cases:
        refused = await ward.call("POST", PATIENTS, "admin", body)
        assert code_of(refused) == (422, "validation_error"), body
        assert [error["field"] for error in refused.json()["errors"]] == fields
    assert (await ward.call("POST", PATIENTS, "admin", {"id": "x" * 64})).status_code == 201


async def test_an_admin_moves_a_patient_to_a_unit_and_off_it_and_gives_another_name(ward: RunningServer) -> None:
    made = await ward.call("POST", PATIENTS, "admin", {"id": "P1", "unit": "ward-2"})
    assert (made.status_code, made.json()["unit"]) == (201, "ward-2")
    cases: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
        ({"name": " Rosa "}, ("Rosa", "ward-2")),
        ({"unit": "icu"}, ("Rosa", "icu")),
        ({}, ("Rosa", "icu")),
        ({"unit": None, "name": None}, ("Rosa", None)),
    ]
    for body, (name, unit) in cases:
        changed = await ward.call("PATCH", f"{PATIENTS}/P1", "admin", body)
        assert (changed.status_code, changed.json()) == (
            200, {"id": "P1", "name": name, "userId": None, "unit": unit},
        ), body  # fmt: skip


async def test_nobody_but_an_admin_moves_a_patient_and_only_one_who_is_there(ward: RunningServer) -> None:
    await ward.patient("P1", "nurse")
    assert code_of(await ward.call("PATCH", f"{PATIENTS}/P1", None, {"unit": "icu"})) == (401, "not_signed_in")
    assert code_of(await ward.call("PATCH", f"{PATIENTS}/P1", "nurse", {"unit": "icu"})) == (403, "role_not_held")
    for patient_id in ("P2", "all"):
        refused = await ward.call("PATCH", f"{PATIENTS}/{patient_id}", "admin", {"unit": "icu"})
        assert code_of(refused) == (404, "unknown_patient")
    for body, field in (({"unit": "a b"}, "unit"), ({"unit": ""}, "unit"), ({"name": ""}, "name"), ({"bed": 1}, "bed")):
        refused = await ward.call("PATCH", f"{PATIENTS}/P1", "admin", body)
        assert (code_of(refused), refused.json()["errors"][0]["field"]) == ((422, "validation_error"), field)
