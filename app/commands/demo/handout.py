"""What a visitor of the demo gets into their hands: the console, who can sign in, and two commands for a shell."""

from __future__ import annotations

from typing import Final

from app.commands.demo.ward import NURSE, PASSWORD, PEOPLE

#: The bed whose patient gets worse within half a minute.
EVENTFUL_BED: Final = "bed-3"


def console_address(url: str) -> str:
    """Where a browser finds the ward's console."""
    return f"{url}/"


def console_sign_in() -> str:
    """As whom to look at it first."""
    return f"{NURSE.email}, password {PASSWORD}"


def sign_ins() -> list[str]:
    """A line for each account, and one for the password that they share."""
    width = max(len(person.email) for person in PEOPLE)
    accounts = [f"{person.email:{width}}  {person.name}" for person in PEOPLE]
    return [*accounts, f"password of all: {PASSWORD}"]


def follow_command(url: str, authorization: str) -> tuple[str, ...]:
    """Follows the eventful bed's alerts; `authorization` is what goes behind curl's -H."""
    return f"curl -N -H {authorization}", f"'{url}/api/v1/alerts/stream?role=nurse&patient_id={EVENTFUL_BED}'"


def acknowledge_command(
    url: str, authorization: str, alert_id: str = "ALERT_ID", patient_id: str = EVENTFUL_BED
) -> tuple[str, ...]:
    """Acknowledges an alert."""
    return (
        f"curl -X POST -H {authorization}",
        "-H 'Content-Type: application/json' -d '{\"note\": \"On my way\"}'",
        f"'{url}/api/v1/alerts/alerts/{alert_id}/acknowledge?patient_id={patient_id}'",
    )


def on_one_line(command: tuple[str, ...]) -> str:
    """The command as it stands in a log."""
    return " ".join(command)


def on_short_lines(command: tuple[str, ...]) -> str:
    """The same command for a narrow screen, cut so that a shell takes it as it is copied."""
    return " \\\n    ".join(command)


def authorization_header(token: str) -> str:
    """The header that signs a request in."""
    return f"Authorization: Bearer {token}"
