"""Rights that change while connections are open.

Every change of what an account may do is a numbered row, written in the transaction that makes the
change. Each node reads the new rows, at once when the bus tells it and by looking otherwise, and
asks every open connection of those accounts to check its right again. So a grant that is revoked by
a command in another process ends the stream here within the second that the contract allows.

Whoever relies on a right now looks first (`catch_up`), so that what this node remembers of an account
is as good as asking the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.bus import Bus
from app.core.db import Base, Database, UTCDateTime
from app.core.roles import Role, to_mask
from app.core.tasks import until_beat

SUBJECT = "access.changed"

#: Rights that are asked about at the same time: enough to share their looks at the database, and a slow
#: answer delays few others.
RECHECKS_AT_ONCE = 100

Recheck = Callable[[], Awaitable[None]]
ChangeListener = Callable[[str], None]
Unwatch = Callable[[], None]

_log = structlog.get_logger(__name__)


class AccessClock(Base):
    """One row: how many changes of rights there have been."""

    __tablename__ = "access_clock"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class AccessChange(Base):
    """One change of what an account may do."""

    __tablename__ = "access_changes"

    version: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(sa.String(64))
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one stream or call may see: events of these patients that are addressed to these roles.

    Attributes:
        role: the role that the caller acts in.
        roles: the roles whose events are seen; with `admin` among them, everybody's.
        patient_ids: the patients covered; `None` means every patient.
    """

    role: Role
    roles: frozenset[Role]
    patient_ids: frozenset[str] | None

    @property
    def sees_every_audience(self) -> bool:
        return Role.ADMIN in self.roles

    def covers(self, patient_id: str, audience: int) -> bool:
        """Whether an event of this patient, addressed to this mask of roles, may be seen."""
        if self.patient_ids is not None and patient_id not in self.patient_ids:
            return False
        return self.sees_every_audience or bool(audience & to_mask(self.roles))


_VERSION = sa.select(AccessClock.version)
_NEW_CHANGES = (
    sa.select(AccessChange.version, AccessChange.user_id)
    .where(AccessChange.version > sa.bindparam("version"))
    .order_by(AccessChange.version)
)


class AccessChanges:
    """Writes changes of rights, and has open connections check theirs again when one comes.

    Attributes:
        version: the number of the last change that this node has seen.
    """

    def __init__(self, db: Database, bus: Bus, *, poll_seconds: float) -> None:
        self._db = db
        self._bus = bus
        self._poll_seconds = poll_seconds
        self.version = 0
        self._has_begun = False
        self._listeners: list[ChangeListener] = []
        self._watched: dict[str, set[Recheck]] = {}
        self._unsure: dict[Recheck, str] = {}
        self._coming_look: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._wake = anyio.Event()

    async def record(self, session: AsyncSession, user_id: str, *, now: datetime) -> None:
        """Note, in the transaction that makes the change, that this account's rights are others now."""
        version = await session.scalar(
            sa.update(AccessClock).values(version=AccessClock.version + 1).returning(AccessClock.version)
        )
        session.add(AccessChange(version=version, user_id=user_id, changed_at=now))

    def announce(self) -> None:
        """Tell every node, after the commit, that there is something to read."""
        self._bus.publish(SUBJECT, b"")

    def on_change(self, listener: ChangeListener) -> None:
        """Call `listener` with the account of every change that is seen, before anybody may rely on having seen it."""
        self._listeners.append(listener)

    async def catch_up(self) -> None:
        """Return when this node has seen every change that was committed before this call.

        Who comes while a look at the database is under way shares the next one: it begins when all of
        them have asked. So it is one short query at a time, however many ask.
        """
        look = self._coming_look
        if look is None:
            look = self._coming_look = asyncio.ensure_future(self._look())
        await asyncio.shield(look)

    def watch(self, user_id: str, recheck: Recheck, *, since: int) -> Unwatch:
        """Call `recheck` after each change of this account's rights, until the returned function is called.

        Args:
            since: `version` as it was before the right was first checked. Where changes have been
                followed in between, the first recheck comes at once, so that none falls in the gap.
        """
        self._watched.setdefault(user_id, set()).add(recheck)
        if since != self.version:
            self._unsure[recheck] = user_id
            self._wake.set()

        def unwatch() -> None:
            self._unsure.pop(recheck, None)
            rechecks = self._watched.get(user_id, set())
            rechecks.discard(recheck)
            if not rechecks:
                self._watched.pop(user_id, None)

        return unwatch

    def watched_count(self) -> int:
        return sum(len(rechecks) for rechecks in self._watched.values())

    async def start(self) -> None:
        """Begin at the present: rights were checked when each connection opened."""
        await self.catch_up()

    async def run(self) -> None:
        """Follow the changes for ever."""
        unsubscribe = self._bus.subscribe(SUBJECT, lambda _message: self._wake.set())
        try:
            while True:
                with anyio.move_on_after(until_beat(self._poll_seconds)):
                    await self._wake.wait()
                self._wake = anyio.Event()
                await self.catch_up()
                await self._ask_the_unsure()
        finally:
            unsubscribe()

    async def _look(self) -> None:
        async with self._looking:
            self._coming_look = None  # who asks from here on may ask for what this look does not see
            if not self._has_begun:
                # Nothing was relied on before the first look, so that it may begin at the present.
                self.version = await self._db.run_read(lambda it: it.execute(_VERSION).scalar_one())
                self._has_begun = True
                return
            after = {"version": self.version}
            changes = await self._db.glance(lambda it: it.execute(_NEW_CHANGES, after).all())
        for version, user_id in changes:
            self.version = version
            for listener in self._listeners:
                listener(user_id)
            for recheck in self._watched.get(user_id, ()):
                self._unsure[recheck] = user_id
                self._wake.set()

    async def _ask_the_unsure(self) -> None:
        unsure, self._unsure = self._unsure, {}
        limiter = anyio.CapacityLimiter(RECHECKS_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for recheck, user_id in unsure.items():
                tasks.start_soon(self._ask_again, user_id, recheck, limiter)

    async def _ask_again(self, user_id: str, recheck: Recheck, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            if not self._is_watched(user_id, recheck):
                return
            try:
                await recheck()
            except Exception:
                # One connection's trouble must not keep the others' rights from being checked; its
                # own right is in doubt until it has been, so it is asked about again.
                _log.exception("access.recheck_failed")
                if self._is_watched(user_id, recheck):
                    self._unsure[recheck] = user_id

    def _is_watched(self, user_id: str, recheck: Recheck) -> bool:
        return recheck in self._watched.get(user_id, ())
