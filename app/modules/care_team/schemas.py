"""Care teams on the wire."""

from __future__ import annotations

from pydantic import Field

from app.core.wire import Timestamp, WireModel
from app.modules.users.schemas import Roles


class Member(WireModel):
    """Somebody on a care team, with the roles that the account was given."""

    user_id: str
    name: str
    email: str
    roles: Roles
    granted_at: Timestamp = Field(description="Since when they stand on the team.")


class CareTeam(WireModel):
    """Everybody on the care team of a patient, by name."""

    patient_id: str
    members: list[Member]
