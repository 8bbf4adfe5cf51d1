"""Sign-ins: begun with a password, kept going with refresh tokens, ended by whoever has them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.config import Settings
from app.core.db import Database
from app.core.metrics import Metrics
from app.core.remembered import Remembered
from app.core.roles import Role
from app.core.security import NotSignedIn, Principal, TokenExpired, TokenSigner
from app.core.wire import new_id
from app.modules.auth import repository
from app.modules.auth.errors import (
    AccountDisabled,
    BadCredentials,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SessionEnded,
)
from app.modules.auth.models import RefreshToken, Session
from app.modules.auth.schemas import SignIn
from app.modules.patients.service import PatientService
from app.modules.users.schemas import User
from app.modules.users.service import UserService

__all__ = ["AccountDisabled", "AuthService", "SessionEnded"]

_log = structlog.get_logger(__name__)


class AuthService:
    """The application's `Authenticator`."""

    def __init__(
        self,
        db: Database,
        access: AccessChanges,
        users: UserService,
        patients: PatientService,
        signer: TokenSigner,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._db = db
        self._access = access
        self._users = users
        self._patients = patients
        self._signer = signer
        self._clock = clock
        self._metrics = metrics
        self._access_lifetime = timedelta(seconds=settings.access_token_seconds)
        self._refresh_lifetime = timedelta(seconds=settings.refresh_token_seconds)
        self._accounts = Remembered(access, self._read_account)

    async def authenticate(self, token: str) -> Principal:
        """The account behind a token.

        Raises:
            NotSignedIn: the token does not hold.
            AccountDisabled: the account is not to be used.
            SessionEnded: its sign-in is over.
        """
        claims = self._signer.read(token, now=self._clock.now())
        return await self._principal(claims.user_id, claims.session_id, claims.expires_at)

    async def renew(self, principal: Principal) -> Principal:
        """The same account as it stands now, for as long as its token still holds.

        Raises:
            TokenExpired: the token's time is over.
            AccountDisabled: the account is not to be used any more.
            SessionEnded: its sign-in is over.
        """
        if principal.expires_at <= self._clock.now():
            raise TokenExpired
        return await self._principal(principal.user_id, principal.session_id, principal.expires_at)

    async def sign_in(self, email: str, password: str) -> SignIn:
        """Begin a sign-in.

        Raises:
            BadCredentials: no account has this address and this password.
            AccountDisabled: one has, and is not to be used.
        """
        user = await self._users.by_password(email, password)
        if user is None:
            self._metrics.sign_ins.labels(result="refused").inc()
            raise BadCredentials
        if user.disabled:
            self._metrics.sign_ins.labels(result="disabled").inc()
            raise AccountDisabled
        now = self._clock.now()
        async with self._db.write() as session:
            await repository.delete_expired_tokens(session, user.id, now=now)
            begun = Session(id=new_id(), user_id=user.id, created_at=now)
            await repository.insert(session, begun)
            sign_in = await self._issue(session, begun, now=now)
        self._metrics.sign_ins.labels(result="accepted").inc()
        return sign_in

    async def refresh(self, token: str) -> SignIn:
        """A new pair of tokens for an unused refresh token; a used one ends the sign-in that it came from.

        Raises:
            RefreshTokenInvalid: it is unknown or has expired, or its sign-in is over.
            RefreshTokenReused: it was used before: two parties hold it, and one of them should not.
            AccountDisabled: the account is not to be used.
        """
        now = self._clock.now()
        token_hash = _hash(token)
        async with self._db.write() as session:
            sign_in = await repository.open_session_of(session, token_hash, now=now)
            if sign_in is None:
                raise RefreshTokenInvalid
            if await repository.use(session, token_hash, now=now):
                return await self._issue(session, sign_in, now=now)
            await repository.end(session, repository.with_id(sign_in.id), now=now)
            await self._access.record(session, sign_in.user_id, now=now)
        self._access.announce()
        _log.warning("auth.refresh_token_reused", user_id=sign_in.user_id)
        raise RefreshTokenReused

    async def sign_out(self, principal: Principal) -> None:
        """End the sign-in that the caller's token belongs to; a token without one holds until it expires."""
        if principal.session_id is not None:
            await self._end(principal.session_id, principal.user_id)

    async def sign_out_with(self, refresh_token: str) -> None:
        """End the sign-in that a refresh token keeps going, if there is one."""
        async with self._db.read() as session:
            found = await repository.open_session_of(session, _hash(refresh_token), now=self._clock.now())
        if found is not None:
            await self._end(found.id, found.user_id)

    async def sign_out_everywhere(self, user_id: str) -> None:
        """End every sign-in of the user: somebody else may know the password that they began with."""
        now = self._clock.now()
        async with self._db.write() as session:
            if await repository.end(session, repository.of_user(user_id), now=now):
                await self._access.record(session, user_id, now=now)
        self._access.announce()

    async def token_for(self, email: str, lifetime: timedelta) -> str:
        """An access token for the account, as the operator may make one without its password.

        Raises:
            UnknownUser: there is no such account.
            AccountDisabled: it is not to be used.
        """
        user = await self._users.by_email(email)
        if user.disabled:
            raise AccountDisabled
        return self._signer.sign(user.id, now=self._clock.now(), lifetime=lifetime)

    async def _end(self, session_id: str, user_id: str) -> None:
        now = self._clock.now()
        async with self._db.write() as session:
            if await repository.end(session, repository.with_id(session_id), now=now):
                await self._access.record(session, user_id, now=now)
        self._access.announce()

    async def _issue(self, session: AsyncSession, sign_in: Session, *, now: datetime) -> SignIn:
        # Not what is remembered: the sign-in is not committed yet, so that nobody else can know of it.
        access_version = self._access.version
        account = await session.run_sync(lambda it: self._read(it.connection(), sign_in.user_id, sign_in.id))
        principal = _signed_in(account, sign_in.id, now + self._access_lifetime, access_version)
        refresh_token = secrets.token_urlsafe(32)
        await repository.insert(
            session,
            RefreshToken(
                token_hash=_hash(refresh_token), session_id=sign_in.id, expires_at=now + self._refresh_lifetime
            ),
        )
        return SignIn(
            principal=principal,
            access_token=self._signer.sign(
                sign_in.user_id, now=now, lifetime=self._access_lifetime, session_id=sign_in.id
            ),
            refresh_token=refresh_token,
            expires_in_seconds=int(self._access_lifetime.total_seconds()),
        )

    async def _principal(self, user_id: str, session_id: str | None, expires_at: datetime) -> Principal:
        access_version = self._access.version
        account = await self._accounts.get(user_id, session_id)
        return _signed_in(account, session_id, expires_at, access_version)

    async def _read_account(self, user_id: str, session_id: str | None) -> _Account:
        return await self._db.run_read(lambda it: self._read(it, user_id, session_id))

    def _read(self, connection: sa.Connection, user_id: str, session_id: str | None) -> _Account:
        # It is one query, to which each module adds what it knows.
        found = self._users.with_facts(
            connection, user_id, self._patients.record_of(user_id), repository.is_open(session_id, user_id)
        )
        if found is None:
            raise NotSignedIn("the access token is not valid")
        user, (own_patient_id, is_open) = found
        return _Account(user, _roles_in_force(user.roles, own_patient_id), own_patient_id, is_open)


@dataclass(frozen=True, slots=True)
class _Account:
    """What a token of one sign-in stands for, as the database has it."""

    user: User
    roles: frozenset[Role]
    own_patient_id: str | None
    is_open: bool


def _signed_in(account: _Account, session_id: str | None, expires_at: datetime, access_version: int) -> Principal:
    if account.user.disabled:
        raise AccountDisabled
    if not account.is_open:
        raise SessionEnded
    return Principal(
        user_id=account.user.id,
        email=account.user.email,
        name=account.user.name,
        roles=account.roles,
        own_patient_id=account.own_patient_id,
        session_id=session_id,
        expires_at=expires_at,
        access_version=access_version,
    )


def _roles_in_force(granted: Iterable[Role], own_patient_id: str | None) -> frozenset[Role]:
    """The roles that were granted, with those two that follow from what the account is (see `app.core.roles`)."""
    roles = set(granted) - {Role.PATIENT}
    if own_patient_id is not None:
        roles.add(Role.PATIENT)
    if roles & {Role.DOCTOR, Role.ADMIN}:
        roles.add(Role.HOSPITAL)
    return frozenset(roles)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
