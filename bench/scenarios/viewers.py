"""What it costs a server to show a waveform frame to each of many viewers."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.devices import MakeMessage
from bench.ecg import FRAMES_PER_SECOND, ECGFrames
from bench.machine import raise_file_limit
from bench.measures import Latency, number, percent, ratio
from bench.options import add_peers
from bench.progress import say
from bench.results import Result, Table
from bench.rounds import in_rounds
from bench.running import running
from bench.servers.ward import WITHOUT_BEATS, NodeWard, TocsinWard, patient_id
from bench.streaming import WARDS, Cost, Ward, as_binary, measure, note_disturbances, streaming
from bench.viewers import Viewers
from bench.websocket import BINARY, TEXT, masked

NAME = "viewers"
SUMMARY = "CPU per viewer and waveform frame, ours against ws on Node broadcasting the same bytes"
EXAMPLES = """\
  python -m bench viewers
  python -m bench viewers --viewers 200 --rounds 1 --seconds 3"""
QUICK = ["--viewers", "100", "--seconds", "3", "--rounds", "1"]

FORMATS = ("json", "binary")

WARM_UP_SECONDS = 2.0

#: Bytes per frame that differ by more than this are not the same bytes.
SAME_BYTES = 1.01


def formats(text: str) -> list[str]:
    """`json,binary` as names."""
    names = text.split(",")
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(FORMATS)}")
    return names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--viewers", type=int, default=1000, help="viewers of one patient")
    parser.add_argument("--formats", type=formats, default=list(FORMATS), help="what viewers read, comma-separated")
    parser.add_argument("--seconds", type=float, default=15, help="how long each round measures, 20 frames a second")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which every server has its turn")
    add_peers(parser, among=(NodeWard.name,))


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn.

    Attributes:
        cpu_us: CPU time of the server per viewer and frame, taking the frame in included.
    """

    server: str
    form: str
    cpu_us: float
    received: int
    frame_bytes: float
    latency: Latency
    cost: Cost


def run(options: argparse.Namespace) -> Result:
    raise_file_limit(options.viewers + 100)
    cases = [(f"{options.viewers:,} viewers of {form}", form) for form in options.formats]
    return in_rounds(NAME, options, WARDS, cases, _take_turn, partial(_report, viewers=options.viewers))


def _take_turn(kind: type[Ward], form: str, options: argparse.Namespace, where: str, result: Result) -> Round:
    with (
        running(lambda folder: _ward(kind, folder)) as server,
        streaming(server, 1, partial(_as_shown, form=form) if kind is NodeWard else as_binary) as (poll, devices),
    ):
        viewers = Viewers(poll, devices.sent_at_ns)
        try:
            viewers.connect(server.address, [server.viewer_request(0, form=form)] * options.viewers)
            devices.stream(WARM_UP_SECONDS)
            viewers.wait_for(devices.number - 1)
            viewers.begin()
            cost = measure(server.process, devices, options.seconds)
            viewers.wait_for(devices.number - 1)
            faults = [*devices.verdict(cost.tally), *viewers.verdict(devices.number - 1)]
            server.process.check()
        finally:
            viewers.close()
    received = max(1, viewers.received)
    one = Round(
        kind.name,
        form,
        1e6 * cost.cpu_seconds / received,
        viewers.received,
        viewers.bytes_received / received,
        Latency.of(viewers.latencies_ns),
        cost,
    )
    result.failures += [f"{where}: {fault}" for fault in faults]
    say(
        f"{where}: {one.cpu_us:.2f} µs CPU per viewer and frame, p99 {one.latency.p99_ms:.1f} ms, "
        f"load {percent(cost.stretch.load_share)}" + "".join(f"; FAILED: {fault}" for fault in faults)
    )
    return one


def _ward(kind: type[Ward], folder: Path) -> Ward:
    return NodeWard(folder, relays=True) if kind is NodeWard else TocsinWard(folder, patients=1, settings=WITHOUT_BEATS)


def _as_shown(frames: ECGFrames, *, form: str) -> MakeMessage:
    """The peer is sent what its viewers are to get, and need not make it."""
    opcode = TEXT if form == "json" else BINARY
    return lambda count, timestamp, _: masked(
        opcode, frames.as_viewers_see_it(patient_id(0), count, timestamp, form=form)
    )


def _report(
    result: Result,
    form: str,
    kinds: Sequence[type[Ward]],
    rounds: dict[str, list[Round]],
    *,
    viewers: int,
) -> None:
    rows = []
    spent: dict[str, float] = {}
    for kind in kinds:
        turns = rounds[kind.name]
        if not turns:
            rows.append((kind.title, *["FAILED"] * 7))
            continue
        spent[kind.name] = statistics.median(one.cpu_us for one in turns)
        rows.append(
            (
                kind.title,
                number(spent[kind.name]),
                number(statistics.median(one.latency.p50_ms for one in turns)),
                number(statistics.median(one.latency.p99_ms for one in turns)),
                f"{min(one.received for one in turns):,}",
                number(statistics.median(one.frame_bytes for one in turns)),
                percent(statistics.median(one.cost.server_share for one in turns)),
                percent(statistics.median(one.cost.stretch.load_share for one in turns)),
            )
        )
    columns = (
        "server", "CPU µs per viewer and frame", "p50 ms", "p99 ms", "frames received in a round", "bytes per frame",
        "server's core", "load's core",
    )  # fmt: skip
    title = f"{FRAMES_PER_SECOND} frames a second to {viewers:,} viewers of {form}, medians of the rounds"
    result.tables.append(Table(title, columns, rows))
    every = [one for turns in rounds.values() for one in turns]
    note_disturbances(result, [one.cost for one in every], f"With {viewers:,} viewers of {form}")
    sizes = [one.frame_bytes for one in every]
    if sizes and max(sizes) > SAME_BYTES * min(sizes):
        result.notes.append(f"With viewers of {form} the servers did not send the same bytes.")
    node = spent.get(NodeWard.name)
    claim = f"CPU per viewer and frame, Tocsin ÷ ws on Node, {viewers:,} viewers of {form}"
    result.check_at_most(claim, ratio(spent.get(TocsinWard.name), node), 1.0)
