"""The database as a command opens it: directly, beside a server that may be running on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
from sqlalchemy.exc import DBAPIError

from app.commands.ending import end
from app.core.access import AccessChanges
from app.core.bus import InProcessBus
from app.core.clock import SystemClock
from app.core.config import Settings, SettingsError, load_settings
from app.core.db import Database, DatabaseNotCurrent, prepare
from app.core.errors import AppError
from app.core.logging import configure_logging
from app.core.metrics import Metrics
from app.core.security import TokenSigner, secret_key
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.patients.service import PatientService
from app.modules.users.service import UserService

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """What the commands of an operator work with."""

    db: Database
    users: UserService
    patients: PatientService
    care_team: CareTeamService
    auth: AuthService


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Opened]:
    """The services on the database that the settings name; a new database is brought up to date first.

    A running server learns of changed rights by looking for them, so that nothing here has to tell it.

    Raises:
        DatabaseNotCurrent: the database is not new, and not up to date.
    """
    db = Database(settings.sqlalchemy_url)
    try:
        await prepare(db)
        clock = SystemClock()
        access = AccessChanges(db, InProcessBus(), poll_seconds=settings.log_poll_seconds)
        users = UserService(db, access, clock)
        patients = PatientService(db, access, users, clock)
        care_team = CareTeamService(db, access, patients, users, clock)
        signer = TokenSigner(secret_key(settings))
        auth = AuthService(db, access, users, patients, signer, settings, clock, Metrics())
        yield Opened(db, users, patients, care_team, auth)
    finally:
        await db.close()


def run(work: Callable[[Opened], Awaitable[T]]) -> T:
    """Do one piece of work on the database, or end the command with one line on stderr.

    The exit status is 2 for a setting that cannot be used, and 1 for everything that is refused.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        end(str(error), status=2)
    configure_logging(settings.log_level, settings.log_format)

    async def work_on_database() -> T:
        async with open_database(settings) as opened:
            return await work(opened)

    try:
        return anyio.run(work_on_database)
    except AppError as error:
        end(error.detail, status=1)
    except DatabaseNotCurrent as error:
        end(str(error), status=1)
    except DBAPIError as error:
        end(f"the database refuses: {error.orig}", status=1)
    except OSError as error:  # the data folder, or a database server that does not answer
        end(f"the database cannot be opened: {error}", status=1)
