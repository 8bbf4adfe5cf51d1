"""What can be wrong with a request about alerts."""

from __future__ import annotations

from app.core.errors import AppError
from app.core.timestamps import to_rfc3339
from app.modules.alerts.lifecycle import Acknowledgement


class UnknownAlert(AppError):
    status, code = 404, "unknown_alert"

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"there is no alert `{alert_id}` for this patient")


class AlreadyAcknowledged(AppError):
    status, code = 409, "already_acknowledged"

    def __init__(self, acknowledgement: Acknowledgement) -> None:
        actor, at = acknowledgement.actor, to_rfc3339(acknowledgement.at)
        super().__init__(
            f"{actor.name} ({actor.role}) has acknowledged this alert at {at}",
            extra={
                "acknowledgedBy": actor.role,
                "acknowledgedByUser": actor.user_id,
                "acknowledgedByName": actor.name,
                "acknowledgedAt": at,
                "acknowledgedStatus": acknowledgement.status,
            },
        )


class BadHistoryCursor(AppError):
    status, code = 422, "validation_error"

    def __init__(self) -> None:
        message = "use the nextCursor of an earlier page"
        super().__init__(f"cursor: {message}", extra={"errors": [{"field": "cursor", "message": message}]})


class Draining(AppError):
    status, code = 503, "draining"

    def __init__(self) -> None:
        super().__init__("this server is about to stop; connect again", headers={"Retry-After": "1"})
