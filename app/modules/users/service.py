"""Accounts: made, changed, found, and known by their password."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from functools import cache
from typing import Any

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import InvalidField
from app.core.roles import GRANTED_ROLES, Role, in_order
from app.core.security import password_hash
from app.core.wire import new_id
from app.modules.users import models, repository
from app.modules.users.errors import EmailTaken, LastAdmin, UnknownUser
from app.modules.users.schemas import User, UserChanges, UserPage

__all__ = ["EmailTaken", "LastAdmin", "UnknownUser", "UserService", "checked_name"]

LONGEST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets
LONGEST_NAME = 200
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1024

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class UserService:
    def __init__(self, db: Database, access: AccessChanges, clock: Clock) -> None:
        self._db = db
        self._access = access
        self._clock = clock
        # argon2 takes 64 MiB and a whole core each time: a crowd at the door must wait its turn.
        self._hashing = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def create(self, email: str, name: str | None, roles: Sequence[str], password: str | None = None) -> User:
        """Make an account; one without a password can use tokens, and cannot sign in.

        Raises:
            InvalidField: one of the values cannot be.
            EmailTaken: another account has the address.
        """
        email = _checked_email(email)
        user = models.User(
            id=new_id(),
            email=email,
            name=checked_name(email.partition("@")[0] if name is None else name),
            roles=_granted(roles),
            password_hash=None if password is None else await self._hash(password),
            disabled=False,
            created_at=self._clock.now(),
        )
        try:
            async with self._db.write() as session:
                await repository.insert(session, user)
        except IntegrityError:
            raise EmailTaken(email) from None
        return User.model_validate(user)

    async def update(self, user_id: str, changes: UserChanges) -> User:
        """Change an account; open connections of the user check their right again.

        Raises:
            InvalidField: one of the values cannot be.
            UnknownUser: there is no such account.
            LastAdmin: no enabled admin would be left.
        """
        new: dict[str, Any] = {}
        if changes.name is not None:
            new["name"] = checked_name(changes.name)
        if changes.roles is not None:
            new["roles"] = _granted(changes.roles)
        if changes.disabled is not None:
            new["disabled"] = changes.disabled
        if changes.password is not None:
            new["password_hash"] = await self._hash(changes.password)

        async with self._db.write() as session:
            # Recording comes first: it lets one change of rights through at a time, so that two
            # admins who demote each other at once cannot both find the other one still there.
            await self._access.record(session, user_id, now=self._clock.now())
            user = await repository.by_id(session, user_id)
            if user is None:
                raise UnknownUser(user_id)
            was_admin = _is_enabled_admin(user)
            for field, value in new.items():
                setattr(user, field, value)
            await session.flush()
            if was_admin and not await repository.has_enabled_admin(session):
                raise LastAdmin
        self._access.announce()
        return User.model_validate(user)

    async def get(self, user_id: str) -> User:
        """The account with this id.

        Raises:
            UnknownUser: there is none.
        """
        async with self._db.read() as session:
            user = await repository.by_id(session, user_id)
        if user is None:
            raise UnknownUser(user_id)
        return User.model_validate(user)

    async def page(self, *, holding: str, after: str | None, limit: int) -> UserPage:
        """The first accounts by address, of those that come after this one.

        Args:
            holding: a part of the address or the name, in any case; nothing but space stands for all.
            after: the id of the account before; addresses of people have no place in that of a page.

        Raises:
            InvalidField: there is no such account to go on from.
        """

        def read(connection: sa.Connection) -> list[User]:
            email = None if after is None else repository.email_of(connection, after)
            if after is not None and email is None:
                raise InvalidField("cursor", "use the nextCursor of the page before, as it is")
            rows = repository.after(connection, email, holding.strip().lower(), limit=limit + 1)
            return [User.model_validate(row) for row in rows]

        found = await self._db.run_read(read)
        page = found[:limit]
        return UserPage(users=page, next_cursor=page[-1].id if len(found) > limit else None)

    async def by_email(self, email: str) -> User:
        """The account with this address, in whatever case it is written.

        Raises:
            UnknownUser: there is none.
        """
        async with self._db.read() as session:
            user = await repository.by_email(session, _normal_email(email))
        if user is None:
            raise UnknownUser(email)
        return User.model_validate(user)

    async def by_password(self, email: str, password: str) -> User | None:
        """The account with this address and password; a wrong one of either takes the same time to tell."""
        async with self._db.read() as session:
            user = await repository.by_email(session, _normal_email(email))
        stored = None if user is None else user.password_hash
        matches = await anyio.to_thread.run_sync(_matches, password, stored, limiter=self._hashing)
        return User.model_validate(user) if matches else None

    def with_facts(
        self, connection: sa.Connection, user_id: str, *facts: sa.ColumnElement[Any]
    ) -> tuple[User, tuple[Any, ...]] | None:
        """The account, and the values of some expressions of other modules, in one query."""
        found = repository.with_facts(connection, user_id, facts)
        return None if found is None else (User.model_validate(found[0]), found[1])

    def among(self, connection: sa.Connection, user_ids: sa.Select[Any]) -> list[User]:
        """The accounts whose ids a query of another module finds, in no order."""
        return [User.model_validate(row) for row in repository.among(connection, user_ids)]

    async def _hash(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise InvalidField("password", f"use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters")
        return await anyio.to_thread.run_sync(password_hash.hash, password, limiter=self._hashing)


def checked_name(name: str) -> str:
    """The name of a person or a bed, without the space around it.

    Raises:
        InvalidField: it is empty, too long, or holds control characters.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or _CONTROL_CHARACTER.search(name):
        raise InvalidField("name", f"use 1 to {LONGEST_NAME} characters, none of them a control character")
    return name


def _normal_email(email: str) -> str:
    # PostgreSQL refuses to look for a NUL at all; no account has one.
    return email.strip().lower().replace("\x00", "\ufffd")


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    if len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise InvalidField("email", f"use an address such as nurse@example.org, of at most {LONGEST_EMAIL} characters")
    return email


def _granted(roles: Sequence[str]) -> frozenset[Role]:
    for index, word in enumerate(roles):
        if word not in GRANTED_ROLES:
            raise InvalidField(f"roles[{index}]", f"use one of {', '.join(in_order(GRANTED_ROLES))}")
    return frozenset(Role(word) for word in roles)


def _is_enabled_admin(user: models.User) -> bool:
    return Role.ADMIN in user.roles and not user.disabled


@cache
def _stand_in_hash() -> str:
    return password_hash.hash(secrets.token_hex())


def _matches(password: str, stored: str | None) -> bool:
    # Asked for in every case, so that its making, the first time, tells nothing either.
    stand_in = _stand_in_hash()
    return password_hash.verify(password, stored or stand_in) and stored is not None
