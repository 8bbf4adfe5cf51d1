"""What it costs a server to deliver an event to each of many subscribers."""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import Load
from bench.machine import SERVER_CORE, busy_seconds, can_pin, raise_file_limit
from bench.measures import Latency, number, percent, ratio
from bench.options import add_peers, counts
from bench.progress import say
from bench.results import Result, Table
from bench.rounds import in_rounds
from bench.running import loaded, running
from bench.servers import OURS, SERVERS, Server

NAME = "fanout"
SUMMARY = "CPU, memory and latency per delivered event, ours against the peers"
EXAMPLES = """\
  python -m bench fanout
  python -m bench fanout --subscribers 1000 --rounds 1 --peers nchan,floor
  python -m bench fanout --subscribers 20 --events 5 --rounds 1 --peers floor"""
QUICK = ["--subscribers", "200", "--events", "40", "--rounds", "1"]

_BEHIND = "* slower than the pace that was set: it took as long as it needed, and its latency is that of a queue."

#: The load counts as the bottleneck from here on.
MOST_LOAD_SHARE = 0.8

#: The machine counts as busy with something else from here on.
MOST_OTHERS_SHARE = 0.05


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=counts, default=[1000, 5000], help="how many, comma-separated")
    parser.add_argument("--events", type=int, default=100, help="events in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which every server has its turn")
    parser.add_argument(
        "--deliveries",
        type=float,
        default=40_000,
        help="the pace, in deliveries per second over all subscribers; who cannot keep it takes longer",
    )
    add_peers(parser)


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn.

    Attributes:
        cpu_us: CPU time of the server per delivered event, publishing included.
        publish_cpu_us: CPU time of the server per published event, with nobody connected.
        idle_bytes: resident memory that a connection adds while nothing is sent on it.
        pace: published events per second, and what was asked for.
        server_share: of one core; `load_share` likewise, and `others_share` of the server's core.
    """

    server: str
    subscribers: int
    cpu_us: float
    publish_cpu_us: float
    latency: Latency
    idle_bytes: float
    pace: float
    pace_asked: float
    server_share: float
    load_share: float
    others_share: float
    event_bytes: float


def run(options: argparse.Namespace) -> Result:
    raise_file_limit(max(options.subscribers) + 100)
    cases = [(f"{subscribers:,} subscribers", subscribers) for subscribers in options.subscribers]
    return in_rounds(NAME, options, SERVERS, cases, _take_turn, _report)


def _take_turn(kind: type[Server], subscribers: int, options: argparse.Namespace, where: str, result: Result) -> Round:
    gc.collect()
    with running(kind) as server, loaded(server) as load:
        load.connect(min(50, subscribers))  # what the first connections alone cost is not theirs
        load.publish(20, per_second=None)
        load.disconnect()
        before = server.process.cpu_seconds()
        load.publish(options.events, per_second=None)
        publish_cpu_us = 1e6 * (server.process.cpu_seconds() - before) / options.events

        empty_bytes = server.process.settled_bytes()
        load.connect(subscribers)
        idle_bytes = (server.process.settled_bytes() - empty_bytes) / subscribers

        pace = options.deliveries / subscribers
        load.publish(max(1, options.events // 20), per_second=pace)  # the first write of each connection is dearer
        one = _measure(load, server, options.events, pace, publish_cpu_us, idle_bytes)
        server.process.check()
    faults = load.verdict()
    result.failures += [f"{where}: {fault}" for fault in faults]
    say(
        f"{where}: {one.cpu_us:.2f} µs CPU per event, p99 {one.latency.p99_ms:.1f} ms, "
        f"{one.idle_bytes / 1000:.1f} kB per connection, load {percent(one.load_share)}"
        + "".join(f"; FAILED: {fault}" for fault in faults)
    )
    return one


def _measure(load: Load, server: Server, events: int, pace: float, publish_cpu_us: float, idle_bytes: float) -> Round:
    gc.collect()
    bytes_before, own_before, cpu_before = load.bytes_received, time.process_time(), server.process.cpu_seconds()
    busy_before, start = busy_seconds(SERVER_CORE), time.monotonic()
    load.publish(events, per_second=pace)
    seconds = time.monotonic() - start
    own = time.process_time() - own_before
    cpu = server.process.cpu_seconds() - cpu_before
    busy = busy_seconds(SERVER_CORE) - busy_before
    received = max(1, load.ledger.received)
    return Round(
        server=server.name,
        subscribers=len(load.subscribers),
        cpu_us=1e6 * cpu / received,
        publish_cpu_us=publish_cpu_us,
        latency=Latency.of(load.ledger.latencies_ns),
        idle_bytes=idle_bytes,
        pace=events / seconds,
        pace_asked=pace,
        server_share=cpu / seconds,
        load_share=own / seconds,
        others_share=max(0.0, busy - cpu) / seconds if can_pin() else 0.0,
        event_bytes=(load.bytes_received - bytes_before) / received,
    )


def _report(result: Result, subscribers: int, kinds: Sequence[type[Server]], rounds: dict[str, list[Round]]) -> None:
    rows = []
    cost: dict[str, float] = {}
    for kind in kinds:
        turns = rounds[kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 9))
            continue
        cost[kind.name] = statistics.median(one.cpu_us for one in turns)
        pace = statistics.median(one.pace for one in turns)
        is_behind = pace < 0.95 * turns[0].pace_asked
        rows.append(
            (
                kind.title,
                number(cost[kind.name]),
                number(statistics.median(one.latency.p50_ms for one in turns)),
                number(statistics.median(one.latency.p99_ms for one in turns)),
                number(statistics.median(one.idle_bytes for one in turns) / 1000),
                number(statistics.median(one.publish_cpu_us for one in turns)),
                number(pace) + ("*" if is_behind else ""),
                percent(statistics.median(one.server_share for one in turns)),
                percent(statistics.median(one.load_share for one in turns)),
                number(statistics.median(one.event_bytes for one in turns)),
            )
        )
        highest = max(one.load_share for one in turns)
        if highest > MOST_LOAD_SHARE:
            result.notes.append(
                f"At {subscribers:,} subscribers of {kind.name} the load used {percent(highest)} of its core, "
                "and may have been the bottleneck."
            )
    others = statistics.median([one.others_share for turns in rounds.values() for one in turns] or [0.0])
    if others > MOST_OTHERS_SHARE:
        result.notes.append(
            f"At {subscribers:,} subscribers other processes used {percent(others)} of the server's core: "
            "these are no numbers of a quiet machine."
        )
    columns = (
        "server", "CPU µs per event", "p50 ms", "p99 ms", "kB per connection", "CPU µs per publish, nobody connected",
        "events/s", "server's core", "load's core", "bytes per event",
    )  # fmt: skip
    result.tables.append(Table(f"{subscribers:,} subscribers, medians of the rounds", columns, rows))
    if any("*" in row[6] for row in rows) and _BEHIND not in result.notes:
        result.notes.append(_BEHIND)
    ours = cost.get(OURS.name)
    if ours is not None:
        publish_us = statistics.median(one.publish_cpu_us for one in rounds[OURS.name])
        result.notes.append(
            f"At {subscribers:,} subscribers {number(publish_us / subscribers)} µs of Tocsin's {number(ours)} µs "
            f"per event are for taking the alert in and storing it ({number(publish_us)} µs each, nobody connected)."
        )
    at = f"at {subscribers:,}"
    result.check_at_most(f"CPU per event, Tocsin ÷ nchan, {at}", ratio(ours, cost.get("nchan")), 1.0)
    result.check_at_most(f"CPU per event, Tocsin ÷ floor, {at}", ratio(ours, cost.get("floor")), 1.3)
    result.tell(
        f"CPU per event, a Python loop after a commit ÷ floor, {at}", ratio(cost.get("durable_loop"), cost.get("floor"))
    )
    result.check_at_least(f"CPU per event, founding design ÷ Tocsin, {at}", ratio(cost.get("founding"), ours), 4.0)
    result.check_at_least(f"CPU per event, sse-starlette ÷ Tocsin, {at}", ratio(cost.get("sse_starlette"), ours), 3.5)
    result.tell(f"CPU per event, better-sse ÷ Tocsin, {at}", ratio(cost.get("better_sse"), ours))
