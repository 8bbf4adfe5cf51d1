"""Why somebody may not see or do what they asked for."""

from __future__ import annotations

from app.core.errors import AppError
from app.core.roles import AUDIENCE_ROLES, in_order


class InvalidRole(AppError):
    status, code = 403, "invalid_role"

    def __init__(self) -> None:
        super().__init__(f"the role must be one of {', '.join(in_order(AUDIENCE_ROLES))}")


class PatientIdRequired(AppError):
    status, code = 400, "patient_id_required"

    def __init__(self) -> None:
        super().__init__("`patient_id` is needed: say which patient this is about")


class WildcardNeedsAdmin(AppError):
    status, code = 403, "wildcard_needs_admin"

    def __init__(self) -> None:
        super().__init__("every patient at once can be asked for with the role `admin` alone")


class NotOnCareTeam(AppError):
    status, code = 403, "not_on_care_team"

    def __init__(self) -> None:
        super().__init__("you do not stand on the care team of this patient")


class NotOwnRecord(AppError):
    status, code = 403, "not_own_record"

    def __init__(self) -> None:
        super().__init__("a patient sends vital signs for their own record alone")
