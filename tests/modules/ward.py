"""The services of the ward on a real database, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from app.core.access import AccessChange, AccessChanges
from app.core.bus import InProcessBus
from app.core.config import Settings
from app.core.db import Database
from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.security import Principal, TokenSigner
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.patients.service import PatientService
from app.modules.users.schemas import User
from app.modules.users.service import UserService
from tests.databases import put_new_database


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    moment: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def advance(self, by: timedelta) -> None:
        self.moment += by


@dataclass
class Ward:
    db: Database
    settings: Settings
    clock: SetClock = field(default_factory=SetClock)
    metrics: Metrics = field(default_factory=Metrics)
    announced: int = 0

    def __post_init__(self) -> None:
        bus = InProcessBus()
        bus.subscribe("access.changed", self._count_announcement)
        self.signer = TokenSigner("a key that only the tests know, 32+")
        self.access = AccessChanges(self.db, bus, poll_seconds=60)
        self.users = UserService(self.db, self.access, self.clock)
        self.patients = PatientService(self.db, self.access, self.users, self.clock)
        self.care_team = CareTeamService(self.db, self.access, self.patients, self.users, self.clock)
        self.auth = AuthService(
            self.db, self.access, self.users, self.patients, self.signer, self.settings, self.clock, self.metrics
        )

    async def user(self, name: str, *roles: Role, password: str | None = None) -> User:
        return await self.users.create(f"{name}@example.org", name, roles, password)

    async def principal(self, name: str) -> Principal:
        """The user, signed in by a token that is good for an hour."""
        return await self.auth.authenticate(await self.auth.token_for(f"{name}@example.org", timedelta(hours=1)))

    async def changes_of(self, user_id: str) -> int:
        """How many changes of this user's rights have been recorded."""
        async with self.db.read() as session:
            found = await session.scalar(
                sa.select(sa.func.count()).select_from(AccessChange).where(AccessChange.user_id == user_id)
            )
        return found or 0

    def _count_announcement(self, _message: bytes) -> None:
        self.announced += 1


@asynccontextmanager
async def opened_ward(data_dir: Path) -> AsyncIterator[Ward]:
    """The services on a new database; at the end no connection of it is in use."""
    settings = Settings(data_dir=data_dir)
    await put_new_database(data_dir)
    db = Database(settings.sqlalchemy_url)
    yield Ward(db, settings)
    assert db.checked_out() == 0
    await db.close()
