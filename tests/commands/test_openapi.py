"""`tocsin openapi` prints what a server of the same version would answer, and needs nothing for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, serving

pytestmark = pytest.mark.anyio


def printed(folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "openapi"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_what_is_printed_is_what_a_server_answers(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        answered = (await server.http.get("/openapi.json")).json()
    assert json.loads(printed(tmp_path)) == answered


def test_the_text_is_the_same_each_time_sorted_and_ends_with_its_line(tmp_path: Path) -> None:
    text = printed(tmp_path, PYTHONHASHSEED="1")
    assert text == printed(tmp_path, PYTHONHASHSEED="2")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_no_setting_is_looked_at_and_no_file_is_made(tmp_path: Path) -> None:
    """Fails when the services are wired for it (checked so): production wants a key, and the rules file is none."""
    printed(tmp_path, TOCSIN_ENV="production", TOCSIN_RULES_FILE="/nowhere", TOCSIN_DATA_DIR=str(tmp_path / "data"))
    assert list(tmp_path.iterdir()) == []
