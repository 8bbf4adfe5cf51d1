"""How long an event takes from publishing to receipt, at a pace that no server has trouble with."""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import raise_file_limit
from bench.measures import Latency, number, percent, ratio
from bench.options import add_peers, counts
from bench.progress import say
from bench.results import Result, Table
from bench.rounds import in_rounds
from bench.running import loaded, running
from bench.servers import OURS, SERVERS, Server

NAME = "latency"
SUMMARY = "publish to receipt, ours against nchan, at a moderate pace"
EXAMPLES = """\
  python -m bench latency
  python -m bench latency --subscribers 1000 --rounds 1"""
QUICK = ["--subscribers", "200", "--events", "20", "--rounds", "1"]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=counts, default=[5000], help="how many, comma-separated")
    parser.add_argument("--events", type=int, default=100, help="events in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which every server has its turn")
    parser.add_argument("--deliveries", type=float, default=15_000, help="the pace, in deliveries per second")
    add_peers(parser, ("nchan",))


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn; `pace` is in published events per second."""

    server: str
    subscribers: int
    latency: Latency
    pace: float
    load_share: float


def run(options: argparse.Namespace) -> Result:
    raise_file_limit(max(options.subscribers) + 100)
    cases = [(f"{subscribers:,} subscribers", subscribers) for subscribers in options.subscribers]
    return in_rounds(NAME, options, SERVERS, cases, _take_turn, _report)


def _take_turn(kind: type[Server], subscribers: int, options: argparse.Namespace, where: str, result: Result) -> Round:
    gc.collect()
    with running(kind) as server, loaded(server) as load:
        load.connect(subscribers)
        pace = options.deliveries / subscribers
        load.publish(10, per_second=pace)
        own_before, start = time.process_time(), time.monotonic()
        load.publish(options.events, per_second=pace)
        seconds = time.monotonic() - start
        own = time.process_time() - own_before
        latency = Latency.of(load.ledger.latencies_ns)
        server.process.check()
    result.failures += [f"{where}: {fault}" for fault in load.verdict()]
    say(f"{where}: p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms, max {latency.max_ms:.1f} ms")
    return Round(server.name, subscribers, latency, options.events / seconds, own / seconds)


def _report(result: Result, subscribers: int, kinds: Sequence[type[Server]], rounds: dict[str, list[Round]]) -> None:
    rows = []
    p99: dict[str, float] = {}
    for kind in kinds:
        turns = rounds[kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 5))
            continue
        p99[kind.name] = statistics.median(one.latency.p99_ms for one in turns)
        rows.append(
            (
                kind.title,
                number(statistics.median(one.latency.p50_ms for one in turns)),
                number(p99[kind.name]),
                number(max(one.latency.max_ms for one in turns)),
                number(statistics.median(one.pace for one in turns)),
                percent(statistics.median(one.load_share for one in turns)),
            )
        )
    columns = ("server", "p50 ms", "p99 ms", "worst ms of all rounds", "events/s", "load's core")
    result.tables.append(Table(f"Publish to receipt, {subscribers:,} subscribers", columns, rows))
    value = ratio(p99.get(OURS.name), p99.get("nchan"))
    result.check_at_most(f"p99, Tocsin ÷ nchan, at {subscribers:,}", value, 1.0)
