"""What goes wrong with vital signs, beyond what a care team refuses."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.errors import AppError

MOST_ERRORS_TOLD = 20


class InvalidReadings(AppError):
    """Readings that cannot be used: each error names its field, and none of the readings is taken."""

    status, code = 422, "validation_error"

    def __init__(self, errors: Sequence[tuple[str, str, str]]) -> None:
        """Tell of errors, each a code, a field as `readings[3].value`, and what would be right."""
        told = [
            {"code": code, "field": field, "message": message} for code, field, message in errors[:MOST_ERRORS_TOLD]
        ]
        detail = "; ".join(f"{error['field']}: {error['message']}" for error in told)
        more = len(errors) - len(told)
        super().__init__(f"{detail}; and {more} more" if more else detail, extra={"errors": told})
