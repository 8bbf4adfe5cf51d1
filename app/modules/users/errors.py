"""What can be wrong with an account."""

from __future__ import annotations

from app.core.errors import AppError


class UnknownUser(AppError):
    status, code = 404, "unknown_user"

    def __init__(self, who: str) -> None:
        super().__init__(f"there is no user {who}")


class EmailTaken(AppError):
    status, code = 409, "email_taken"

    def __init__(self, email: str) -> None:
        super().__init__(f"there is a user with the address {email} already")


class LastAdmin(AppError):
    status, code = 409, "last_admin"

    def __init__(self) -> None:
        super().__init__("this is the last admin that is not disabled; make another one first")
