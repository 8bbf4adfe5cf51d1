"""Clients that never read, beside many that do: the others must not feel it, and nothing is lost."""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from dataclasses import asdict, dataclass

from bench.deadline import Deadline
from bench.load import Load
from bench.machine import raise_file_limit
from bench.measures import Latency, number, percent, ratio
from bench.progress import say
from bench.results import Result, Table
from bench.running import SERVER_TROUBLE, loaded, running
from bench.servers.tocsin import Tocsin
from bench.subscriber import Subscriber

NAME = "slow"
SUMMARY = "healthy clients with and without some beside them that never read"
EXAMPLES = """\
  python -m bench slow
  python -m bench slow --healthy 200 --stalled 10 --rounds 1"""
QUICK = ["--healthy", "100", "--stalled", "10", "--events", "300", "--per-second", "40", "--rounds", "1"]

#: So little is taken in by the kernel for a client that does not read.
STALLED_BUFFER_BYTES = 4096
MOST_RATIO = 1.2
MOST_GROWTH_MB = 64.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--healthy", type=int, default=1000, help="clients that read")
    parser.add_argument("--stalled", type=int, default=50, help="clients that do not, until the end")
    parser.add_argument("--events", type=int, default=300, help="events in each round")
    parser.add_argument("--per-second", type=float, default=8, help="the pace, in events per second")
    parser.add_argument("--filling", type=int, default=16_000, help="bytes by which each event is enlarged")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with and without the stalled ones")


@dataclass(frozen=True, slots=True)
class Round:
    """One turn, with `stalled` clients beside the healthy ones.

    Attributes:
        growth_bytes: by how much the server's resident memory grew, at its highest, while they did not read.
        growth_after_bytes: likewise, once they had caught up.
        closed: stalled clients that the server had closed by the time they read again.
        catch_up_s: until the last of the stalled ones had everything.
    """

    stalled: int
    latency: Latency
    growth_bytes: int
    growth_after_bytes: int
    load_share: float
    closed: int
    catch_up_s: float


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    raise_file_limit(options.healthy + options.stalled + 200)
    rounds: list[Round] = []
    for turn in range(1, options.rounds + 1):
        for stalled in (0, options.stalled):
            where = f"{stalled} stalled, round {turn}"
            try:
                rounds.append(_take_turn(options, stalled, where, result))
            except SERVER_TROUBLE as error:
                result.failed(where, error)
    result.raw += [asdict(one) for one in rounds]
    _report(result, options, rounds)
    return result


def _take_turn(options: argparse.Namespace, stalled: int, where: str, result: Result) -> Round:
    gc.collect()
    with running(Tocsin) as server, loaded(server) as load:
        server.filling = "x" * options.filling
        healthy = load.connect(options.healthy)
        load.publish(10, per_second=options.per_second)
        sleepers = [Subscriber(options.healthy + at, receive_buffer=STALLED_BUFFER_BYTES) for at in range(stalled)]
        load.open(sleepers, at_once=50, within_seconds=60)
        for sleeper in sleepers:
            load.stall(sleeper)

        start_bytes = server.process.settled_bytes()
        sizes = [start_bytes]
        own_before, start = time.process_time(), time.monotonic()
        load.publish(
            options.events,
            per_second=options.per_second,
            readers=healthy,
            on_tick=lambda: sizes.append(server.process.resident_bytes()),
        )
        load_share = (time.process_time() - own_before) / (time.monotonic() - start)
        latency = Latency.of(load.ledger.latencies_ns)
        closed, catch_up_s = _wake(load, sleepers)
        after_bytes = server.process.resident_bytes()
        faults = load.verdict([*healthy, *sleepers])
        for sleeper in sleepers:
            load.drop(sleeper)
        server.process.check()
    result.failures += [f"{where}: {fault}" for fault in faults]
    growth = max(sizes) - start_bytes
    say(
        f"{where}: p99 {latency.p99_ms:.1f} ms, memory +{growth / 1e6:.1f} MB, {closed} closed, "
        f"caught up in {catch_up_s:.1f} s; {faults or 'all in order'}"
    )
    return Round(stalled, latency, growth, after_bytes - start_bytes, load_share, closed, catch_up_s)


def _wake(load: Load, sleepers: list[Subscriber]) -> tuple[int, float]:
    """Let them read again, reconnecting where they were closed, until each has everything.

    Returns:
        How many had been closed, and how many seconds it took.
    """
    cut_off: list[Subscriber] = []
    closed = 0
    start = time.monotonic()
    deadline = Deadline(120, "catching up")
    load.on_closed = cut_off.append
    for sleeper in sleepers:
        load.resume(sleeper)
    while any(sleeper.account is None or sleeper.account.expected <= load.ledger.last for sleeper in sleepers):
        load.pump(0.1)
        if cut_off:
            closed += len(cut_off)
            again, cut_off[:] = list(cut_off), []
            load.open(again, at_once=50, within_seconds=60)
        deadline.check()
    load.on_closed = None
    return closed, time.monotonic() - start


def _report(result: Result, options: argparse.Namespace, rounds: list[Round]) -> None:
    rows = []
    p99: dict[int, float] = {}
    growth_mb: dict[int, float] = {}
    for stalled in (0, options.stalled):
        turns = [one for one in rounds if one.stalled == stalled]
        if not turns:
            rows.append((f"with {stalled} stalled", *["FAILED"] * 7))
            continue
        p99[stalled] = statistics.median(one.latency.p99_ms for one in turns)
        growth_mb[stalled] = max(max(one.growth_bytes, one.growth_after_bytes) for one in turns) / 1e6
        rows.append(
            (
                f"with {stalled} stalled" if stalled else "without",
                number(statistics.median(one.latency.p50_ms for one in turns)),
                number(p99[stalled]),
                number(max(one.growth_bytes for one in turns) / 1e6),
                number(max(one.growth_after_bytes for one in turns) / 1e6),
                str(max(one.closed for one in turns)),
                number(max(one.catch_up_s for one in turns)),
                percent(statistics.median(one.load_share for one in turns)),
            )
        )
    columns = (
        "", "p50 ms", "p99 ms", "MB of growth meanwhile", "MB after catching up", "closed as too slow",
        "s to catch up at most", "load's core",
    )  # fmt: skip
    result.tables.append(Table(f"{options.healthy:,} healthy clients", columns, rows))
    result.check_at_most("p99 of the healthy, with ÷ without", ratio(p99.get(options.stalled), p99.get(0)), MOST_RATIO)
    grown = growth_mb.get(options.stalled)
    result.check_at_most("Growth of memory beside the stalled", grown, MOST_GROWTH_MB, " MB")
    unbounded_mb = options.stalled * options.events * options.filling / 1e6
    result.notes.append(f"Had the server kept everything for the stalled ones, that would be {unbounded_mb:,.0f} MB.")
