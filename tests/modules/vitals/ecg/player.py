"""ECGs made up or recorded, and how a device sends them."""

from __future__ import annotations

import csv
import gzip
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.modules.vitals.ecg.heart import Heart, Second
from app.modules.vitals.samples import Counts

Signal = NDArray[np.float64]

#: Any moment will do, as long as it is not zero.
BEGAN = 1_767_323_045.0

SCALE = 0.0005

#: Centre and width in seconds, height in millivolts, of P, Q, R, S and T.
_WAVES = ((-0.18, 0.025, 0.12), (-0.03, 0.01, -0.15), (0.0, 0.012, 1.0), (0.03, 0.012, -0.25), (0.26, 0.045, 0.25))

#: The annotations of MIT-BIH that stand for a beat.
_BEATS = set("NLRBAaJSVrFejnE/fQ")


def beats(rate: float, *, until: float, since: float = 0.5) -> list[float]:
    """When a heart of this rate per minute beats."""
    return np.arange(since, until, 60 / rate).tolist()


def ecg(times: Iterable[float], seconds: float, rate_hz: float, *, noise: float = 0.01) -> Signal:
    """One lead in millivolts, with breathing in its baseline."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    signal = quiet(seconds, rate_hz, noise=noise)
    for beat in times:
        for centre, width, height in _WAVES:
            signal += height * np.exp(-(((at - beat - centre) / width) ** 2) / 2)
    return signal


def quiet(seconds: float, rate_hz: float, *, noise: float = 0.01) -> Signal:
    """What an electrode delivers when no heart beats."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.random.default_rng(1).normal(0, noise, len(at)) + 0.1 * np.sin(2 * np.pi * 0.25 * at)


def counts(leads: Sequence[Signal]) -> Counts:
    data = b"".join(np.clip(np.rint(lead / SCALE), -32768, 32767).astype("<i2").tobytes() for lead in leads)
    return Counts(data, (SCALE,) * len(leads), (0.0,) * len(leads))


def frames(
    leads: Sequence[Signal], rate_hz: float, lengths: Iterable[int], *, began: float = BEGAN
) -> Iterator[tuple[float, Counts]]:
    """The leads cut into frames of these lengths, in samples; the last lengths that are needed, or no longer."""
    start = 0
    for length in lengths:
        if start >= len(leads[0]):
            return
        yield began + start / rate_hz, counts([lead[start : start + length] for lead in leads])
        start += length


def of_50_ms(rate_hz: float) -> Iterator[int]:
    """Lengths of frames of 50 ms, on average."""
    sent = 0
    for number in range(1, 10**9):
        yield round(number * 0.05 * rate_hz) - sent
        sent = round(number * 0.05 * rate_hz)


def play(
    leads: Sequence[Signal], rate_hz: float, names: Sequence[str | None] = ("II",), *, heart: Heart | None = None
) -> list[Second]:
    """What is known each second when frames of 50 ms come live."""
    return follow(heart or Heart(), tuple(names), rate_hz, frames(leads, rate_hz, of_50_ms(rate_hz)))


def follow(
    heart: Heart, names: tuple[str | None, ...], rate_hz: float, sent: Iterable[tuple[float, Counts]]
) -> list[Second]:
    """The same for frames that are already cut."""
    seconds = []
    for started_at, samples in sent:
        heart.take(names, rate_hz, started_at, samples)
        if (second := heart.look()) is not None:
            seconds.append(second)
    return seconds


def beats_of(seconds: Iterable[Second]) -> list[float]:
    """The beats given out, in seconds since the beginning."""
    return [at - BEGAN for second in seconds for at in second.beats]


def record(recordings: Path, name: str, *, seconds: float | None = None) -> tuple[list[Signal], float, list[str]]:
    """The ECG leads of a recording, their rate and their names."""
    if name.startswith("bidmc"):
        leads, rate, names = _bidmc(recordings / "bidmc" / f"{name}_Signals.csv.gz")
    else:
        with _wfdb() as wfdb:
            read = wfdb.rdrecord(str(recordings / "wfdb" / name))
        named = dict(zip(read.sig_name, np.nan_to_num(read.p_signal).T, strict=True))
        names = [lead for lead in named if lead in {"MLII", "V5", "II", "V", "MCL1"}]
        leads, rate = [named[lead] for lead in names], float(read.fs)
    until = None if seconds is None else round(seconds * rate)
    return [lead[:until] for lead in leads], rate, names


def annotated_beats(recordings: Path, name: str) -> list[float]:
    """When the annotators saw a beat, in seconds."""
    with _wfdb() as wfdb:
        read = wfdb.rdann(str(recordings / "wfdb" / name), "atr")
    return [
        sample / read.fs for sample, symbol in zip(read.sample.tolist(), read.symbol, strict=True) if symbol in _BEATS
    ]


@contextmanager
def _wfdb() -> Iterator[Any]:
    with warnings.catch_warnings():
        # It uses a part of pandas that pandas has announced the end of.
        warnings.simplefilter("ignore")
        import wfdb

        yield wfdb


def _bidmc(path: Path) -> tuple[list[Signal], float, list[str]]:
    with gzip.open(path, "rt") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        names = [name for name in rows.fieldnames or () if name.strip() in {"II", "V", "AVR"}]
        values = np.array([[float(row[name]) for name in names] for row in rows])
    return list(values.T), 125.0, [name.strip() for name in names]
