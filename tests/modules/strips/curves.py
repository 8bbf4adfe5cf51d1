"""Curves whose every sample says where it belongs, and the frames that they come in."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.modules.strips.recorder import Recorder
from app.modules.strips.strip import Trace
from app.modules.vitals.frames import Waveform
from app.modules.vitals.observers import arrival
from app.modules.vitals.samples import Counts, Numbers
from tests.modules.ward import SetClock

BASE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RATE = 250.0


def at(sample: float, rate: float = RATE) -> datetime:
    """When this sample is taken, counted from the base."""
    return BASE + timedelta(seconds=sample / rate)


def count(sample: int, lead: int = 0) -> int:
    """A sample of the curve: no two near each other, nor those of two leads, are alike."""
    return (sample * 7919 + lead * 1009) % 60_000 - 30_000


def counts(first: int, length: int, lead: int = 0) -> tuple[int, ...]:
    return tuple(count(sample, lead) for sample in range(first, first + length))


def pack(samples: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def frame(
    first: int,
    length: int,
    *,
    leads: tuple[str | None, ...] = ("II",),
    rate: float = RATE,
    scale: float = 0.005,
    ahead_seconds: float = 0.0,
    type: str = "ecg",
    unit: str = "mV",
) -> Waveform:
    """So many samples of the curve in binary, stamped by a clock that is ahead of ours."""
    data = b"".join(pack(counts(first, length, lead)) for lead in range(len(leads)))
    samples = Counts(data, (scale,) * len(leads), (0.0,) * len(leads))
    return Waveform(type, rate, leads, samples, unit, at(first, rate) + timedelta(seconds=ahead_seconds))


def numbers(first: int, *values: float, lead: str | None = "II", type: str = "ecg", unit: str = "mV") -> Waveform:
    """Samples as JSON has them."""
    return Waveform(type, RATE, (lead,), Numbers((values,)), unit, at(first))


@dataclass
class Bench:
    """A recorder, and a clock that shows when the last sample of the newest frame was taken."""

    limit_bytes: int = 1 << 28
    clock: SetClock = field(default_factory=lambda: SetClock(BASE))

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.clock, limit_bytes=self.limit_bytes)

    def take(self, *frames: Waveform, patient: str = "P1") -> None:
        for waveform in frames:
            self.recorder.take(patient, [arrival(waveform, self.clock.now().timestamp())])

    def stream(
        self,
        first: int,
        stop: int,
        *,
        length: int = 25,
        way_seconds: float = 0.0,
        patient: str = "P1",
        **fields: object,
    ) -> None:
        """Frames as they come from a device, each when its last sample has been taken and it has found its way."""
        rate = fields.get("rate", RATE)
        assert isinstance(rate, float)
        for start in range(first, stop, length):
            self.clock.moment = at(start + length, rate) + timedelta(seconds=way_seconds)
            self.take(frame(start, length, **fields), patient=patient)  # type: ignore[arg-type]

    def cut(self, first: float = -1e6, stop: float = 1e6, patient: str = "P1") -> tuple[Trace, ...]:
        return self.recorder.cut(patient, at(first), at(stop))

    def pieces(self, first: float = -1e6, stop: float = 1e6, patient: str = "P1") -> list[tuple[float, list[int]]]:
        """The segments of the only trace: the place of the first sample, and the counts."""
        (trace,) = self.cut(first, stop, patient)
        return [((s.started_at - BASE).total_seconds() * s.sample_rate_hz, list(s.integers())) for s in trace.segments]
