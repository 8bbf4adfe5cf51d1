"""Who is asking: passwords, signed tokens, and the ways in which a connection may carry one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

import jwt
from fastapi import Depends
from fastapi.security import APIKeyCookie, OAuth2PasswordBearer
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.requests import HTTPConnection

from app.core.config import Settings
from app.core.errors import AppError
from app.core.roles import Role
from app.core.services import services_of

ACCESS_COOKIE = "access_token"
SIGN_IN_PATH = "/api/v1/login/access-token"
KEY_FILE = "secret.key"
BEARER_SUBPROTOCOL = "bearer"
_ALGORITHM = "HS256"
_ISSUER = "tocsin"
#: Tokens whose signature was checked and need not be again; those that were shown longest ago go first.
MOST_TOKENS = 10_000

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

password_hash = PasswordHash((Argon2Hasher(),))


class NotSignedIn(AppError):
    status, code = 401, "not_signed_in"

    def __init__(self, detail: str = "a valid access token is needed") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class TokenExpired(NotSignedIn):
    code = "token_expired"

    def __init__(self) -> None:
        super().__init__("the access token has expired; sign in again or refresh it")


class OriginNotAllowed(AppError):
    status, code = 403, "origin_not_allowed"

    def __init__(self, origin: str | None) -> None:
        shown = origin or "no Origin header"
        super().__init__(f"a request that is signed in by cookie must come from an allowed origin; this has {shown}")


@dataclass(frozen=True, slots=True)
class Principal:
    """An account that has shown a valid token.

    Attributes:
        own_patient_id: the patient record that is this person's own, if there is one.
        session_id: the sign-in that the token belongs to; none for tokens made by `tocsin token`.
        expires_at: when the token, and with it every stream opened with it, ends.
        access_version: `AccessChanges.version` as it was before these rights were read.
    """

    user_id: str
    email: str
    name: str
    roles: frozenset[Role]
    own_patient_id: str | None
    session_id: str | None
    expires_at: datetime
    access_version: int = -1


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: str
    session_id: str | None
    expires_at: datetime


class TokenSigner:
    """Makes and reads the JWTs of this installation."""

    def __init__(self, key: str) -> None:
        self._key = key
        # The same tokens come again and again, and a signature that held once holds for ever.
        self._verified = lru_cache(maxsize=MOST_TOKENS)(self._verify)

    def sign(self, user_id: str, *, now: datetime, lifetime: timedelta, session_id: str | None = None) -> str:
        claims: dict[str, Any] = {
            "iss": _ISSUER,
            "sub": user_id,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": secrets.token_hex(8),
        }
        if session_id is not None:
            claims["sid"] = session_id
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str, *, now: datetime) -> Claims:
        """The claims of a token that this installation has signed.

        Raises:
            TokenExpired: its time is over.
            NotSignedIn: it is no token of ours.
        """
        claims = self._verified(token)
        if claims.expires_at <= now:
            raise TokenExpired
        return claims

    def _verify(self, token: str) -> Claims:
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                # Our own clock is asked by the caller, so that time has one source.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError):
            raise NotSignedIn("the access token is not valid") from None
        return Claims(user_id=claims["sub"], session_id=claims.get("sid"), expires_at=expires_at)


class Authenticator(Protocol):
    """Turns a token into the account behind it; the auth module is one."""

    async def authenticate(self, token: str) -> Principal:
        """The account behind a token.

        Raises:
            NotSignedIn: the token does not hold, or the account or its session has ended.
        """
        ...

    async def renew(self, principal: Principal) -> Principal:
        """The same account as it stands now, with the roles that it holds now.

        Raises:
            NotSignedIn: the account or its session has ended since.
        """
        ...


def secret_key(settings: Settings) -> str:
    """The signing key: the one that is set, else one that is made once and kept in the data folder."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / KEY_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written whole under another name and then linked: of processes that start together one
        # makes the key, and none reads a file that is still empty.
        draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def presented_token(connection: HTTPConnection, settings: Settings, *, allow_query: bool = False) -> str:
    """The token that a connection carries.

    An `Authorization` header or a subprotocol pair is put there on purpose. A cookie is sent by the
    browser whoever asked it to, so that with one the origin must be allowed before anything is
    written or a socket is opened.

    Raises:
        NotSignedIn: it carries none.
        OriginNotAllowed: it carries a cookie, and comes from elsewhere.
    """
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    subprotocols: list[str] = connection.scope.get("subprotocols") or []
    if len(subprotocols) == 2 and subprotocols[0] == BEARER_SUBPROTOCOL:
        return subprotocols[1]
    if allow_query and (in_query := connection.query_params.get("token")):
        return in_query
    if cookie := connection.cookies.get(ACCESS_COOKIE):
        if connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE_METHODS:
            require_allowed_origin(connection, settings)
        return cookie
    raise NotSignedIn


