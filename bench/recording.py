"""The first lead of a real recording, as a device would send it; a made-up signal where there is none."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

from bench.ecg import MILLIVOLTS_PER_COUNT, SAMPLE_RATE_HZ, made_up_counts


@dataclass(frozen=True, slots=True)
class Signal:
    """Counts of `MILLIVOLTS_PER_COUNT`, taken at a constant rate."""

    name: str
    sample_rate_hz: int
    counts: array[int]


def signals(record: Path, seconds: float) -> tuple[list[Signal], str]:
    """The beginning of a WFDB record, at its own rate and at the rate of the other scenarios.

    Returns:
        The signals, and why they are made up; empty where they are not.
    """
    made_up = [Signal("made up", SAMPLE_RATE_HZ, _long_enough(made_up_counts(), seconds))]
    if not record.with_suffix(".hea").is_file():
        return made_up, f"There is no recording at {record}: the signal is made up."
    try:
        import numpy as np
        import wfdb
    except ImportError as error:
        return made_up, f"{error.name} is not installed: the signal is made up."
    header = wfdb.rdheader(str(record))
    rate = round(header.fs)
    read = wfdb.rdrecord(str(record), sampto=min(header.sig_len, round(seconds * rate)), channels=[0])
    millivolts = read.p_signal[:, 0]
    at = np.arange(0, len(millivolts) / rate, 1 / SAMPLE_RATE_HZ)
    faster = np.interp(at, np.arange(len(millivolts)) / rate, millivolts)
    return [
        Signal(
            f"{record.name}, {read.sig_name[0]}",
            hz,
            array("h", np.rint(values / MILLIVOLTS_PER_COUNT).astype("<i2").tobytes()),
        )
        for hz, values in ((rate, millivolts), (SAMPLE_RATE_HZ, faster))
    ], ""


def _long_enough(counts: array[int], seconds: float) -> array[int]:
    return counts * -(-round(seconds * SAMPLE_RATE_HZ) // len(counts))
