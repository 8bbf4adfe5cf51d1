"""Rights that another process has changed hold, or do not, with the very next request here.

The server that is asked looks for changes by itself once an hour, and no bus tells it of any, so that
what it answers comes of asking it alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest

from app.core.roles import Role
from tests.servers import ROOT, RunningServer, code_of, serving

pytestmark = pytest.mark.anyio

ME = "/api/v1/users/me"
STREAM = "/api/v1/alerts/stream?role=nurse&patient_id=P1"
NEVER_SECONDS = 60.0


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with serving(tmp_path, log_poll_seconds=NEVER_SECONDS) as server:
        await server.user("admin", Role.ADMIN)
        await server.user("nurse", Role.NURSE, password="correct horse battery")
        await server.patient("P1", "nurse")
        await server.patient("P2")
        for _ in range(2):  # known from here on
            assert (await me(server)).status_code == 200
        yield server


@pytest.fixture
async def elsewhere(tmp_path: Path, here: RunningServer) -> AsyncIterator[RunningServer]:
    """Another server on the same database."""
    async with serving(tmp_path, log_poll_seconds=NEVER_SECONDS) as server:
        server.tokens = here.tokens
        yield server


async def me(server: RunningServer, name: str = "nurse") -> httpx.Response:
    return await server.call("GET", ME, name)


async def command(data_dir: Path, *arguments: str) -> None:
    await anyio.run_process(
        [sys.executable, "-m", "app.cli", *arguments], env={**os.environ, "TOCSIN_DATA_DIR": str(data_dir)}, cwd=ROOT
    )


async def refused(server: RunningServer, path: str) -> tuple[int, str]:
    return code_of(await server.call("GET", path, "nurse"))


async def test_a_command_that_grants_and_revokes_counts_at_once(here: RunningServer, tmp_path: Path) -> None:
    """Fails when what is known of a care team is taken without looking (checked so)."""
    await command(tmp_path, "care-team", "add", "P2", "nurse@example.org")
    assert (await me(here)).json()["patientIds"] == ["P1", "P2"]
    async with here.stream("nurse") as stream:
        await stream.control("stream.ready")
    await command(tmp_path, "care-team", "remove", "P1", "nurse@example.org")
    assert await refused(here, STREAM) == (403, "not_on_care_team")
    assert (await me(here)).json()["patientIds"] == ["P2"]


async def test_a_record_that_a_command_makes_somebodys_own_counts_at_once(here: RunningServer, tmp_path: Path) -> None:
    await command(tmp_path, "patient", "create", "own", "--user", "nurse@example.org")
    mine = (await me(here)).json()
    assert (mine["patientId"], mine["roles"]) == ("own", ["patient", "nurse"])


async def test_whatever_changes_of_an_account_counts_at_once(here: RunningServer, elsewhere: RunningServer) -> None:
    """Fails when what is known of an account is taken without looking (checked so)."""
    user_id = (await me(here)).json()["id"]

    async def change(**changes: object) -> None:
        assert (await elsewhere.call("PATCH", f"/api/v1/users/{user_id}", "admin", changes)).status_code == 200

    await change(name="Florence")
    assert (await me(here)).json()["name"] == "Florence"
    await change(roles=["doctor"])
    assert (await me(here)).json()["roles"] == ["doctor", "hospital"]
    assert await refused(here, STREAM) == (403, "role_not_held")
    await change(disabled=True)
    assert await refused(here, ME) == (401, "account_disabled")
    assert await refused(here, ME) == (401, "account_disabled")
    await change(disabled=False)
    assert (await me(here)).status_code == 200


async def test_a_sign_in_that_ends_elsewhere_has_ended_here_and_a_new_one_holds(
    here: RunningServer, elsewhere: RunningServer
) -> None:
    form = {"username": "nurse@example.org", "password": "correct horse battery"}

    async def sign_in() -> None:
        answer = await elsewhere.http.post("/api/v1/login/access-token", data=form)
        here.tokens["signed-in"] = answer.json()["access_token"]

    await sign_in()
    assert (await me(here, "signed-in")).status_code == 200
    assert (await elsewhere.call("POST", "/api/v1/logout", "signed-in")).is_success
    assert code_of(await me(here, "signed-in")) == (401, "session_ended")
    await sign_in()
    assert (await me(here, "signed-in")).status_code == 200


async def test_a_patient_and_an_account_that_were_not_there_are_found_once_they_are(
    here: RunningServer, tmp_path: Path
) -> None:
    assert code_of(await here.raise_alert(patient_id="P3")) == (404, "unknown_patient")
    await command(tmp_path, "patient", "create", "P3")
    assert (await here.raise_alert(patient_id="P3")).status_code == 201
