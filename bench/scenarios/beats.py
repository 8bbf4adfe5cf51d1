"""What it costs to find the beats in one patient's ECG, and the heart rate, for every second of it."""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from app.modules.vitals.samples import Counts
from bench.ecg import FRAMES_PER_SECOND, MILLIVOLTS_PER_COUNT
from bench.measures import number
from bench.progress import say
from bench.recording import Signal, signals
from bench.results import Result, Table

NAME = "beats"
SUMMARY = "time for finding heart beats, per patient and second"
EXAMPLES = """\
  python -m bench beats
  python -m bench beats --rounds 1 --seconds 30
  python -m bench beats --record path/to/100"""
QUICK = ["--rounds", "1", "--seconds", "20"]

MOST_MS = 0.25

#: Until the window that is looked at is full, a look costs less.
WARM_UP_SECONDS = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    record = Path("../shared/data/wfdb/100")
    parser.add_argument("--record", type=Path, default=record, help="WFDB record, without the ending of its files")
    parser.add_argument("--seconds", type=int, default=300, help="seconds of it in each round")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is gone through")


@dataclass(frozen=True, slots=True)
class Round:
    """One patient's ECG, gone through once.

    Attributes:
        ms_per_second: processor time for a second of signal: its frames taken, and one look.
        heart_rate: the last one that was found.
    """

    signal: str
    sample_rate_hz: int
    ms_per_second: float
    beats: int
    heart_rate: float | None


def run(options: argparse.Namespace) -> Result:
    result = Result(NAME, vars(options) | {"record": str(options.record)})
    if find_spec("sleepecg") is None:
        result.notes.append("Beats were not looked for, because sleepecg is missing: pip install -e '.[ecg]'")
        return result
    found, why_made_up = signals(options.record, WARM_UP_SECONDS + options.seconds)
    if why_made_up:
        result.notes.append(why_made_up)
    rows = []
    for signal in found:
        rounds = [_go_through(signal) for _ in range(options.rounds)]
        taken = [one.ms_per_second for one in rounds]
        best, median = min(taken), statistics.median(taken)
        say(f"{signal.name} at {signal.sample_rate_hz} Hz: {median:.3f} ms per patient-second")
        if not rounds[0].beats:
            result.failures.append(f"no beat was found in {signal.name} at {signal.sample_rate_hz} Hz")
        rows.append(
            (
                signal.name, str(signal.sample_rate_hz), f"{best:.3f}", f"{median:.3f}", f"{max(taken):.3f}",
                str(rounds[0].beats), number(rounds[0].heart_rate or 0),
            )
        )  # fmt: skip
        claim = f"Finding beats in {signal.name} at {signal.sample_rate_hz} Hz, per patient-second, median"
        result.check_at_most(claim, median, MOST_MS, " ms")
        result.raw += [asdict(one) for one in rounds]
    columns = ("signal", "Hz", "ms, best round", "median", "worst", "beats in a round", "last heart rate")
    title = (
        f"One patient, one lead, {options.seconds} s in {options.rounds} rounds, processor time per second of signal"
    )
    result.tables.append(Table(title, columns, rows))
    return result


def _go_through(signal: Signal) -> Round:
    # The other scenarios run without the extra `ecg`, so that it is asked for here alone.
    from app.modules.vitals.ecg.heart import Heart

    heart, rate = Heart(), signal.sample_rate_hz
    length = rate // FRAMES_PER_SECOND
    data = signal.counts.tobytes()
    scales, offsets = (MILLIVOLTS_PER_COUNT,), (0.0,)
    frames = [Counts(data[at : at + 2 * length], scales, offsets) for at in range(0, len(data), 2 * length)]
    beats, heart_rate, looked, spent = 0, None, 0, 0
    for first in range(0, len(frames) - FRAMES_PER_SECOND + 1, FRAMES_PER_SECOND):
        start = time.process_time_ns()
        for at in range(first, first + FRAMES_PER_SECOND):
            heart.take(("II",), rate, at * length / rate, frames[at])
        second = heart.look()
        taken = time.process_time_ns() - start
        if first >= WARM_UP_SECONDS * FRAMES_PER_SECOND:
            spent += taken
            looked += 1
        if second is not None:
            beats += len(second.beats)
            heart_rate = second.heart_rate or heart_rate
    seconds = looked * FRAMES_PER_SECOND * length / rate
    return Round(signal.name, rate, spent / seconds / 1e6, beats, heart_rate)
