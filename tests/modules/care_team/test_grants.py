from __future__ import annotations

import anyio
import pytest

from app.core.roles import Role
from app.modules.patients.service import UnknownPatient
from app.modules.users.service import UnknownUser
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio


async def test_a_grant_holds_until_it_is_revoked(ward: Ward) -> None:
    nurse = await ward.user("nurse", Role.NURSE)
    await ward.patients.create("P1", None)
    await ward.patients.create("P2", None)

    await ward.care_team.add("P1", nurse.id)
    await ward.care_team.add("P2", nurse.id, granted_by=nurse.id)
    assert await ward.care_team.patients_of(nurse.id) == {"P1", "P2"}

    await ward.care_team.remove("P1", nurse.id)
    assert await ward.care_team.patients_of(nurse.id) == {"P2"}


async def test_a_repeated_grant_or_revocation_changes_nothing(ward: Ward) -> None:
    nurse = await ward.user("nurse", Role.NURSE)
    await ward.patients.create("P1", None)

    await ward.care_team.remove("P1", nurse.id)
    assert (await ward.changes_of(nurse.id), ward.announced) == (0, 0)

    for _ in range(2):
        await ward.care_team.add("P1", nurse.id)
        assert (await ward.changes_of(nurse.id), ward.announced) == (1, 1)

    for _ in range(2):
        await ward.care_team.remove("P1", nurse.id)
        assert (await ward.changes_of(nurse.id), ward.announced) == (2, 2)


async def test_the_same_grant_made_many_times_at_once_is_made_once(ward: Ward) -> None:
    nurse = await ward.user("nurse", Role.NURSE)
    await ward.patients.create("P1", None)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ward.care_team.add, "P1", nurse.id)

    assert await ward.care_team.patients_of(nurse.id) == {"P1"}
    assert await ward.changes_of(nurse.id) == 1


async def test_a_grant_needs_a_patient_and_a_user(ward: Ward) -> None:
    nurse = await ward.user("nurse", Role.NURSE)
    await ward.patients.create("P1", None)

    for change in (ward.care_team.add, ward.care_team.remove):
        with pytest.raises(UnknownPatient):
            await change("P2", nurse.id)
        with pytest.raises(UnknownUser):
            await change("P1", "nobody")

    assert await ward.changes_of(nurse.id) == 0
