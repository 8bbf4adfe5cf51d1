"""What an open stream costs while nothing is sent on it, and whether it then gets everything."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.machine import raise_file_limit
from bench.measures import number
from bench.options import add_peers
from bench.progress import say
from bench.results import Result, Table
from bench.rounds import in_rounds
from bench.running import loaded, running
from bench.servers import OURS, SERVERS, Server

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


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn.

    Attributes:
        empty_bytes: resident memory with nobody connected.
        idle_bytes: with all of the streams open.
        after_events_bytes: when all events have been sent on them.
        received: events, over all streams; `complete` of them came on every stream.
    """

    server: str
    empty_bytes: int
    idle_bytes: int
    after_events_bytes: int
    received: int
    complete: int

    def kilobytes_each(self, streams: int) -> float:
        """What each of so many idle streams takes."""
        return (self.idle_bytes - self.empty_bytes) / streams / 1000


def run(options: argparse.Namespace) -> Result:
    raise_file_limit(options.subscribers + 200)
    cases = [(f"{options.subscribers:,} streams", options.subscribers)]
    return in_rounds(NAME, options, SERVERS, cases, _take_turn, partial(_report, events=options.events))


def _take_turn(kind: type[Server], streams: int, options: argparse.Namespace, where: str, result: Result) -> Round:
    with running(kind) as server, loaded(server) as load:
        load.connect(50)  # what the first connections alone cost is not theirs
        load.publish(20, per_second=None)
        load.disconnect()
        empty_bytes = server.process.settled_bytes()
        load.connect(streams, within_seconds=600)
        idle_bytes = server.process.settled_bytes()
        load.publish(options.events, per_second=options.deliveries / streams)
        busy_bytes = server.process.settled_bytes()
        one = Round(kind.name, empty_bytes, idle_bytes, busy_bytes, load.ledger.received, load.ledger.complete)
        server.process.check()
    result.failures += [f"{where}: {fault}" for fault in load.verdict()]
    say(
        f"{where}: {one.kilobytes_each(streams):.1f} kB each; "
        f"{one.received:,} receipts, {one.complete} of {options.events} by all"
    )
    return one


def _report(
    result: Result, streams: int, kinds: Sequence[type[Server]], rounds: dict[str, list[Round]], *, events: int
) -> None:
    rows = []
    kilobytes: dict[str, float] = {}
    for kind in kinds:
        turns = rounds[kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 5))
            continue
        kilobytes[kind.name] = statistics.median(one.kilobytes_each(streams) for one in turns)
        rows.append(
            (
                kind.title,
                number(kilobytes[kind.name]),
                number(statistics.median(one.empty_bytes for one in turns) / 1e6),
                number(statistics.median(one.idle_bytes for one in turns) / 1e6),
                number(statistics.median(one.after_events_bytes for one in turns) / 1e6),
                f"{min(one.received for one in turns):,}",
            )
        )
    columns = ("server", "kB per stream", "MB empty", "MB idle", "MB after the events", "events received")
    result.tables.append(Table(f"{streams:,} open streams in one process", columns, rows))
    received = min((one.received for one in rounds[OURS.name]), default=None)
    result.check_at_most("kB per idle stream of Tocsin", kilobytes.get(OURS.name), MOST_KB, " kB")
    result.check_at_least("Events received from Tocsin", received, streams * events)
    if "nchan" in kilobytes:
        result.tell("kB per idle stream of nchan", kilobytes["nchan"], " kB")
