"""`tocsin user`, `patient`, `care-team` and `token`: who there is, and who may do what.

What does the work is imported when a command runs, so that `tocsin --help` answers at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from app.commands.opened import Opened

T = TypeVar("T")

LONGEST_TTL = timedelta(days=30)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

user = typer.Typer(name="user", help="Accounts of people and machines.", no_args_is_help=True)
patient = typer.Typer(name="patient", help="Patient records.", no_args_is_help=True)
care_team = typer.Typer(name="care-team", help="Who stands on whose care team.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's address.", show_default=False)]
PatientId = Annotated[str, typer.Argument(metavar="PATIENT_ID", help="The patient's id.", show_default=False)]


@user.callback()
@patient.callback()
def _group() -> None:
    """Keeps `create` a word of its own: Typer leaves out the name of a command that is alone."""


@user.command("create")
def create_user(
    email: Email,
    *,
    role: Annotated[
        list[str],
        typer.Option(
            metavar="ROLE",
            help="patient, caregiver, doctor, nurse, dispatcher, first_responder, admin or device; once for each.",
            show_default=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="The address up to the @ when left out.", show_default=False)] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
) -> None:
    """Make an account, and print its id alone.

    An account without a password cannot sign in; it uses tokens that `tocsin token` makes.

    \b
    Examples:
      tocsin user create nurse@example.org --role nurse --password-stdin < password.txt
      tocsin user create monitor@example.org --role device --name "Monitor 7"
    """
    password = _first_line_of_stdin() if password_stdin else None

    async def create(opened: Opened) -> str:
        return (await opened.users.create(email, name, role, password)).id

    print(_run(create))


@patient.command("create")
def create_patient(
    patient_id: Annotated[
        str, typer.Argument(metavar="ID", help="1 to 64 letters, digits and . _ : -", show_default=False)
    ],
    name: Annotated[str | None, typer.Option(help="The id when left out.", show_default=False)] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", help="The account whose own record this is.", show_default=False),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="The unit (ward) that the patient lies on.", show_default=False)
    ] = None,
) -> None:
    """Make a patient record, and print its id alone.

    \b
    Examples:
      tocsin patient create bed-3 --name "Bed 3" --unit ward-2
      tocsin patient create P1 --name "Rosa Lind" --user rosa@example.org
    """

    async def create(opened: Opened) -> str:
        owner = None if user is None else await opened.users.by_email(user)
        return (await opened.patients.create(patient_id, name, owner.id if owner else None, unit)).id

    print(_run(create))


@care_team.command("add")
def add_to_care_team(patient_id: PatientId, email: Email) -> None:
    """Put somebody on a patient's care team; their open streams follow at once.

    \b
    Example:
      tocsin care-team add bed-3 nurse@example.org
    """

    async def add(opened: Opened) -> None:
        await opened.care_team.add(patient_id, (await opened.users.by_email(email)).id)

    _run(add)


@care_team.command("remove")
def remove_from_care_team(patient_id: PatientId, email: Email) -> None:
    """Take somebody off a patient's care team; their open streams of that patient end within a second.

    \b
    Example:
      tocsin care-team remove bed-3 nurse@example.org
    """

    async def remove(opened: Opened) -> None:
        await opened.care_team.remove(patient_id, (await opened.users.by_email(email)).id)

    _run(remove)


def parse_ttl(text: str) -> timedelta:
    """Read a length of time such as `45s`, `30m`, `1h` or `7d`."""
    number = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    lifetime = timedelta(**{_UNITS[number[2]]: int(number[1])}) if number else timedelta(0)
    if not timedelta(0) < lifetime <= LONGEST_TTL:
        raise typer.BadParameter(f"--ttl {text!r}: use a number and a unit, such as 45s, 30m, 1h or 7d, up to 30d")
    return lifetime


def token(
    email: Email,
    ttl: Annotated[str, typer.Option(metavar="TTL", help="How long it holds: 45s, 30m, 1h, 7d; up to 30d.")] = "1h",
) -> None:
    """Make an access token for an account, and print the JWT alone.

    It holds until its time is over, or the account is disabled.

    \b
    Examples:
      TOKEN=$(tocsin token nurse@example.org)
      tocsin token monitor-7@example.org --ttl 30d
    """

    lifetime = parse_ttl(ttl)

    async def make(opened: Opened) -> str:
        return await opened.auth.token_for(email, lifetime)

    print(_run(make))


def _run(work: Callable[[Opened], Awaitable[T]]) -> T:
    from app.commands.opened import run

    return run(work)


def _first_line_of_stdin() -> str:
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise typer.BadParameter("the password on standard input is no UTF-8 text") from None
