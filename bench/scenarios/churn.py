"""Many short streams, one after another: what they leave behind."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench import prometheus
from bench.deadline import Deadline
from bench.load import Load
from bench.machine import raise_file_limit
from bench.measures import number
from bench.progress import say
from bench.results import Result, Table
from bench.running import SERVER_TROUBLE, loaded, running
from bench.servers.tocsin import Tocsin
from bench.subscriber import Subscriber

NAME = "churn"
SUMMARY = "many short streams are opened and closed, and leave nothing behind"
EXAMPLES = """\
  python -m bench churn
  python -m bench churn --streams 2000 --warm-up 500"""
QUICK = ["--streams", "1000", "--warm-up", "500"]

#: The nurses sign in again after so many streams, since a token holds for half an hour.
BATCH = 20_000

MOST_GROWTH_PERCENT = 5.0
_LISTENING, _TIME_WAIT = "0A", "06"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--streams", type=int, default=200_000, help="how many are opened and closed")
    parser.add_argument("--warm-up", type=int, default=5000, help="how many before the first look")
    parser.add_argument("--at-once", type=int, default=64, help="how many are open at a time")


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    raise_file_limit(options.at_once + 200)
    try:
        _measure(options, result)
    except SERVER_TROUBLE as error:
        result.failed(NAME, error)
    return result


def _measure(options: argparse.Namespace, result: Result) -> None:
    with running(Tocsin) as server, loaded(server) as load:
        server.sign_in_again()
        _open_and_close(load, options.warm_up, options.at_once)
        before = _look_at(server)
        start = time.monotonic()
        for done in range(0, options.streams, BATCH):
            server.sign_in_again()
            _open_and_close(load, min(BATCH, options.streams - done), options.at_once)
            say(f"{min(options.streams, done + BATCH):,} of {options.streams:,} streams")
        per_second = options.streams / (time.monotonic() - start)
        after = _look_at(server)
        result.failures += load.verdict()
    result.raw += [before, after, {"streams_per_second": per_second}]
    names = {
        "resident_mb": "resident MB",
        "files": "open files",
        "connections": "connections",
        "streams": "open streams",
    }
    rows = [(name, number(before[key]), number(after[key])) for key, name in names.items()]
    result.tables.append(Table(f"{options.streams:,} short streams", ("", "before", "after"), rows))
    growth = 100 * (after["resident_mb"] / before["resident_mb"] - 1)
    result.check_at_most("Growth of resident memory", growth, MOST_GROWTH_PERCENT, " %")
    for key in ("files", "connections", "streams"):
        result.check_at_most(f"More {names[key]} than before", after[key] - before[key], 0)
    result.tell("Streams opened and closed per second", per_second)


def _open_and_close(load: Load, streams: int, at_once: int) -> None:
    load.on_ready = load.drop
    load.open((Subscriber(index) for index in range(streams)), at_once=at_once, within_seconds=60 + streams / 20)


def _look_at(server: Tocsin) -> dict[str, float]:
    """What the server holds, once it has noticed that the last streams are closed."""
    deadline = Deadline(30, "the server's noticing that the streams are closed")
    while prometheus.total(server.metrics(), "tocsin_streams_open") or _connections(server.port):
        time.sleep(0.1)
        deadline.check()
    return {
        "resident_mb": server.process.settled_bytes() / 1e6,
        "files": server.process.open_files(),
        "connections": _connections(server.port),
        "streams": prometheus.total(server.metrics(), "tocsin_streams_open") or 0.0,
    }


def _connections(port: int) -> int:
    """Connections of the port that are in any state but listening, and waiting for the last stray packets."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ends = [(line.split()[1], line.split()[3]) for line in lines]
    wanted = f":{port:04X}"
    return sum(local.endswith(wanted) and state not in (_LISTENING, _TIME_WAIT) for local, state in ends)
