"""PURE: made-up but plausible patients, second by second, the same for the same seed.

The numerics wander around what is usual for the patient, and episodes befall some of them. The scripts of all
patients repeat after the same time, so that a visitor who stays sees every kind of alert again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

BLOOD_PRESSURE_EVERY_SECONDS: Final = 30
TEMPERATURE_EVERY_SECONDS: Final = 60

#: After so long the scripts begin again.
CYCLE_SECONDS: Final = 720


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
class Episode:
    """Something that comes over a patient, stays, and goes; times in seconds from the start of a cycle."""

    begins_at: float
    worst_at: float
    recovers_at: float
    well_at: float
    spo2_fall: float = 0
    heart_rate_rise: float = 0
    respiratory_rate_rise: float = 0

    def depth(self, second: float) -> float:
        """How deep in it the patient is: 0 is well, 1 is worst."""
        moment = second % CYCLE_SECONDS
        beginning = smooth_step(moment, self.begins_at, self.worst_at)
        recovering = smooth_step(moment, self.recovers_at, self.well_at)
        return beginning - recovering


@dataclass(frozen=True, slots=True)
class ElectrodeOff:
    """An electrode of the ECG comes off, and is put on again; times in seconds from the start of a cycle."""

    off_at: float
    on_at: float

    def holds(self, second: float) -> bool:
        """Whether it is off at this time."""
        return self.off_at <= second % CYCLE_SECONDS < self.on_at


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
    episodes: tuple[Episode, ...] = ()
    electrode: ElectrodeOff | None = None


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a patient.

    Attributes:
        numerics: what the monitor shows, by type, where one is due.
        heart_rate: what is so, whether or not the monitor can see it; the other two likewise.
        is_lead_off: whether the monitor has no ECG, and so neither heart rate nor respiration.
    """

    numerics: dict[str, float]
    heart_rate: float
    respiratory_rate: float
    spo2: float
    is_lead_off: bool = False


#: The ward's patients. All stay within the usual limits of an adult, but for what befalls four of them: in bed 3
#: the oxygen saturation falls, and later falls below 80 %; in bed 2 the breath is fast, in bed 5 the heart, and in
#: bed 6 an electrode comes off.
PATIENTS: Final = (
    Patient("bed-1", Baseline(heart_rate=72, spo2=97, respiratory_rate=14, systolic_bp=122, diastolic_bp=76)),
    Patient(
        "bed-2",
        Baseline(heart_rate=84, spo2=98, respiratory_rate=16, systolic_bp=131, diastolic_bp=80),
        (Episode(165, 185, 330, 350, heart_rate_rise=8, respiratory_rate_rise=11.5),),
    ),
    Patient(
        "bed-3",
        Baseline(heart_rate=78, spo2=96, respiratory_rate=15, systolic_bp=118, temperature=36.9),
        (
            Episode(8, 22, 215, 245, spo2_fall=14, heart_rate_rise=34, respiratory_rate_rise=7),
            Episode(275, 295, 420, 460, spo2_fall=20, heart_rate_rise=35, respiratory_rate_rise=7),
        ),
    ),
    Patient("bed-4", Baseline(heart_rate=66, spo2=97, respiratory_rate=13, systolic_bp=126, diastolic_bp=78)),
    Patient(
        "bed-5",
        Baseline(heart_rate=91, spo2=96, respiratory_rate=18, systolic_bp=137, temperature=37.4),
        (Episode(125, 160, 245, 285, heart_rate_rise=42, respiratory_rate_rise=3),),
    ),
    Patient(
        "bed-6",
        Baseline(heart_rate=61, spo2=98, respiratory_rate=13, systolic_bp=112, diastolic_bp=70),
        electrode=ElectrodeOff(75, 120),
    ),
)


def simulate(patient: Patient, seed: int = 1) -> Iterator[Second]:
    """What comes to pass with the patient each second, without end."""
    draw = Random(f"{patient.id}:{seed}")
    base = patient.baseline
    heart, oxygen, breath = Walk(draw, 0.6, 5), Walk(draw, 0.2, 1), Walk(draw, 0.3, 2)
    pressure, warmth = Walk(draw, 1.5, 6), Walk(draw, 0.05, 0.2)
    phase = draw.randrange(BLOOD_PRESSURE_EVERY_SECONDS)
    second = 0
    while True:
        heart_rate = base.heart_rate + heart.next()
        respiratory_rate = base.respiratory_rate + breath.next()
        spo2 = base.spo2 + oxygen.next()
        for episode in patient.episodes:
            depth = episode.depth(second)
            heart_rate += depth * episode.heart_rate_rise
            respiratory_rate += depth * episode.respiratory_rate_rise
            spo2 -= depth * episode.spo2_fall
        spo2 = min(100, spo2)
        is_lead_off = patient.electrode is not None and patient.electrode.holds(second)
        numerics: dict[str, float] = {
            "heart_rate": round(heart_rate),
            "pulse": round(heart_rate) + draw.choice((-1, 0, 0, 0, 1)),
            "spo2": round(spo2),
            "respiratory_rate": round(respiratory_rate),
        }
        if is_lead_off:
            # Respiration is measured as impedance, through the electrodes of the ECG.
            del numerics["heart_rate"], numerics["respiratory_rate"]
        # Everybody is measured at the start, and then each in their own turn.
        if second == 0 or (second + phase) % BLOOD_PRESSURE_EVERY_SECONDS == 0:
            systolic = round(base.systolic_bp + pressure.next())
            diastolic = round(base.diastolic_bp + pressure.value / 2)
            mean = round(diastolic + (systolic - diastolic) / 3)
            numerics |= {"systolic_bp": systolic, "diastolic_bp": diastolic, "mean_bp": mean}
        if second == 0 or (second + phase) % TEMPERATURE_EVERY_SECONDS == 0:
            numerics["temperature"] = round(base.temperature + warmth.next(), 1)
        yield Second(numerics, heart_rate, respiratory_rate, spo2, is_lead_off)
        second += 1


def smooth_step(moment: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on, and a smooth way between (Hermite's 3x² - 2x³)."""
    x = min(max((moment - start) / (end - start), 0.0), 1.0)
    return x * x * (3 - 2 * x)
