"""The role table of the contract: every row, allowed and refused."""

from __future__ import annotations

import pytest

from app.core.access import Scope
from app.core.errors import AppError
from app.core.roles import Role
from app.core.security import RoleNotHeld
from app.modules.care_team.errors import (
    InvalidRole,
    NotOnCareTeam,
    NotOwnRecord,
    PatientIdRequired,
    WildcardNeedsAdmin,
)
from app.modules.patients.service import UnknownPatient
from tests.modules.ward import Ward

pytestmark = pytest.mark.anyio

#: Everybody of the ward; those in the second set stand on the care team of P1, and of no other.
PEOPLE: dict[str, tuple[Role, ...]] = {
    "rosa": (Role.PATIENT,),
    "granted": (Role.PATIENT,),
    "caregiver": (Role.CAREGIVER,),
    "doctor": (Role.DOCTOR,),
    "nurse": (Role.NURSE,),
    "dispatcher": (Role.DISPATCHER,),
    "responder": (Role.FIRST_RESPONDER,),
    "admin": (Role.ADMIN,),
    "chief": (Role.ADMIN, Role.DOCTOR),
    "head": (Role.NURSE, Role.DOCTOR, Role.CAREGIVER),
    "outsider": (Role.NURSE, Role.DOCTOR),
    "monitor": (Role.DEVICE,),
    "loose": (Role.DEVICE,),
    "nobody": (),
}
ON_TEAM = {"caregiver", "doctor", "nurse", "dispatcher", "responder", "head", "monitor"}


@pytest.fixture
async def staffed(ward: Ward) -> Ward:
    """P1 with a care team, P2 with none, and rosa, whose own record is P3."""
    ids = {name: (await ward.user(name, *roles)).id for name, roles in PEOPLE.items()}
    await ward.patients.create("P1", None)
    await ward.patients.create("P2", None)
    await ward.patients.create("P3", None, ids["rosa"])
    for name in sorted(ON_TEAM):
        await ward.care_team.add("P1", ids[name])
    return ward


@pytest.mark.parametrize(
    ("who", "role", "patient_id", "covered"),
    [
        ("rosa", "patient", None, {"P3"}),
        ("rosa", "patient", "P3", {"P3"}),
        ("rosa", "patient", "P1", {"P3"}),
        ("rosa", "patient", "*", {"P3"}),
        ("caregiver", "caregiver", "P1", {"P1"}),
        ("doctor", "doctor", "P1", {"P1"}),
        ("nurse", "nurse", "P1", {"P1"}),
        ("dispatcher", "dispatcher", "P1", {"P1"}),
        ("responder", "first_responder", "P1", {"P1"}),
        ("head", "doctor", "P1", {"P1"}),
        ("head", "nurse", "P1", {"P1"}),
        ("doctor", "hospital", "P1", {"P1"}),
        ("admin", "hospital", "P1", {"P1"}),
        ("admin", "hospital", "P2", {"P2"}),
        ("chief", "hospital", "P2", {"P2"}),
        ("admin", "admin", "P2", {"P2"}),
        ("admin", "admin", None, None),
        ("admin", "admin", "", None),
        ("admin", "admin", "*", None),
        ("admin", "admin", "all", None),
    ],
)
async def test_a_role_that_is_held_sees_what_the_table_says(
    staffed: Ward, who: str, role: str, patient_id: str | None, covered: set[str] | None
) -> None:
    scope = await staffed.care_team.scope(await staffed.principal(who), role, patient_id)

    expected = None if covered is None else frozenset(covered)
    assert scope == Scope(Role(role), frozenset({Role(role)}), expected)


