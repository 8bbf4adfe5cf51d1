"""Everybody comes back at once, after a kill -9 and a restart on the same data."""

from __future__ import annotations

import argparse
import math
import random
import signal
import time
from functools import partial

import httpx

from bench import prometheus
from bench.deadline import Deadline
from bench.ledger import Account
from bench.load import Load
from bench.machine import raise_file_limit
from bench.measures import number, percentile
from bench.progress import say
from bench.results import Check, Result, Table
from bench.running import SERVER_TROUBLE, loaded, running
from bench.servers.tocsin import Tocsin
from bench.subscriber import Subscriber

NAME = "storm"
SUMMARY = "clients with cursors come back at once after kill -9; each gets exactly what it missed"
EXAMPLES = """\
  python -m bench storm
  python -m bench storm --clients 500 --rounds 1"""
QUICK = ["--clients", "200", "--alerts", "150", "--rounds", "1"]

MOST_SECONDS = 10.0
MOST_LAG_SECONDS = 0.05
LAG_METRIC = "tocsin_loop_lag_seconds"

#: The one setting that is not the default: holds are looked for to 5 ms, which costs the server something.
CLOSE_LOOK = {"TOCSIN_LOOP_LAG_PERIOD_SECONDS": "0.005"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clients", type=int, default=5000, help="how many come back")
    parser.add_argument("--alerts", type=int, default=300, help="alerts in the log before the server is killed")
    parser.add_argument("--behind", type=int, default=100, help="a client has missed between none and so many of them")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the worst round counts")


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    raise_file_limit(options.clients + 200)
    for turn in range(1, options.rounds + 1):
        where = f"round {turn}"
        try:
            _take_turn(options, where, result)
        except SERVER_TROUBLE as error:
            result.failed(where, error)
    _report(result, options)
    return result


def _take_turn(options: argparse.Namespace, where: str, result: Result) -> None:
    with running(partial(Tocsin, settings=CLOSE_LOOK)) as server:
        with loaded(server) as before:
            (witness,) = before.connect(1)
            before.publish(options.alerts, per_second=None)
            epoch, last = witness.epoch, before.ledger.last
            result.failures += [f"{where}, before the kill: {fault}" for fault in before.verdict()]
            server.process.stop(signal.SIGKILL)
        restarted_at = time.monotonic()
        server.restart()
        lag_before = prometheus.buckets(_first_answer(server), LAG_METRIC)
        answered_at = time.monotonic()

        clients = _cut_off_clients(options, epoch, last)
        missed = sum(last + 1 - _account(client).expected for client in clients)
        with loaded(server, published=last) as load:
            load.subscribers += clients
            load.retries_refused = True
            begun_ns = time.monotonic_ns()
            load.open(clients, at_once=options.clients, within_seconds=180)
            lag = prometheus.since(lag_before, prometheus.buckets(server.metrics(), LAG_METRIC))
            faults = load.verdict() + _not_recovered(load)
            refusals = load.refusals
            ready_s = sorted(client.ready_ns - begun_ns for client in clients)
        server.process.check()
    last_s = ready_s[-1] / 1e9
    replayed = sum(client.replayed for client in clients)
    if replayed != missed:
        faults.append(f"{missed:,} events were missed, and {replayed:,} were sent again")
    result.failures += [f"{where}: {fault}" for fault in faults]
    result.raw.append(
        {
            "missed": missed,
            "median_s": percentile(ready_s, 0.5) / 1e9,
            "last_s": last_s,
            "start_s": answered_at - restarted_at,
            "last_since_restart_s": begun_ns / 1e9 - restarted_at + last_s,
            "refusals": refusals,
            "holds_too_long": prometheus.above(lag, MOST_LAG_SECONDS),
            "longest_hold_at_most_s": prometheus.longest(lag) if lag else None,
        }
    )
    say(
        f"{where}: {missed:,} events to {len(clients):,} clients, "
        f"the last ready after {last_s:.2f} s; {faults or 'all in order'}"
    )


def _first_answer(server: Tocsin) -> str:
    """The metrics, as soon as /healthz answers."""
    deadline = Deadline(60, "the server's first answer")
    while True:
        try:
            if httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200:
                return server.metrics()
        except httpx.TransportError:
            server.process.check()
        deadline.check()


def _cut_off_clients(options: argparse.Namespace, epoch: str, last: int) -> list[Subscriber]:
    """Clients that stand among the last events, some of them at the very end."""
    chance = random.Random(1)
    clients = [Subscriber(index) for index in range(options.clients)]
    for client in clients:
        client.account = Account(last + 1 - chance.randint(0, min(options.behind, last)))
        client.epoch = epoch
    return clients


def _account(client: Subscriber) -> Account:
    assert client.account is not None
    return client.account


def _not_recovered(load: Load) -> list[str]:
    strangers = sum(not client.recovered for client in load.subscribers)
    return [f"{strangers:,} clients were not told that they are recovered"] if strangers else []


def _report(result: Result, options: argparse.Namespace) -> None:
    rows = [
        (
            f"round {turn}",
            f"{one['missed']:,}",
            number(one["start_s"]),
            number(one["median_s"]),
            number(one["last_s"]),
            number(one["last_since_restart_s"]),
            f"{one['refusals']:,}",
            "not measured" if one["longest_hold_at_most_s"] is None else _bound(one["longest_hold_at_most_s"]),
        )
        for turn, one in enumerate(result.raw, 1)
    ]
    columns = (
        "", "events missed", "s until the server answers", "s until half are ready", "s until the last is ready",
        "s from restart to the last", "put off", "longest hold of the loop",
    )  # fmt: skip
    result.tables.append(Table(f"{options.clients:,} clients come back after kill -9", columns, rows))
    last = max((one["last_s"] for one in result.raw), default=None)
    whole = max((one["last_since_restart_s"] for one in result.raw), default=None)
    result.check_at_most("Last client ready, after the server answers", last, MOST_SECONDS, " s")
    result.tell("Last client ready, after the restart", whole, " s")
    holds = [one["holds_too_long"] for one in result.raw]
    if not holds or None in holds:
        result.checks.append(Check("Holds of the event loop above 50 ms", "none", "not measured", None))
        result.notes.append(f"The server has no histogram {LAG_METRIC} with a bound of {MOST_LAG_SECONDS} s.")
    else:
        result.check_at_most("Holds of the event loop above 50 ms", sum(holds), 0)


def _bound(seconds: float) -> str:
    return "beyond every bound" if math.isinf(seconds) else f"≤ {1000 * seconds:g} ms"
