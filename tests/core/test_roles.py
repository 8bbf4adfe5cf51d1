from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.roles import AUDIENCE_ROLES, CARE_ROLES, GRANTED_ROLES, Role, from_mask, in_order, to_mask

ROLE_SETS = st.frozensets(st.sampled_from(Role))


@pytest.mark.parametrize(
    ("role", "bit"),
    [
        (Role.PATIENT, 1),
        (Role.CAREGIVER, 2),
        (Role.DOCTOR, 4),
        (Role.NURSE, 8),
        (Role.DISPATCHER, 16),
        (Role.FIRST_RESPONDER, 32),
        (Role.HOSPITAL, 64),
        (Role.ADMIN, 128),
        (Role.DEVICE, 256),
    ],
)
def test_a_role_keeps_its_bit_because_databases_hold_it(role: Role, bit: int) -> None:
    """Fails when roles are put into another order (checked by exchanging two of them)."""
    assert to_mask([role]) == bit
    assert from_mask(bit) == {role}


def test_every_role_has_a_bit_that_is_pinned_here() -> None:
    assert to_mask(Role) == 511


@given(ROLE_SETS)
def test_a_set_of_roles_comes_back_from_its_mask(roles: frozenset[Role]) -> None:
    assert from_mask(to_mask(roles)) == roles


@given(ROLE_SETS, ROLE_SETS)
def test_two_masks_meet_exactly_when_the_sets_share_a_role(one: frozenset[Role], other: frozenset[Role]) -> None:
    assert bool(to_mask(one) & to_mask(other)) == bool(one & other)


@given(st.lists(st.sampled_from(Role)), st.randoms(use_true_random=False))
def test_roles_read_the_same_in_whatever_order_they_came(roles: list[Role], chance: random.Random) -> None:
    shuffled = list(roles)
    chance.shuffle(shuffled)

    assert in_order(shuffled) == in_order(roles)
    assert set(in_order(roles)) == set(roles)
    assert to_mask(shuffled) == to_mask(roles)


def test_a_mask_of_a_later_version_keeps_the_roles_that_are_known() -> None:
    assert from_mask(to_mask([Role.NURSE]) | 1 << 30) == {Role.NURSE}


def test_the_groups_are_those_of_the_contract() -> None:
    assert {Role.CAREGIVER, Role.DOCTOR, Role.NURSE, Role.DISPATCHER, Role.FIRST_RESPONDER} == CARE_ROLES
    assert set(Role) - AUDIENCE_ROLES == {Role.DEVICE}, "a device opens no streams"
    assert set(Role) - GRANTED_ROLES == {Role.HOSPITAL}, "who is a doctor or an admin acts for the hospital"