@pytest.mark.parametrize(
    ("who", "role", "patient_id", "error"),
    [
        # A word that is no role to see with comes before everything else.
        ("nurse", "wizard", "P1", InvalidRole),
        ("nurse", "", "P1", InvalidRole),
        ("nurse", "Nurse", "P1", InvalidRole),
        ("admin", "*", None, InvalidRole),
        ("monitor", "device", "P1", InvalidRole),
        # Then whether it is held, whatever patient is named.
        ("nobody", "nurse", "P1", RoleNotHeld),
        ("nurse", "doctor", "P1", RoleNotHeld),
        ("nurse", "doctor", None, RoleNotHeld),
        ("nurse", "admin", "*", RoleNotHeld),
        ("nurse", "hospital", "P1", RoleNotHeld),
        ("nurse", "patient", "P1", RoleNotHeld),
        ("granted", "patient", None, RoleNotHeld),
        ("rosa", "nurse", "P3", RoleNotHeld),
        ("admin", "nurse", "P1", RoleNotHeld),
        ("admin", "doctor", "P1", RoleNotHeld),
        ("monitor", "nurse", "P1", RoleNotHeld),
        # Then whether a patient is named.
        ("caregiver", "caregiver", None, PatientIdRequired),
        ("doctor", "doctor", None, PatientIdRequired),
        ("nurse", "nurse", None, PatientIdRequired),
        ("nurse", "nurse", "", PatientIdRequired),
        ("dispatcher", "dispatcher", None, PatientIdRequired),
        ("responder", "first_responder", None, PatientIdRequired),
        ("doctor", "hospital", None, PatientIdRequired),
        ("admin", "hospital", None, PatientIdRequired),
        # Then whether it is one patient.
        ("nurse", "nurse", "*", WildcardNeedsAdmin),
        ("doctor", "hospital", "all", WildcardNeedsAdmin),
        ("admin", "hospital", "*", WildcardNeedsAdmin),
        # Then the care team, which does not tell whether there is such a patient.
        ("caregiver", "caregiver", "P2", NotOnCareTeam),
        ("doctor", "doctor", "P2", NotOnCareTeam),
        ("nurse", "nurse", "P2", NotOnCareTeam),
        ("nurse", "nurse", "P9", NotOnCareTeam),
        ("nurse", "nurse", "P1\x00", NotOnCareTeam),
        ("dispatcher", "dispatcher", "P2", NotOnCareTeam),
        ("responder", "first_responder", "P2", NotOnCareTeam),
        ("doctor", "hospital", "P2", NotOnCareTeam),
        ("outsider", "nurse", "P1", NotOnCareTeam),
        ("chief", "doctor", "P1", NotOnCareTeam),
        # An admin may know.
        ("admin", "admin", "P9", UnknownPatient),
        ("admin", "admin", "P1\x00", UnknownPatient),
        ("admin", "hospital", "P9", UnknownPatient),
    ],
)
async def test_everything_else_is_refused_with_its_own_reason(
    staffed: Ward, who: str, role: str, patient_id: str | None, error: type[AppError]
) -> None:
    principal = await staffed.principal(who)

    with pytest.raises(AppError) as refused:
        await staffed.care_team.scope(principal, role, patient_id)

    assert type(refused.value) is error


async def test_a_revoked_grant_is_gone_from_the_next_scope(staffed: Ward) -> None:
    nurse = await staffed.principal("nurse")
    await staffed.care_team.remove("P1", nurse.user_id)

    with pytest.raises(NotOnCareTeam):
        await staffed.care_team.scope(nurse, "nurse", "P1")


@pytest.mark.parametrize(
    ("who", "role", "roles", "covered"),
    [
        ("nurse", Role.NURSE, {Role.NURSE}, {"P1"}),
        ("caregiver", Role.CAREGIVER, {Role.CAREGIVER}, {"P1"}),
        ("responder", Role.FIRST_RESPONDER, {Role.FIRST_RESPONDER}, {"P1"}),
        ("doctor", Role.DOCTOR, {Role.DOCTOR, Role.HOSPITAL}, {"P1"}),
        ("head", Role.CAREGIVER, {Role.CAREGIVER, Role.DOCTOR, Role.NURSE, Role.HOSPITAL}, {"P1"}),
        ("outsider", Role.DOCTOR, {Role.DOCTOR, Role.NURSE, Role.HOSPITAL}, set()),
        ("chief", Role.DOCTOR, {Role.DOCTOR, Role.HOSPITAL}, set()),
    ],
)
async def test_the_caregiver_scope_joins_all_roles_of_care_and_all_care_teams(
    staffed: Ward, who: str, role: Role, roles: set[Role], covered: set[str]
) -> None:
    scope = await staffed.care_team.caregiver_scope(await staffed.principal(who))

    assert scope == Scope(role, frozenset(roles), frozenset(covered))


