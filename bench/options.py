"""Options that several scenarios share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.servers import PEERS


def counts(text: str) -> list[int]:
    """`1000,5000` as numbers."""
    return [int(part) for part in text.split(",")]


def peers(text: str) -> list[str]:
    """`nchan,floor` as names; `none` for nobody."""
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


def add_peers(parser: argparse.ArgumentParser, default: Sequence[str] = tuple(PEERS)) -> None:
    parser.add_argument(
        "--peers",
        type=peers,
        default=list(default),
        help=f"comma-separated, of {', '.join(PEERS)}; `none` for ours alone",
    )
