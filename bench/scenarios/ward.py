"""How many patients one core carries with everything on, and what memory each of them takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bench import prometheus
from bench.ecg import FRAMES_PER_SECOND, SAMPLE_RATE_HZ
from bench.machine import raise_file_limit
from bench.measures import number, percent
from bench.progress import say
from bench.results import Result, Table
from bench.running import SERVER_TROUBLE, running
from bench.servers.ward import TocsinWard
from bench.streaming import Cost, measure, note_disturbances, streaming

NAME = "ward"
SUMMARY = "how many patients one core carries with everything on, and what memory each takes"
EXAMPLES = """\
  python -m bench ward
  python -m bench ward --start 50 --most 100 --attempts 1 --seconds 5 --memory-patients 20 --memory-seconds 10"""
QUICK = [
    "--start", "20", "--most", "50", "--attempts", "2", "--seconds", "3", "--memory-patients", "20",
    "--memory-seconds", "5", "--warm-up", "1",
]  # fmt: skip

#: A core that is busier than this has nothing left for anything else.
MOST_SERVER_SHARE = 0.95

#: Who takes longer to say that everything was taken had a queue of frames.
LONGEST_FLUSH_SECONDS = 2.0

#: So many heart rates a second for each patient, or seconds of signal were left out for want of time.
FEWEST_HEART_RATES = 0.95

#: What the server counts when it does less than it should, and what that is.
LEFT_OUT = {
    "tocsin_vitals_frames_dropped_total": "frames dropped",
    "tocsin_vitals_slow_downs_total": "devices asked to slow down",
    "tocsin_ecg_skipped_total": "ECG frames or heart rates left out",
}

#: Attempts end when the answer is known to this share of itself.
FINE_ENOUGH = 0.05

#: What an attempt that holds is taken to leave room for, as a share of a core.
AIMED_AT_SHARE = 0.9

#: They stream before the first look at memory: what the first connections alone cost is no patient's.
WARM_UP_PATIENTS = 5

WANTED_PATIENTS = 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", type=int, default=200, help="patients in the first attempt")
    parser.add_argument("--most", type=int, default=WANTED_PATIENTS, help="no attempt has more patients")
    parser.add_argument("--attempts", type=int, default=7, help="attempts at most")
    parser.add_argument("--seconds", type=float, default=30, help="how long an attempt has to hold")
    parser.add_argument("--warm-up", type=float, default=15, help="seconds of streaming before the first look")
    parser.add_argument("--memory-patients", type=int, default=200, help="patients while memory is measured")
    parser.add_argument("--memory-seconds", type=float, default=90, help="how long they stream; strips last 60 s")


#: The server's own count of frames and readings that it has taken.
_READINGS = "tocsin_vitals_readings_total"


@dataclass(frozen=True, slots=True)
class Attempt:
    """So many patients for a while.

    Attributes:
        heart_rates: taken from the ECG, per second, while it was measured.
        why_not: what speaks against the server's carrying them; empty when nothing does.
    """

    patients: int
    cost: Cost
    heart_rates: float
    why_not: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the server with nobody connected, some way into the streaming, and at its end."""

    patients: int
    idle_bytes: int
    early_bytes: int
    late_bytes: int

    @property
    def bytes_each(self) -> float:
        return (self.late_bytes - self.idle_bytes) / self.patients


class Search:
    """Looks for the largest number that holds, from below."""

    def __init__(self, start: int, most: int) -> None:
        self._next: int | None = min(start, most)
        self._most = most
        self._held, self._failed = 0, most + 1

    def __iter__(self) -> Iterator[int]:
        """Each number to try; the outcome is told to `learn` before the next is asked for."""
        while self._next is not None:
            yield self._next

    def learn(self, patients: int, *, holds: bool, server_share: float) -> None:
        """Take in whether it held, and what share of the core it took."""
        if holds:
            self._held = max(self._held, patients)
            guess = int(patients * AIMED_AT_SHARE / max(server_share, 0.01))
        else:
            self._failed = min(self._failed, patients)
            guess = (self._held + patients) // 2
        highest = self._most if self._failed > self._most else self._failed - 1
        guess = min(guess, highest)
        if holds and guess <= self._held:
            guess = (self._held + highest) // 2
        is_known = guess - self._held <= FINE_ENOUGH * self._held or (holds and server_share >= AIMED_AT_SHARE)
        self._next = None if is_known or guess < 1 else guess


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options))
    raise_file_limit(max(options.most, options.memory_patients) + 100)
    attempts = _attempt_all(options, result)
    memory = None
    try:
        memory = _measure_memory(options, result)
    except SERVER_TROUBLE as error:
        result.failed("memory", error)
    _report(result, options, attempts, memory)
    return result


