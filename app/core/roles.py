"""PURE: the roles people hold, and how a set of them is stored.

A set of roles is stored as one integer, so that "does this event's audience meet the roles of this
reader" is the same `audience & roles` in Python, SQLite and PostgreSQL. The bits are part of the
database: they are never renumbered.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    PATIENT = "patient"
    CAREGIVER = "caregiver"
    DOCTOR = "doctor"
    NURSE = "nurse"
    DISPATCHER = "dispatcher"
    FIRST_RESPONDER = "first_responder"
    HOSPITAL = "hospital"
    ADMIN = "admin"
    DEVICE = "device"


_BIT = {role: 1 << position for position, role in enumerate(Role)}

#: Roles that act for a patient because they stand on the patient's care team.
CARE_ROLES = frozenset({Role.CAREGIVER, Role.DOCTOR, Role.NURSE, Role.DISPATCHER, Role.FIRST_RESPONDER})

#: Roles that a stream may be opened for, and that an alert may be addressed to.
AUDIENCE_ROLES = frozenset(Role) - {Role.DEVICE}

#: Roles that an account is given. The other two follow from what the account is: `patient` from
#: owning a patient record, `hospital` from being a doctor or an admin.
GRANTED_ROLES = frozenset(Role) - {Role.HOSPITAL}


def to_mask(roles: Iterable[Role]) -> int:
    """The integer that stands for these roles in the database."""
    mask = 0
    for role in roles:
        mask |= _BIT[role]
    return mask


def from_mask(mask: int) -> frozenset[Role]:
    """The roles that an integer from the database stands for."""
    return frozenset(role for role, bit in _BIT.items() if mask & bit)


def in_order(roles: Iterable[Role]) -> list[Role]:
    """The roles in the order of their definition, so that the same set always reads the same."""
    held = frozenset(roles)
    return [role for role in Role if role in held]
