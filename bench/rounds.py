"""Servers that take turns: round after round, so that a machine which gets slower does so for all of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from bench.results import Result
from bench.running import SERVER_TROUBLE, chosen
from bench.servers import Server

K = TypeVar("K", bound=type[Server])
C = TypeVar("C")
R = TypeVar("R")

TakeTurn = Callable[[K, C, argparse.Namespace, str, Result], R]
Report = Callable[[Result, C, Sequence[K], dict[str, list[R]]], None]


def in_rounds(
    name: str,
    options: argparse.Namespace,
    kinds: Sequence[K],
    cases: Sequence[tuple[str, C]],
    take_turn: TakeTurn[K, C, R],
    report: Report[C, K, R],
) -> Result:
    """Ours and the chosen peers, in every case, in rounds.

    Args:
        kinds: ours, and then the peers that can be chosen.
        cases: what each is called, and what it is.
        take_turn: one server's turn in one round; what it gives is a dataclass.
        report: enters what all rounds of one case have found, by the name of the server.
    """
    result = Result(name, vars(options))
    present = chosen(kinds, options.peers, result)
    for title, case in cases:
        rounds: dict[str, list[R]] = {kind.name: [] for kind in present}
        for turn in range(1, options.rounds + 1):
            for kind in present:
                where = f"{kind.name}, {title}, round {turn}"
                try:
                    rounds[kind.name].append(take_turn(kind, case, options, where, result))
                except SERVER_TROUBLE as error:
                    result.failed(where, error)
        turns: list[Any] = [one for found in rounds.values() for one in found]
        result.raw += [asdict(one) for one in turns]
        report(result, case, present, rounds)
    return result
