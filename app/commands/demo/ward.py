"""The demo's ward: six beds, somebody in each role, and how they come into a fresh server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import httpx

from app.commands.connection import CommandError
from app.commands.readings import now

PASSWORD: Final = "tocsin-demo-ward"
TOKEN_TTL: Final = "24h"
#: A token is replaced well before it ends, so that no stream is opened with one that is about to.
TOKEN_KEPT: Final = timedelta(hours=20)


class Host(Protocol):
    """A server that takes the ward in: the demo's own, or any other one that has no accounts yet."""

    @property
    def url(self) -> str:
        """Where it answers."""
        ...

    async def run_command(self, *arguments: str, stdin: str = "") -> str:
        """Run `tocsin ARGUMENTS` on its data, whether or not it answers, and return what was printed.

        Raises:
            CommandError: it failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed, which stands for the patient in it."""

    id: str
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the demo."""

    email: str
    name: str
    role: str


BEDS: Final = tuple(Bed(f"bed-{number}", f"Bed {number}", "ward-2" if number <= 4 else "icu") for number in range(1, 7))

ADMIN: Final = Person("admin@demo.example", "Ward admin", "admin")
NURSE: Final = Person("nurse@demo.example", "Nurse", "nurse")
DEVICE: Final = Person("device@demo.example", "Bedside monitors", "device")
PATIENT: Final = Person("patient@demo.example", "Patient in bed 1", "patient")

#: Everybody who stands on the care team of every bed.
CARE_TEAM: Final = (
    NURSE,
    Person("doctor@demo.example", "Doctor", "doctor"),
    Person("caregiver@demo.example", "Caregiver", "caregiver"),
    Person("dispatcher@demo.example", "Dispatcher", "dispatcher"),
    DEVICE,
)
PEOPLE: Final = (ADMIN, *CARE_TEAM, PATIENT)


async def furnish(server: Host) -> None:
    """Fill a fresh server with the ward.

    The first admin comes from the command line, and everything else from that admin's own calls.

    Raises:
        CommandError: the server refused one of them.
    """
    await server.run_command(
        "user",
        "create",
        ADMIN.email,
        "--role",
        ADMIN.role,
        "--name",
        ADMIN.name,
        "--password-stdin",
        stdin=PASSWORD + "\n",
    )
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as http:
        form = {"username": ADMIN.email, "password": PASSWORD}
        signed_in = await _call(http, "POST", "/api/v1/login/access-token", data=form)
        http.headers["Authorization"] = f"Bearer {signed_in['access_token']}"

        ids = {}
        for person in (*CARE_TEAM, PATIENT):
            account = {"email": person.email, "name": person.name, "roles": [person.role], "password": PASSWORD}
            ids[person] = str((await _call(http, "POST", "/api/v1/users", json=account))["id"])
        for bed in BEDS:
            owner = {"userId": ids[PATIENT]} if bed == BEDS[0] else {}
            await _call(
                http, "POST", "/api/v1/patients", json={"id": bed.id, "name": bed.name, "unit": bed.unit} | owner
            )
            for person in CARE_TEAM:
                await _call(http, "PUT", f"/api/v1/patients/{bed.id}/care-team/{ids[person]}")


async def _call(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    try:
        answer = await http.request(method, path, **options)
    except httpx.RequestError as error:
        raise CommandError(f"{method} {path}: {str(error) or type(error).__name__}") from None
    if not answer.is_success:
        raise CommandError(f"{method} {path} was refused: {answer.status_code} {answer.text[:300]}")
    body: dict[str, Any] = answer.json() if answer.content else {}
    return body


class Tokens:
    """Tokens of the ward's accounts, made by the server's own command, each kept for most of its day."""

    def __init__(self, server: Host) -> None:
        self._server = server
        self._kept: dict[str, tuple[str, datetime]] = {}
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, person: Person) -> str:
        """A token of that account that holds for hours yet."""
        async with self._making[person.email]:
            kept = self._kept.get(person.email)
            if kept is not None and now() - kept[1] < TOKEN_KEPT:
                return kept[0]
            made_at = now()
            token = await self._server.run_command("token", person.email, "--ttl", TOKEN_TTL)
            self._kept[person.email] = token, made_at
            return token
