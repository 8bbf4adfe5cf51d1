"""What an open stream costs while nothing is sent on it, and whether it then gets everything."""

from __future__ import annotations

import argparse
import statistics

from bench.machine import raise_file_limit
from bench.measures import number
from bench.options import add_peers
from bench.progress import say
from bench.results import Result, Table
from bench.running import SERVER_TROUBLE, chosen_peers, loaded, running
from bench.servers import OURS, Server

NAME = "idle"
SUMMARY = "resident memory of many open streams in one process, all of which get every event"
EXAMPLES = """\
  python -m bench idle
  python -m bench idle --subscribers 2000 --peers none"""
QUICK = ["--subscribers", "500", "--events", "5", "--rounds", "1"]

#: The issue's target: kB per idle stream over the empty server.
MOST_KB = 16.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=int, default=10_000, help="how many streams")
    parser.add_argument("--events", type=int, default=20, help="events that each of them must then get")
    parser.add_argument("--rounds", type=int, default=1, help="rounds in which every server has its turn")
    parser.add_argument("--deliveries", type=float, default=20_000, help="the pace, in deliveries per second")
    add_peers(parser, ("nchan",))


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    kinds: list[type[Server]] = [OURS, *chosen_peers(options.peers, result)]
    raise_file_limit(options.subscribers + 200)
    kilobytes: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for turn in range(1, options.rounds + 1):
        for kind in kinds:
            where = f"{kind.name}, {options.subscribers:,} streams, round {turn}"
            try:
                kilobytes[kind.name].append(_take_turn(kind, options, where, result))
            except SERVER_TROUBLE as error:
                result.failed(where, error)
    _report(result, options, kinds, kilobytes)
    return result


def _take_turn(kind: type[Server], options: argparse.Namespace, where: str, result: Result) -> float:
    with running(kind) as server, loaded(server) as load:
        load.connect(50)  # what the first connections alone cost is not theirs
        load.publish(20, per_second=None)
        load.disconnect()
        empty_bytes = server.process.settled_bytes()
        load.connect(options.subscribers, within_seconds=600)
        idle_bytes = server.process.settled_bytes()
        load.publish(options.events, per_second=options.deliveries / options.subscribers)
        busy_bytes = server.process.settled_bytes()
        received, complete = load.ledger.received, load.ledger.complete
        server.process.check()
    result.failures += [f"{where}: {fault}" for fault in load.verdict()]
    per_stream: float = (idle_bytes - empty_bytes) / options.subscribers
    say(f"{where}: {per_stream / 1000:.1f} kB each; {received:,} receipts, {complete} of {options.events} by all")
    result.raw.append(
        {
            "server": kind.name,
            "empty_bytes": empty_bytes,
            "idle_bytes": idle_bytes,
            "after_events_bytes": busy_bytes,
            "received": received,
            "complete": complete,
        }
    )
    return per_stream / 1000


def _report(
    result: Result, options: argparse.Namespace, kinds: list[type[Server]], kilobytes: dict[str, list[float]]
) -> None:
    rows = []
    for kind in kinds:
        turns = [one for one in result.raw if one["server"] == kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 5))
            continue
        rows.append(
            (
                kind.title,
                number(statistics.median(kilobytes[kind.name])),
                number(statistics.median(one["empty_bytes"] for one in turns) / 1e6),
                number(statistics.median(one["idle_bytes"] for one in turns) / 1e6),
                number(statistics.median(one["after_events_bytes"] for one in turns) / 1e6),
                f"{min(one['received'] for one in turns):,}",
            )
        )
    columns = ("server", "kB per stream", "MB empty", "MB idle", "MB after the events", "events received")
    result.tables.append(Table(f"{options.subscribers:,} open streams in one process", columns, rows))
    ours = kilobytes[OURS.name]
    wanted = options.subscribers * options.events
    received = min((one["received"] for one in result.raw if one["server"] == OURS.name), default=None)
    result.check_at_most("kB per idle stream of Tocsin", statistics.median(ours) if ours else None, MOST_KB, " kB")
    result.check_at_least("Events received from Tocsin", received, wanted)
    if nchan := kilobytes.get("nchan"):
        result.tell("kB per idle stream of nchan", statistics.median(nchan), " kB")