def require_allowed_origin(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse a browser that was sent here by a page of somebody else.

    Raises:
        OriginNotAllowed: the `Origin` is neither this server's own nor on the list, or is missing.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        raise OriginNotAllowed(None)
    try:
        host = urlsplit(origin).netloc
    except ValueError:  # no address at all
        raise OriginNotAllowed(origin) from None
    is_own = host != "" and host == connection.headers.get("host")
    if not is_own and origin not in settings.allowed_origins:
        raise OriginNotAllowed(origin)


async def authenticate(connection: HTTPConnection, *, allow_query: bool = False) -> Principal:
    """The account behind a connection.

    Raises:
        NotSignedIn: there is none, or its token does not hold.
        OriginNotAllowed: see `presented_token`.
    """
    services = services_of(connection)
    token = presented_token(connection, services.get(Settings), allow_query=allow_query)
    return await services.get(Authenticator).authenticate(token)


# What the interface description says of `presented_token`; they let everybody pass.
_BEARER = OAuth2PasswordBearer(
    SIGN_IN_PATH, scheme_name="bearer", description="`Authorization: Bearer` with an access token.", auto_error=False
)
_COOKIE = APIKeyCookie(
    name=ACCESS_COOKIE,
    scheme_name="cookie",
    description="Set by `POST /api/v1/login/cookie`. A request that writes needs an allowed `Origin` as well.",
    auto_error=False,
)

#: For a route that calls `authenticate` itself, and lets some callers in without.
DESCRIBED_WAYS_IN: dict[str, Any] = {"security": [{_BEARER.scheme_name: []}, {_COOKIE.scheme_name: []}, {}]}


async def _caller(
    connection: HTTPConnection,
    _bearer: Annotated[str | None, Depends(_BEARER)],
    _cookie: Annotated[str | None, Depends(_COOKIE)],
) -> Principal:
    return await authenticate(connection)


async def _caller_with_query_token(connection: HTTPConnection) -> Principal:
    return await authenticate(connection, allow_query=True)


#: The account that calls a route.
Caller = Annotated[Principal, Depends(_caller)]

#: The same for the WebSockets whose clients put the token into the address.
SocketCaller = Annotated[Principal, Depends(_caller_with_query_token)]


class RoleNotHeld(AppError):
    status, code = 403, "role_not_held"


def require_role(principal: Principal, *allowed: Role) -> None:
    """Refuse an account that holds none of these roles.

    Raises:
        RoleNotHeld: says which would do.
    """
    if principal.roles.isdisjoint(allowed):
        names = " or ".join(f"`{role}`" for role in allowed)
        raise RoleNotHeld(f"this needs the role {names}")


def offered_subprotocol(connection: HTTPConnection) -> str | None:
    """The subprotocol to accept a WebSocket with: `bearer` where the client sent its token that way."""
    offered: list[str] = connection.scope.get("subprotocols") or []
    return BEARER_SUBPROTOCOL if BEARER_SUBPROTOCOL in offered else None