def _attempt_all(options: argparse.Namespace, result: Result) -> list[Attempt]:
    search, attempts = Search(options.start, options.most), []
    for patients, _ in zip(search, range(options.attempts), strict=False):
        try:
            one = _attempt(patients, options)
        except SERVER_TROUBLE as error:
            result.failed(f"{patients:,} patients", error)
            break
        attempts.append(one)
        say(
            f"{patients:,} patients: server {percent(one.cost.server_share)}, load "
            f"{percent(one.cost.stretch.load_share)}, {one.heart_rates:.0f} heart rates/s, "
            f"flushed in {one.cost.tally.seconds:.2f} s; {one.why_not or 'holds'}"
        )
        search.learn(patients, holds=not one.why_not, server_share=one.cost.server_share)
    result.raw += [asdict(one) for one in attempts]
    return attempts


def _attempt(patients: int, options: argparse.Namespace) -> Attempt:
    with (
        running(lambda folder: TocsinWard(folder, patients=patients)) as server,
        streaming(server, patients) as (_, devices),
    ):
        devices.stream(options.warm_up)
        # Frames of the warm-up that are still gathered would count as heart rates.
        devices.flush()
        counted, sent = prometheus.total(server.metrics(), _READINGS) or 0.0, devices.sent
        cost = measure(server.process, devices, options.seconds)
        metrics = server.metrics()
        readings = (prometheus.total(metrics, _READINGS) or 0.0) - counted
        heart_rates = (readings - (devices.sent - sent)) / cost.stretch.seconds
        why_not = devices.verdict(cost.tally)
        server.process.check()
    why_not += [f"{left:,.0f} {what}" for name, what in LEFT_OUT.items() if (left := prometheus.total(metrics, name))]
    if 0 < heart_rates < FEWEST_HEART_RATES * patients:
        why_not.append(f"{heart_rates:,.0f} heart rates a second")
    if cost.server_share >= MOST_SERVER_SHARE:
        why_not.append(f"{percent(cost.server_share)} of the core")
    if cost.tally.seconds > LONGEST_FLUSH_SECONDS:
        why_not.append(f"{cost.tally.seconds:.1f} s of frames waited at the end")
    return Attempt(patients, cost, max(0.0, heart_rates), "; ".join(why_not))


def _measure_memory(options: argparse.Namespace, result: Result) -> Memory:
    patients = options.memory_patients
    with running(lambda folder: TocsinWard(folder, patients=patients)) as server:
        with streaming(server, min(WARM_UP_PATIENTS, patients)) as (_, devices):
            devices.stream(options.warm_up)
        idle_bytes = server.process.settled_bytes()
        with streaming(server, patients) as (_, devices):
            devices.stream(0.75 * options.memory_seconds)
            early_bytes = server.process.resident_bytes()
            devices.stream(0.25 * options.memory_seconds)
            late_bytes = server.process.resident_bytes()
            result.failures += [f"memory: {fault}" for fault in devices.verdict(devices.flush())]
    memory = Memory(patients, idle_bytes, early_bytes, late_bytes)
    say(f"memory: {memory.bytes_each / 1000:.0f} kB for each of {patients:,} patients")
    result.raw.append(asdict(memory))
    return memory


def _report(result: Result, options: argparse.Namespace, attempts: list[Attempt], memory: Memory | None) -> None:
    rows = [
        (
            f"{one.patients:,}",
            number(one.cost.stretch.frames / one.cost.stretch.seconds),
            f"{one.cost.tally.accepted:,}",
            number(one.heart_rates),
            number(one.cost.us_per_frame),
            percent(one.cost.server_share),
            percent(one.cost.stretch.load_share),
            one.why_not or "holds",
        )
        for one in sorted(attempts, key=lambda one: one.patients)
    ]
    columns = (
        "patients", "frames/s", "frames accepted", "heart rates/s", "CPU µs per frame, all in", "server's core",
        "load's core", "",
    )  # fmt: skip
    title = f"Everything on, {SAMPLE_RATE_HZ} Hz in {FRAMES_PER_SECOND} frames a second, for {options.seconds:g} s"
    result.tables.append(Table(title, columns, rows))
    note_disturbances(result, [one.cost for one in attempts], "With a ward of patients")
    carried = max((one.patients for one in attempts if not one.why_not), default=None)
    result.check_at_least("Patients that one core carries", carried, WANTED_PATIENTS)
    if attempts and not any(one.heart_rates for one in attempts):
        result.notes.append("No heart rate was taken from any ECG: this is not everything.")
    if memory is not None:
        row = (
            f"{memory.patients:,}",
            *(number(size / 1e6) for size in (memory.idle_bytes, memory.early_bytes, memory.late_bytes)),
            number(memory.bytes_each / 1000),
        )
        early, late = 0.75 * options.memory_seconds, options.memory_seconds
        titles = ("patients", "MB idle", f"MB after {early:.0f} s", f"MB after {late:.0f} s", "kB per patient")
        result.tables.append(Table("Resident memory while patients stream", titles, [row]))
        result.tell("Memory per streaming patient", memory.bytes_each / 1000, " kB")
