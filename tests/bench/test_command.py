"""`tocsin bench` where the benchmarks are, and where they are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.commands import bench as command
from bench.cli import SCENARIOS
from tests.servers import run_cli


def test_it_runs_the_benchmarks_of_the_repository(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.bench(["fanout", "--help"])
    assert ended.value.code == 0
    assert "python -m bench fanout --subscribers 20" in capfd.readouterr().out


def test_its_help_names_every_measurement() -> None:
    told = run_cli("bench", "--help").stdout
    assert SCENARIOS.keys() <= set(re.findall(r"\w+", told.partition("Arguments")[2]))


def test_it_gives_the_status_of_the_benchmark(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.bench(["fanout", "--peers", "nobody"])
    assert ended.value.code == 2
    assert "'nobody' is none of nchan, floor" in capfd.readouterr().err


def test_an_installed_package_says_where_the_benchmarks_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.bench(["fanout"], root=tmp_path)
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "tocsin: the benchmarks are part of the repository: run this from a checkout of it\n"
    )
