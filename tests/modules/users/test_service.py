from __future__ import annotations

import anyio
import pytest

from app.core.errors import InvalidField
from app.core.roles import Role
from app.modules.users.errors import EmailTaken, LastAdmin, UnknownUser
from app.modules.users.schemas import User, UserChanges
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


async def test_a_user_is_found_by_id_and_by_address_in_any_case(ward: Ward) -> None:
    made = await ward.users.create("  Ada.Quinn@Example.org ", None, [Role.NURSE, Role.CAREGIVER])

    assert made.email == "ada.quinn@example.org"
    assert made.name == "ada.quinn"
    assert made.roles == {Role.NURSE, Role.CAREGIVER}
    assert made.created_at == ward.clock.now()
    assert await ward.users.get(made.id) == made
    assert await ward.users.by_email("ADA.quinn@example.org") == made


async def test_roles_are_written_in_the_order_of_their_definition(ward: Ward) -> None:
    made = await ward.user("ada", Role.ADMIN, Role.NURSE, Role.CAREGIVER)

    assert made.model_dump(mode="json", by_alias=True) == {
        "id": made.id,
        "email": "ada@example.org",
        "name": "ada",
        "roles": ["caregiver", "nurse", "admin"],
        "disabled": False,
        "createdAt": "2026-01-02T03:04:05Z",
    }


async def test_an_address_belongs_to_one_user(ward: Ward) -> None:
    await ward.user("ada", Role.NURSE)

    with pytest.raises(EmailTaken):
        await ward.users.create("ADA@example.org", None, [Role.DOCTOR])


async def test_of_two_users_made_at_once_with_one_address_one_is_made(ward: Ward) -> None:
    outcomes: list[str] = []

    async def make() -> None:
        try:
            await ward.user("ada", Role.NURSE)
            outcomes.append("made")
        except EmailTaken:
            outcomes.append("taken")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(make)

    assert sorted(outcomes) == ["made"] + ["taken"] * 4


@pytest.mark.parametrize(
    "email",
    ["", "ada", "@example.org", "ada@", "a@b@c", "ada quinn@example.org", "ada\x00@example.org", "a" * 250 + "@x.org"],
)
async def test_what_is_no_address_is_refused_by_name(ward: Ward, email: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await ward.users.create(email, "Ada", [Role.NURSE])

    assert refused.value.field == "email"


@pytest.mark.parametrize("name", ["", "   ", "a" * 201, "Ada\x00", "Ada\nQuinn"])
async def test_what_is_no_name_is_refused_by_name(ward: Ward, name: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await ward.users.create("ada@example.org", name, [Role.NURSE])

    assert refused.value.field == "name"


@pytest.mark.parametrize("role", ["hospital", "wizard", "", "Nurse"])
async def test_a_role_that_is_not_given_to_accounts_is_refused_by_its_place(ward: Ward, role: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await ward.users.create("ada@example.org", "Ada", ["nurse", role])

    assert refused.value.field == "roles[1]"
    assert "first_responder" in refused.value.message


@pytest.mark.parametrize("length", [0, 7, 1025])
async def test_a_password_that_is_too_short_or_too_long_is_refused(ward: Ward, length: int) -> None:
    with pytest.raises(InvalidField) as refused:
        await ward.user("ada", Role.NURSE, password="x" * length)

    assert refused.value.field == "password"


@pytest.mark.parametrize("length", [8, 1024])
async def test_the_shortest_and_the_longest_password_are_taken(ward: Ward, length: int) -> None:
    made = await ward.user("ada", Role.NURSE, password="x" * length)

    assert await ward.users.by_password("ada@example.org", "x" * length) == made


async def test_a_user_is_known_by_the_right_password_alone(ward: Ward) -> None:
    made = await ward.user("ada", Role.NURSE, password=PASSWORD)
    await ward.user("device", Role.DEVICE)

    assert await ward.users.by_password("ADA@example.org", PASSWORD) == made
    assert await ward.users.by_password("ada@example.org", PASSWORD + " ") is None
    assert await ward.users.by_password("device@example.org", PASSWORD) is None
    assert await ward.users.by_password("device@example.org", "") is None
    assert await ward.users.by_password("nobody@example.org", PASSWORD) is None
    assert await ward.users.by_password("ada\x00@example.org", PASSWORD) is None


async def test_a_change_touches_what_it_names_and_nothing_else(ward: Ward) -> None:
    ada = await ward.user("ada", Role.NURSE, password=PASSWORD)

    changed = await ward.users.update(ada.id, UserChanges(name="Ada Quinn"))
    assert changed == ada.model_copy(update={"name": "Ada Quinn"})
    assert await ward.users.get(ada.id) == changed

    changed = await ward.users.update(ada.id, UserChanges(roles=[Role.DOCTOR], disabled=True))
    assert changed == ada.model_copy(update={"name": "Ada Quinn", "roles": frozenset({Role.DOCTOR}), "disabled": True})

    await ward.users.update(ada.id, UserChanges(password="another horse battery"))
    assert await ward.users.by_password("ada@example.org", PASSWORD) is None
    assert await ward.users.by_password("ada@example.org", "another horse battery") == changed


async def test_a_change_of_rights_is_recorded_and_announced(ward: Ward) -> None:
    ada = await ward.user("ada", Role.NURSE)

    await ward.users.update(ada.id, UserChanges(disabled=True))

    assert await ward.changes_of(ada.id) == 1
    assert ward.announced == 1


async def test_an_unknown_user_is_told_and_nothing_is_recorded(ward: Ward) -> None:
    with pytest.raises(UnknownUser):
        await ward.users.get("nobody")
    with pytest.raises(UnknownUser):
        await ward.users.by_email("nobody@example.org")
    with pytest.raises(UnknownUser):
        await ward.users.update("nobody", UserChanges(disabled=True))

    assert await ward.changes_of("nobody") == 0
    assert ward.announced == 0


@pytest.mark.parametrize("changes", [UserChanges(disabled=True), UserChanges(roles=[Role.NURSE])])
async def test_the_last_enabled_admin_stays_one(ward: Ward, changes: UserChanges) -> None:
    admin = await ward.user("admin", Role.ADMIN)
    other = await ward.user("other", Role.ADMIN)
    await ward.users.update(other.id, UserChanges(disabled=True))

    with pytest.raises(LastAdmin):
        await ward.users.update(admin.id, changes)

    assert await ward.users.get(admin.id) == admin
    assert await ward.changes_of(admin.id) == 0
    await ward.users.update(other.id, UserChanges(disabled=False))
    await ward.users.update(admin.id, changes)


async def test_the_last_admin_may_be_renamed(ward: Ward) -> None:
    admin = await ward.user("admin", Role.ADMIN)

    assert (await ward.users.update(admin.id, UserChanges(name="Boss", roles=[Role.ADMIN]))).name == "Boss"


async def test_of_admins_who_demote_each_other_at_once_one_is_left(ward: Ward) -> None:
    admins = [await ward.user(f"admin-{n}", Role.ADMIN) for n in range(4)]
    refused: list[User] = []

    async def demote(admin: User) -> None:
        try:
            await ward.users.update(admin.id, UserChanges(roles=[Role.NURSE]))
        except LastAdmin:
            refused.append(admin)

    async with anyio.create_task_group() as tasks:
        for admin in admins:
            tasks.start_soon(demote, admin)

    assert len(refused) == 1
    assert Role.ADMIN in (await ward.users.get(refused[0].id)).roles
