"""Servers that take turns: round after round, so that a machine which gets slower does so for all of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from bench.machine import raise_file_limit
from bench.results import Result
from bench.running import SERVER_TROUBLE, chosen_peers
from bench.servers import OURS, Server

R = TypeVar("R")

TakeTurn = Callable[[type[Server], int, argparse.Namespace, str, Result], R]
Report = Callable[[Result, int, Sequence[type[Server]], dict[str, list[R]]], None]


def in_rounds(name: str, options: argparse.Namespace, take_turn: TakeTurn[R], report: Report[R]) -> Result:
    """Ours and the chosen peers, each with every number of subscribers, in rounds.

    Args:
        take_turn: one server's turn in one round; what it gives is a dataclass.
        report: enters what all rounds with one number of subscribers have found.
    """
    result = Result(name, vars(options))
    kinds: list[type[Server]] = [OURS, *chosen_peers(options.peers, result)]
    raise_file_limit(max(options.subscribers) + 100)
    for subscribers in options.subscribers:
        rounds: dict[str, list[R]] = {kind.name: [] for kind in kinds}
        for turn in range(1, options.rounds + 1):
            for kind in kinds:
                where = f"{kind.name}, {subscribers:,} subscribers, round {turn}"
                try:
                    rounds[kind.name].append(take_turn(kind, subscribers, options, where, result))
                except SERVER_TROUBLE as error:
                    result.failed(where, error)
        turns: list[Any] = [one for found in rounds.values() for one in found]
        result.raw += [asdict(one) for one in turns]
        report(result, subscribers, kinds, rounds)
    return result
