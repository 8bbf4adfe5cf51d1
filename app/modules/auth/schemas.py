"""Signing in on the wire, and what it yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field

from app.core.security import Principal
from app.core.wire import WireInput


@dataclass(frozen=True, slots=True)
class SignIn:
    """A pair of tokens, and whose they are."""

    principal: Principal
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_seconds: int


class TokenPair(BaseModel):
    """The answer of RFC 6749, 5.1, whose names are not camelCase."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="Seconds for which the access token holds.")
    refresh_token: str

    @classmethod
    def of(cls, sign_in: SignIn) -> TokenPair:
        return cls(
            access_token=sign_in.access_token,
            expires_in=sign_in.expires_in_seconds,
            refresh_token=sign_in.refresh_token,
        )


class Credentials(WireInput):
    email: str = Field(validation_alias=AliasChoices("email", "username"), examples=["nurse@example.org"])
    password: str


class RefreshTokenInput(WireInput):
    """`refresh_token` is understood as well."""

    refresh_token: str
