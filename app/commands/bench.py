"""`tocsin bench`: the benchmarks, which are part of the repository and not of the installed package."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.commands.ending import end

ROOT = Path(__file__).resolve().parents[2]


def bench(arguments: Sequence[str], root: Path = ROOT) -> None:
    """Run `python -m bench` with these arguments, and end with its status.

    Args:
        root: where the benchmarks are, in a checkout.
    """
    if not (root / "bench" / "__main__.py").is_file():
        end("the benchmarks are part of the repository: run this from a checkout of it", status=1)
    # Not from the root of the repository, so that paths among the arguments mean what they say.
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "bench", *arguments]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # it has had the signal as well, and ends its servers first
            continue
        raise SystemExit(status)
