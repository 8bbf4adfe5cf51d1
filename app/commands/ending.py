"""How a command ends when it cannot do what it was asked: one line, and a status."""

from __future__ import annotations

import sys
from typing import NoReturn


def end(line: str, *, status: int) -> NoReturn:
    """Say why on stderr, in one line, and end. Status 2 is for settings and arguments, 1 for the rest."""
    print("tocsin:", " ".join(line.split()), file=sys.stderr)
    sys.exit(status)
