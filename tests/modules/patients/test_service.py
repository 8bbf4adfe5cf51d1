from __future__ import annotations

import pytest

from app.core.errors import InvalidField
from app.core.roles import Role
from app.modules.patients.errors import PatientExists, UnknownPatient, UserHasPatientRecord
from app.modules.patients.schemas import Patient
from app.modules.users.service import UnknownUser
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio


async def test_a_patient_that_was_made_is_there(ward: Ward) -> None:
    assert await ward.patients.create("P1", " Bed 1 ") == Patient(id="P1", name="Bed 1", user_id=None)

    assert await ward.patients.exists("P1")
    await ward.patients.require("P1")


async def test_a_patient_without_a_name_goes_by_the_id(ward: Ward) -> None:
    assert (await ward.patients.create("bed-3", None)).name == "bed-3"


@pytest.mark.parametrize("patient_id", ["P2", "p1", "", "*", "all", "P1\x00", "x" * 65])
async def test_a_patient_that_is_not_there_is_refused(ward: Ward, patient_id: str) -> None:
    await ward.patients.create("P1", None)

    assert not await ward.patients.exists(patient_id)
    with pytest.raises(UnknownPatient):
        await ward.patients.require(patient_id)


@pytest.mark.parametrize("patient_id", ["", "a b", "a/b", "x" * 65, "P1\n", "*", "all", "å"])
async def test_an_id_that_cannot_be_is_refused_by_name(ward: Ward, patient_id: str) -> None:
    with pytest.raises(InvalidField) as refused:
        await ward.patients.create(patient_id, "Bed 1")

    assert refused.value.field == "id"


async def test_an_id_belongs_to_one_patient(ward: Ward) -> None:
    await ward.patients.create("P1", None)

    with pytest.raises(PatientExists):
        await ward.patients.create("P1", None)


async def test_a_person_has_one_record_and_holds_the_role_by_it(ward: Ward) -> None:
    rosa = await ward.user("rosa")
    assert await ward.patients.own_patient_id(rosa.id) is None

    await ward.patients.create("P1", "Rosa", rosa.id)

    assert await ward.patients.own_patient_id(rosa.id) == "P1"
    assert (await ward.principal("rosa")).roles == {Role.PATIENT}
    with pytest.raises(UserHasPatientRecord):
        await ward.patients.create("P2", "Rosa", rosa.id)
    assert not await ward.patients.exists("P2")


async def test_linking_a_user_to_a_record_is_a_change_of_rights(ward: Ward) -> None:
    rosa = await ward.user("rosa")

    await ward.patients.create("P1", None)
    assert ward.announced == 0

    await ward.patients.create("P2", None, rosa.id)
    assert await ward.changes_of(rosa.id) == 1
    assert ward.announced == 1


async def test_a_record_of_an_unknown_user_is_not_made(ward: Ward) -> None:
    with pytest.raises(UnknownUser):
        await ward.patients.create("P1", None, "nobody")

    assert not await ward.patients.exists("P1")