@pytest.mark.parametrize("who", ["admin", "rosa", "monitor", "nobody"])
async def test_without_a_role_of_care_there_is_no_caregiver_scope(staffed: Ward, who: str) -> None:
    principal = await staffed.principal(who)

    with pytest.raises(RoleNotHeld):
        await staffed.care_team.caregiver_scope(principal)


async def test_the_scopes_are_everything_that_any_role_sees(staffed: Ward) -> None:
    async def scopes(who: str) -> tuple[Scope, ...]:
        return await staffed.care_team.scopes(await staffed.principal(who))

    everything = Scope(Role.ADMIN, frozenset({Role.ADMIN}), None)
    own = Scope(Role.PATIENT, frozenset({Role.PATIENT}), frozenset({"P3"}))
    assert await scopes("admin") == (everything,)
    assert await scopes("chief") == (everything,)
    assert await scopes("nurse") == (Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"})),)
    assert await scopes("rosa") == (own,)
    assert await scopes("granted") == ()
    assert await scopes("monitor") == ()
    assert await scopes("nobody") == ()


async def test_a_nurse_who_is_a_patient_sees_as_both(staffed: Ward) -> None:
    nurse = await staffed.principal("nurse")
    await staffed.patients.create("P4", None, nurse.user_id)

    scopes = await staffed.care_team.scopes(await staffed.principal("nurse"))

    assert [(scope.role, scope.patient_ids) for scope in scopes] == [
        (Role.NURSE, frozenset({"P1"})),
        (Role.PATIENT, frozenset({"P4"})),
    ]


@pytest.mark.parametrize(
    ("who", "patient_id", "sent_for"),
    [("rosa", None, "P3"), ("rosa", "", "P3"), ("rosa", "P3", "P3"), ("monitor", "P1", "P1")],
)
async def test_patients_send_for_themselves_and_devices_for_those_they_stand_by(
    staffed: Ward, who: str, patient_id: str | None, sent_for: str
) -> None:
    assert await staffed.care_team.require_sender(await staffed.principal(who), patient_id) == sent_for


@pytest.mark.parametrize(
    ("who", "patient_id", "error"),
    [
        ("rosa", "P1", NotOwnRecord),
        ("rosa", "P9", NotOwnRecord),
        ("monitor", None, PatientIdRequired),
        ("monitor", "", PatientIdRequired),
        ("monitor", "P2", NotOnCareTeam),
        ("monitor", "P9", NotOnCareTeam),
        ("loose", "P1", NotOnCareTeam),
        ("nurse", "P1", RoleNotHeld),
        ("doctor", "P1", RoleNotHeld),
        ("admin", "P1", RoleNotHeld),
        ("granted", None, RoleNotHeld),
        ("nobody", "P1", RoleNotHeld),
    ],
)
async def test_nobody_else_sends_vitals(staffed: Ward, who: str, patient_id: str | None, error: type[AppError]) -> None:
    principal = await staffed.principal(who)

    with pytest.raises(AppError) as refused:
        await staffed.care_team.require_sender(principal, patient_id)

    assert type(refused.value) is error


@pytest.mark.parametrize(("who", "patient_id"), [("admin", "P1"), ("admin", "P2"), ("chief", "P2"), ("monitor", "P1")])
async def test_admins_raise_for_every_patient_and_devices_for_those_they_stand_by(
    staffed: Ward, who: str, patient_id: str
) -> None:
    await staffed.care_team.require_raiser(await staffed.principal(who), patient_id)


@pytest.mark.parametrize(
    ("who", "patient_id", "error"),
    [
        ("admin", "P9", UnknownPatient),
        ("admin", "*", UnknownPatient),
        ("monitor", "P2", NotOnCareTeam),
        ("monitor", "P9", NotOnCareTeam),
        ("nurse", "P1", RoleNotHeld),
        ("rosa", "P3", RoleNotHeld),
        ("nobody", "P1", RoleNotHeld),
    ],
)
async def test_nobody_else_raises_alerts(staffed: Ward, who: str, patient_id: str, error: type[AppError]) -> None:
    principal = await staffed.principal(who)

    with pytest.raises(AppError) as refused:
        await staffed.care_team.require_raiser(principal, patient_id)

    assert type(refused.value) is error
