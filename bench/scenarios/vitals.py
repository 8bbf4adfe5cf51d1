"""What it costs a server to receive waveforms: decoded, checked, and kept for a minute."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ecg import FRAMES_PER_SECOND
from bench.machine import raise_file_limit
from bench.measures import number, percent, ratio
from bench.options import add_peers, counts
from bench.progress import say
from bench.results import Result, Table
from bench.rounds import in_rounds
from bench.running import running
from bench.servers.ward import WITHOUT_BEATS, NodeWard, TocsinWard
from bench.streaming import WARDS, Cost, Ward, measure, note_disturbances, streaming

NAME = "vitals"
SUMMARY = "CPU per received waveform frame, ours against ws on Node"
EXAMPLES = """\
  python -m bench vitals
  python -m bench vitals --patients 200 --rounds 1 --seconds 5"""
QUICK = ["--patients", "50", "--seconds", "3", "--warm-up", "1", "--rounds", "1"]

_BEHIND = (
    "* sent, but not taken at that pace: the core was full. What waited at the end was taken afterwards, "
    "and the time for it is in the CPU time per frame."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=counts, default=[200, 1000], help="devices, comma-separated")
    parser.add_argument("--seconds", type=float, default=20, help="how long each round measures")
    parser.add_argument("--warm-up", type=float, default=10, help="seconds of streaming before that")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which every server has its turn")
    add_peers(parser, among=(NodeWard.name,))


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn."""

    server: str
    patients: int
    cost: Cost


def run(options: argparse.Namespace) -> Result:
    raise_file_limit(max(options.patients) + 100)
    cases = [(f"{patients:,} patients", patients) for patients in options.patients]
    return in_rounds(NAME, options, WARDS, cases, _take_turn, _report)


def _ward(kind: type[Ward], folder: Path, patients: int) -> Ward:
    return NodeWard(folder) if kind is NodeWard else TocsinWard(folder, patients=patients, settings=WITHOUT_BEATS)


def _take_turn(kind: type[Ward], patients: int, options: argparse.Namespace, where: str, result: Result) -> Round:
    with (
        running(lambda folder: _ward(kind, folder, patients)) as server,
        streaming(server, patients) as (_, devices),
    ):
        devices.stream(options.warm_up)
        cost = measure(server.process, devices, options.seconds)
        faults = devices.verdict(cost.tally)
        server.process.check()
    result.failures += [f"{where}: {fault}" for fault in faults]
    say(
        f"{where}: {cost.us_per_frame:.2f} µs CPU per frame, {cost.tally.accepted:,} accepted, "
        f"server {percent(cost.server_share)}, load {percent(cost.stretch.load_share)}"
        + "".join(f"; FAILED: {fault}" for fault in faults)
    )
    return Round(kind.name, patients, cost)


def _report(result: Result, patients: int, kinds: Sequence[type[Ward]], rounds: dict[str, list[Round]]) -> None:
    rows = []
    spent: dict[str, float] = {}
    for kind in kinds:
        turns = rounds[kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 6))
            continue
        spent[kind.name] = statistics.median(one.cost.us_per_frame for one in turns)
        rows.append(
            (
                kind.title,
                number(spent[kind.name]),
                number(min(one.cost.us_per_frame for one in turns)),
                number(statistics.median(one.cost.stretch.frames / one.cost.stretch.seconds for one in turns))
                + ("*" if any(one.cost.is_behind for one in turns) else ""),
                f"{min(one.cost.tally.accepted for one in turns):,}",
                percent(statistics.median(one.cost.server_share for one in turns)),
                percent(statistics.median(one.cost.stretch.load_share for one in turns)),
            )
        )
    columns = (
        "server", "CPU µs per frame", "in the best round", "frames/s", "frames accepted in a round, all",
        "server's core", "load's core",
    )  # fmt: skip
    title = f"{patients:,} devices, {FRAMES_PER_SECOND} frames a second each, medians of the rounds"
    result.tables.append(Table(title, columns, rows))
    if any("*" in row[3] for row in rows) and _BEHIND not in result.notes:
        result.notes.append(_BEHIND)
    costs = [one.cost for turns in rounds.values() for one in turns]
    note_disturbances(result, costs, f"With {patients:,} devices")
    node = spent.get(NodeWard.name)
    claim = f"CPU per received frame, Tocsin ÷ ws on Node, {patients:,} devices"
    result.check_at_most(claim, ratio(spent.get(TocsinWard.name), node), 1.0)
