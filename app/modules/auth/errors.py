"""Why a sign-in does not begin or go on."""

from __future__ import annotations

from app.core.security import NotSignedIn


class BadCredentials(NotSignedIn):
    """One answer for an unknown address, a wrong password and an account without one."""

    code = "bad_credentials"

    def __init__(self) -> None:
        super().__init__("the address or the password is wrong")


class AccountDisabled(NotSignedIn):
    code = "account_disabled"

    def __init__(self) -> None:
        super().__init__("this account is disabled; an admin can enable it")


class SessionEnded(NotSignedIn):
    code = "session_ended"

    def __init__(self) -> None:
        super().__init__("this sign-in has ended; sign in again")


class RefreshTokenInvalid(NotSignedIn):
    code = "refresh_token_invalid"

    def __init__(self) -> None:
        super().__init__("the refresh token is unknown, has expired, or belongs to a sign-in that has ended")


class RefreshTokenReused(NotSignedIn):
    code = "refresh_token_reused"

    def __init__(self) -> None:
        super().__init__("the refresh token was used before, so that somebody may have stolen it; sign in again")
