"""The accounts, page by page, and those that a few letters lead to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.roles import Role
from app.modules.users.service import UserService
from tests.servers import RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

USERS = "/api/v1/users"
PEOPLE = {
    "zoe@ward.example": "Zoë Özdemir",
    "ada@ward.example": "Ada Quinn",
    "bed_3@ward.example": "Monitor 50 %",
    "bed-3@ward.example": "Monitor 7",
    "carla@icu.example": "Carla O/Brien",
}
ADMIN = "admin@example.org"
EVERYBODY = sorted([ADMIN, *PEOPLE])


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path) as server:
        await server.user("admin", Role.ADMIN)
        for email, name in PEOPLE.items():
            await server.services.get(UserService).create(email, name, [Role.NURSE])
        yield server


async def found(server: RunningServer, **query: str | int) -> tuple[list[str], str | None]:
    """The addresses on a page, and the cursor of the next."""
    answer = await server.call("GET", USERS, "admin", params=query)
    assert answer.status_code == 200, answer.text
    return [user["email"] for user in answer.json()["users"]], answer.json()["nextCursor"]


async def test_the_accounts_come_by_address_however_many_fit_on_a_page(ward: RunningServer) -> None:
    assert await found(ward) == (EVERYBODY, None)
    for limit in (1, 2, 4, 6):
        seen, cursor = await found(ward, limit=limit)
        while cursor is not None:
            assert "@" not in cursor, "an address of a page is logged on its way, and that of a person is in none"
            page, cursor = await found(ward, limit=limit, cursor=cursor)
            seen += page
        assert seen == EVERYBODY


async def test_an_account_is_shown_with_what_it_was_given_and_never_with_its_password(ward: RunningServer) -> None:
    await ward.user("signs-in", Role.DOCTOR, Role.CAREGIVER, password="correct horse battery")
    (user,) = (await ward.call("GET", f"{USERS}?q=signs-in", "admin")).json()["users"]
    assert user == {
        "id": user["id"], "email": "signs-in@example.org", "name": "Signs-In", "roles": ["caregiver", "doctor"],
        "disabled": False, "createdAt": user["createdAt"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("letters", "emails"),
    [
        ("ward", {"zoe@ward.example", "ada@ward.example", "bed_3@ward.example", "bed-3@ward.example"}),
        ("QUINN", {"ada@ward.example"}),
        ("öZDE", {"zoe@ward.example"}),
        ("zoË ö", {"zoe@ward.example"}),
        ("  ada ", {"ada@ward.example"}),
        ("_", {"bed_3@ward.example"}),
        ("%", {"bed_3@ward.example"}),
        ("o/b", {"carla@icu.example"}),
        ("\\", set()),
        ("nobody", set()),
        ("", set(EVERYBODY)),
        (" ", set(EVERYBODY)),
    ],
)
async def test_a_part_of_the_address_or_the_name_is_enough_in_any_case_and_stands_for_itself(
    ward: RunningServer, letters: str, emails: set[str]
) -> None:
    """Fails for % and _ when they are not escaped, and for Ö with the `lower` of SQLite (both checked so)."""
    assert set((await found(ward, q=letters))[0]) == emails


async def test_what_is_searched_for_holds_on_every_page(ward: RunningServer) -> None:
    first, cursor = await found(ward, q="monitor", limit=1)
    assert cursor is not None
    assert (first, await found(ward, q="monitor", limit=1, cursor=cursor)) == (
        ["bed-3@ward.example"],
        (["bed_3@ward.example"], None),
    )


async def test_nobody_but_an_admin_is_told_of_the_accounts(ward: RunningServer) -> None:
    await ward.user("nurse", Role.NURSE)
    assert code_of(await ward.call("GET", USERS)) == (401, "not_signed_in")
    assert code_of(await ward.call("GET", USERS, "nurse")) == (403, "role_not_held")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "cursor=nobody", "cursor=no%20id", "q=%00", "q=" + "x" * 201]
)
async def test_a_page_that_cannot_be_is_refused_by_the_name_of_its_field(ward: RunningServer, query: str) -> None:
    refused = await ward.call("GET", f"{USERS}?{query}", "admin")
    assert code_of(refused) == (422, "validation_error")
    assert [error["field"] for error in refused.json()["errors"]] == [query.partition("=")[0]]
