"""Accounts on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, PlainSerializer

from app.core.roles import Role, in_order
from app.core.security import Principal
from app.core.wire import Timestamp, WireInput, WireModel

#: A set of roles, always written in the same order.
Roles = Annotated[frozenset[Role], PlainSerializer(in_order, return_type=list[Role])]


class User(WireModel):
    """An account, with the roles that it was given."""

    id: str
    email: str
    name: str
    roles: Roles
    disabled: bool
    created_at: Timestamp


class UserPage(WireModel):
    """A page of accounts, by e-mail address; ask again with `cursor=nextCursor` for those that follow."""

    users: list[User]
    next_cursor: str | None


class UserPatients(WireModel):
    """An account, and the patients on whose care team it stands."""

    user: User
    patient_ids: list[str]


class Me(WireModel):
    """The caller, with the roles that hold now: `patient` and `hospital` follow from what the account is."""

    id: str
    email: str
    name: str
    roles: Roles
    patient_id: str | None = Field(description="The patient record that is the caller's own.")
    patient_ids: list[str] = Field(description="The patients on whose care team the caller stands.")

    @classmethod
    def of(cls, principal: Principal, patient_ids: Iterable[str]) -> Me:
        return cls(
            id=principal.user_id,
            email=principal.email,
            name=principal.name,
            roles=principal.roles,
            patient_id=principal.own_patient_id,
            patient_ids=sorted(patient_ids),
        )


class NewUser(WireInput):
    email: str = Field(examples=["nurse@example.org"])
    name: str | None = Field(None, description="The part of the address before the @ when it is left out.")
    roles: list[Role] = Field(description="Any but `hospital`, which every doctor and admin holds by being one.")
    password: str | None = Field(None, description="8 to 1,024 characters; an account without one cannot sign in.")


class UserChanges(WireInput):
    """What is left out, or null, stays as it is."""

    name: str | None = None
    roles: list[Role] | None = None
    disabled: bool | None = None
    password: str | None = Field(None, description="8 to 1,024 characters.")
