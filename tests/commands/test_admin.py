from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
import typer

from app.commands.admin import parse_ttl

JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
HEX_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """`tocsin` with a data folder of its own."""

    data_dir: Path

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Outcome:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        ran = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**inherited, "TOCSIN_DATA_DIR": str(self.data_dir), **environment},
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
        )
        return Outcome(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


@pytest.fixture
def tocsin(tmp_path: Path) -> Command:
    return Command(tmp_path / "data")


def test_a_new_database_is_made_by_the_first_command_and_each_prints_what_it_made(tocsin: Command) -> None:
    made = tocsin(
        "user", "create", "Nurse@example.org", "--role", "nurse", "--role", "doctor", "--password-stdin",
        stdin="correct horse battery\n",
    )  # fmt: skip
    assert (made.status, made.err) == (0, "")
    assert HEX_ID.fullmatch(made.out.removesuffix("\n"))

    owner = tocsin("user", "create", "rosa@example.org", "--role", "patient", "--name", "Rosa Lind")
    assert owner.status == 0
    assert tocsin("patient", "create", "P1", "--name", "Bed 1", "--user", "rosa@example.org") == Outcome(0, "P1\n", "")
    assert tocsin("care-team", "add", "P1", "nurse@example.org") == Outcome(0, "", "")
    assert tocsin("care-team", "add", "P1", "nurse@example.org") == Outcome(0, "", "")
    assert tocsin("care-team", "remove", "P1", "nurse@example.org") == Outcome(0, "", "")

    token = tocsin("token", "nurse@example.org", "--ttl", "45s")
    assert (token.status, token.err) == (0, "")
    assert JWT.fullmatch(token.out.removesuffix("\n"))
    claims = jwt.decode(token.out.strip(), options={"verify_signature": False})
    assert claims["sub"] == made.out.strip()
    assert claims["exp"] - claims["iat"] == 45


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("user", "create", "ada@example.org", "--role", "nurse"), "tocsin: there is a user with the address"),
        (("user", "create", "eve@example.org", "--role", "wizard"), "tocsin: roles[0]: use one of patient,"),
        (("user", "create", "nowhere", "--role", "nurse"), "tocsin: email: use an address such as"),
        (("patient", "create", "a b"), "tocsin: id: use 1 to 64"),
        (("patient", "create", "P2", "--unit", "a b"), "tocsin: unit: use 1 to 64"),
        (("patient", "create", "P2", "--user", "nobody@example.org"), "tocsin: there is no user nobody@example.org"),
        (("care-team", "add", "P9", "ada@example.org"), "tocsin: there is no such patient"),
        (("care-team", "remove", "P1", "nobody@example.org"), "tocsin: there is no user nobody@example.org"),
        (("token", "nobody@example.org"), "tocsin: there is no user nobody@example.org"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line_on_stderr_and_status_1(
    ward_of_ada: Command, arguments: tuple[str, ...], line: str
) -> None:
    refused = ward_of_ada(*arguments)

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith(line)
    assert refused.err.count("\n") == 1


@pytest.fixture(scope="module")
def ward_of_ada(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A database with one nurse and one patient, which the refused commands leave as it is."""
    tocsin = Command(tmp_path_factory.mktemp("ward"))
    assert tocsin("user", "create", "ada@example.org", "--role", "nurse").status == 0
    assert tocsin("patient", "create", "P1").status == 0
    return tocsin


def test_a_patient_is_made_on_a_unit(tocsin: Command) -> None:
    assert tocsin("patient", "create", "P1", "--unit", "ward-2") == Outcome(0, "P1\n", "")
    with closing(sqlite3.connect(tocsin.data_dir / "tocsin.db")) as database:
        assert database.execute("SELECT id, unit FROM patients").fetchall() == [("P1", "ward-2")]


def test_a_password_that_is_too_short_makes_no_account(tocsin: Command) -> None:
    refused = tocsin("user", "create", "ada@example.org", "--role", "nurse", "--password-stdin", stdin="\n")

    assert (refused.status, refused.err) == (1, "tocsin: password: use 8 to 1,024 characters\n")
    assert tocsin("token", "ada@example.org").status == 1


def test_a_setting_that_cannot_be_used_is_one_line_and_status_2(tocsin: Command) -> None:
    refused = tocsin("token", "ada@example.org", TOCSIN_SECRET_KEY="short")

    assert (refused.status, refused.out) == (2, "")
    assert refused.err == "tocsin: TOCSIN_SECRET_KEY must be at least 32 characters long\n"


def test_a_database_of_another_version_is_left_alone(ward_of_ada: Command, tmp_path: Path) -> None:
    old = Command(tmp_path)
    with sqlite3.connect(tmp_path / "tocsin.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('long-ago')")
    database.close()

    refused = old("patient", "create", "P1")

    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("tocsin: the database stands at migration long-ago")
    assert refused.err.endswith("run `tocsin migrate`\n")


def test_a_database_that_does_not_answer_is_one_line(tocsin: Command) -> None:
    refused = tocsin("patient", "create", "P1", TOCSIN_DATABASE_URL="sqlite+aiosqlite:////dev/null/tocsin.db")

    assert refused.status == 1
    assert refused.err.startswith("tocsin: the database")
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("group", [("user", "create"), ("patient", "create"), ("care-team", "add"), ("token",)])
def test_every_help_shows_examples(tocsin: Command, group: tuple[str, ...]) -> None:
    shown = tocsin(*group, "--help")

    assert shown.status == 0
    assert f"tocsin {' '.join(group)} " in shown.out
    assert "Example" in shown.out


def test_help_loads_neither_the_database_nor_the_server() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, app.commands.admin; print(*sys.modules)"], capture_output=True, check=True
    ).stdout.decode()

    assert {"sqlalchemy", "fastapi", "pydantic", "anyio"}.isdisjoint(loaded.split())


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("30d", timedelta(days=30)),
    ],
)
def test_a_ttl_is_a_number_and_a_unit(text: str, lifetime: timedelta) -> None:
    assert parse_ttl(text) == lifetime


@pytest.mark.parametrize(
    "text", ["", "1", "h", "0s", "-1h", "1.5h", "1w", "31d", "721h", "9999999d", "1h30m", "\u0661h"]
)
def test_any_other_ttl_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 45s, 30m, 1h or 7d, up to 30d"):
        parse_ttl(text)


def test_a_wrong_ttl_ends_the_command_with_status_2(tocsin: Command) -> None:
    refused = tocsin("token", "ada@example.org", "--ttl", "soon")

    assert (refused.status, refused.out) == (2, "")
    assert "30m" in refused.err
