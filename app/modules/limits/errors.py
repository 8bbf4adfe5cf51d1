"""Why limits are not shown, or not set."""

from __future__ import annotations

from typing import Any

from app.core.errors import AppError


class LimitsChanged(AppError):
    """Somebody else has changed what the caller's change was based on; the present state comes with it."""

    status, code = 409, "limits_changed"

    def __init__(self, current: dict[str, Any]) -> None:
        super().__init__(
            "somebody else has changed these limits since; look at them as they are now, and decide again",
            extra={"current": current},
        )


class NotOfUnit(AppError):
    status, code = 403, "not_of_unit"

    def __init__(self) -> None:
        super().__init__("you do not stand on the care team of any patient of this unit")
