"""PURE: made-up but plausible numerics of a patient, second by second, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

BLOOD_PRESSURE_EVERY_SECONDS: Final = 30
TEMPERATURE_EVERY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a patient's numerics wander around."""

    heart_rate: float = 72
    spo2: float = 97
    respiratory_rate: float = 14
    systolic_bp: float = 122
    diastolic_bp: float = 76
    temperature: float = 36.8


@dataclass(frozen=True, slots=True)
class Desaturation:
    """Oxygen falls, stays low, recovers, and falls again; times in seconds from the start of a cycle."""

    falls_at: float = 8
    low_at: float = 22
    recovers_at: float = 240
    well_at: float = 280
    cycle_seconds: float = 400
    spo2_fall: float = 14
    heart_rate_rise: float = 34
    respiratory_rate_rise: float = 8

    def depth(self, second: float) -> float:
        """How deep in it the patient is: 0 is well, 1 is worst."""
        moment = second % self.cycle_seconds
        falling = smooth_step(moment, self.falls_at, self.low_at)
        recovering = smooth_step(moment, self.recovers_at, self.well_at)
        return falling - recovering


@dataclass(slots=True)
class Walk:
    """A random walk that is drawn back to zero and never leaves ±`reach`."""

    draw: Random
    step: float
    reach: float
    pull: float = 0.05
    value: float = field(default=0.0)

    def next(self) -> float:
        """One second later."""
        moved = self.value * (1 - self.pull) + self.draw.gauss(0, self.step)
        self.value = min(max(moved, -self.reach), self.reach)
        return self.value


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose numerics are made up: around what, and with what befalling them."""

    id: str
    baseline: Baseline = Baseline()
    script: Desaturation | None = None


#: The ward's patients. All stay within the usual limits of an adult, but for what bed 3 goes through.
PATIENTS: Final = (
    Patient("bed-1", Baseline(heart_rate=72, spo2=97, respiratory_rate=14, systolic_bp=122, diastolic_bp=76)),
    Patient("bed-2", Baseline(heart_rate=84, spo2=98, respiratory_rate=16, systolic_bp=131, diastolic_bp=80)),
    Patient(
        "bed-3",
        Baseline(heart_rate=78, spo2=96, respiratory_rate=15, systolic_bp=118, temperature=36.9),
        Desaturation(),
    ),
    Patient("bed-4", Baseline(heart_rate=66, spo2=97, respiratory_rate=13, systolic_bp=126, diastolic_bp=78)),
    Patient("bed-5", Baseline(heart_rate=91, spo2=96, respiratory_rate=18, systolic_bp=137, temperature=37.4)),
    Patient("bed-6", Baseline(heart_rate=61, spo2=98, respiratory_rate=13, systolic_bp=112, diastolic_bp=70)),
)


def simulate(patient: Patient, seed: int = 1) -> Iterator[dict[str, float]]:
    """What the patient's monitor shows each second, without end: numerics by type, where one is due."""
    draw = Random(f"{patient.id}:{seed}")
    base = patient.baseline
    heart, oxygen, breath = Walk(draw, 0.6, 5), Walk(draw, 0.2, 1), Walk(draw, 0.3, 2)
    pressure, warmth = Walk(draw, 1.5, 6), Walk(draw, 0.05, 0.2)
    phase = draw.randrange(BLOOD_PRESSURE_EVERY_SECONDS)
    second = 0
    while True:
        depth = patient.script.depth(second) if patient.script else 0.0
        script = patient.script or Desaturation()
        heart_rate = round(base.heart_rate + heart.next() + depth * script.heart_rate_rise)
        numerics: dict[str, float] = {
            "heart_rate": heart_rate,
            "pulse": heart_rate + draw.choice((-1, 0, 0, 0, 1)),
            "spo2": min(100, round(base.spo2 + oxygen.next() - depth * script.spo2_fall)),
            "respiratory_rate": round(base.respiratory_rate + breath.next() + depth * script.respiratory_rate_rise),
        }
        # Everybody is measured at the start, and then each in their own turn.
        if second == 0 or (second + phase) % BLOOD_PRESSURE_EVERY_SECONDS == 0:
            systolic = round(base.systolic_bp + pressure.next())
            diastolic = round(base.diastolic_bp + pressure.value / 2)
            mean = round(diastolic + (systolic - diastolic) / 3)
            numerics |= {"systolic_bp": systolic, "diastolic_bp": diastolic, "mean_bp": mean}
        if second == 0 or (second + phase) % TEMPERATURE_EVERY_SECONDS == 0:
            numerics["temperature"] = round(base.temperature + warmth.next(), 1)
        yield numerics
        second += 1


def smooth_step(moment: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on, and a smooth way between (Hermite's 3x² - 2x³)."""
    x = min(max((moment - start) / (end - start), 0.0), 1.0)
    return x * x * (3 - 2 * x)
