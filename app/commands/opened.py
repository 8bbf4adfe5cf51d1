"""What every command that works on the database does: open it, and say in one line what is wrong."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
import structlog
from sqlalchemy.exc import DBAPIError

from app.commands.ending import end
from app.core.config import Settings, SettingsError, load_settings, unknown_variables
from app.core.db import Database, SchemaError, prepare
from app.core.errors import AppError
from app.core.logging import configure_logging
from app.main import wire
from app.modules.alerts.rules.file import RulesFileError
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.patients.service import PatientService
from app.modules.users.service import UserService

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@contextmanager
def explained() -> Iterator[None]:
    """End the command with one line on stderr when what surrounds it is not in order.

    The exit status is 2 for what the operator has set, and 1 for everything that is refused.
    """
    try:
        yield
    except (SettingsError, RulesFileError) as error:
        end(str(error), status=2)
    except AppError as error:
        end(error.detail, status=1)
    except SchemaError as error:
        end(str(error), status=1)
    except DBAPIError as error:
        end(f"the database refuses: {error.orig}", status=1)
    except OSError as error:  # the data folder, or a database server that does not answer
        end(f"the database cannot be opened: {error}", status=1)


def read_settings() -> Settings:
    """The settings, with the log set up as they say.

    Raises:
        SettingsError: one of them cannot be used.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    for name in unknown_variables(os.environ):
        _log.warning("setting.unknown", variable=name)
    return settings


@dataclass(frozen=True, slots=True)
class Opened:
    """What the commands of an operator work with."""

    users: UserService
    patients: PatientService
    care_team: CareTeamService
    auth: AuthService


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Opened]:
    """The services, without their workers, on a database that is up to date; a new one is set up first.

    A running server learns of changed rights by looking for them, so that nothing here has to tell it.

    Raises:
        DatabaseNotCurrent: the database is not new, and not up to date.
    """
    services = wire(settings)
    db = services.get(Database)
    try:
        await prepare(db)
        yield Opened(
            services.get(UserService),
            services.get(PatientService),
            services.get(CareTeamService),
            services.get(AuthService),
        )
    finally:
        await db.close()


def run(work: Callable[[Opened], Awaitable[T]]) -> T:
    """Do one piece of work on the database, beside a server that may be running on it."""

    async def work_on_database() -> T:
        async with open_database(read_settings()) as opened:
            return await work(opened)

    with explained():
        return anyio.run(work_on_database)
    raise AssertionError("`explained` lets no error through")
