"""Options that several scenarios share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from bench.servers import PEERS


def counts(text: str) -> list[int]:
    """`1000,5000` as numbers."""
    return [int(part) for part in text.split(",")]


def add_peers(
    parser: argparse.ArgumentParser, default: Sequence[str] | None = None, *, among: Iterable[str] = tuple(PEERS)
) -> None:
    """
    Args:
        default: the names of those that are measured when nothing is said; all of them when left out.
        among: the names that can be given.
    """
    names = list(among)

    def peers(text: str) -> list[str]:
        """`nchan,floor` as names; `none` for nobody."""
        wanted = [] if text == "none" else text.split(",")
        for name in wanted:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
        return wanted

    parser.add_argument(
        "--peers",
        type=peers,
        default=names if default is None else list(default),
        help=f"comma-separated, of {', '.join(names)}; `none` for ours alone",
    )
