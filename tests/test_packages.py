"""What is built for others carries the web console where that is built, and says so where it is not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.servers import ROOT

PAGE, SCRIPT = "index.html", "assets/index-1.js"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout with little in it."""
    checkout = tmp_path / "checkout"
    for name in ("app/__init__.py", "migrations/env.py", "web/console/src/main.tsx"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, checkout)
    return checkout


def build_console(source: Path) -> None:
    for name in (PAGE, SCRIPT):
        path = source / "web" / "console" / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def build(source: Path, target: str) -> tuple[Path, str]:
    """What is built, and what was said meanwhile."""
    into = source / "built"
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)],
        cwd=source, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (package,) = into.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return package, done.stdout + done.stderr


def console_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("app/_console/")}


def test_a_wheel_carries_the_console_that_is_built(source: Path) -> None:
    build_console(source)
    wheel, said = build(source, "wheel")
    assert console_in(wheel) == {f"app/_console/{PAGE}", f"app/_console/{SCRIPT}"}
    assert "console" not in said


def test_a_wheel_without_the_console_is_built_and_says_so(source: Path) -> None:
    wheel, said = build(source, "wheel")
    assert console_in(wheel) == set()
    assert "no web console is built in web/console/dist: this wheel goes without it" in said


def test_a_wheel_from_the_sdist_carries_the_console_too_and_nothing_that_node_has_installed(source: Path) -> None:
    build_console(source)
    installed = source / "web" / "console" / "node_modules" / "react" / "index.js"
    installed.parent.mkdir(parents=True)
    installed.touch()
    sdist, _ = build(source, "sdist")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(source / "unpacked", filter="data")
    assert not [name for name in names if "node_modules" in name]
    assert [name for name in names if name.endswith("web/console/src/main.tsx")]
    (unpacked,) = (source / "unpacked").iterdir()
    assert console_in(build(unpacked, "wheel")[0]) == {f"app/_console/{PAGE}", f"app/_console/{SCRIPT}"}


def test_an_editable_install_needs_no_console(source: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from hatchling.build import build_editable; print(build_editable('built'))"],
        cwd=source, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.endswith(".whl\n")) == (0, True), done.stderr
    assert "console" not in done.stderr
