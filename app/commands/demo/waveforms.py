"""PURE: made-up waveforms of a patient, second by second, that fit the numerics of the same second.

ECG: a sum of Gaussians around each R peak (McSharry et al. 2003, doi:10.1109/TBME.2003.808805), of which the T wave
comes as much earlier with a faster heart as in the Framingham study: QT shortens by 0.154 s for each second that the
RR interval is shorter (Sagie et al. 1992, doi:10.1016/0002-9149(92)90562-D). The heart goes faster while the patient
breathes in, and with a slow wave of 0.1 Hz (Task Force on heart rate variability 1996, doi:10.1161/01.CIR.93.5.1043).

Plethysmogram: two bumps for each pulse, with the dicrotic notch between them (Tang et al. 2020,
doi:10.1038/s41598-020-69076-x), that reach the finger a while after the R peak (Allen 2007,
doi:10.1088/0967-3334/28/3/R01).

What has no source is chosen by eye: heights, noise, the delay of the pulse, and how much smaller it gets in want of
oxygen.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, exp, pi, sin
from random import Random
from typing import Final, NamedTuple

from app.commands.demo.simulator import Second

ECG_HZ: Final = 250
PLETH_HZ: Final = 125
RESP_HZ: Final = 125

#: What one count is worth: mV of the ECG, and no unit for the others.
ECG_SCALE: Final = 0.001
PLETH_SCALE: Final = 0.0005
RESP_SCALE: Final = 0.0005

#: A beat shows in the ECG for so long before its R peak, and must be known by then.
KNOWN_AHEAD_SECONDS: Final = 0.32

#: All that a beat makes is over by so long after the beginning of the second in which it becomes known.
BUFFER_SECONDS: Final = 3

#: A Gaussian is drawn up to so many of its widths.
WIDTHS_DRAWN: Final = 4.0

#: At a heart rate of 60 /min: from R to the peak of T, and by how much that shortens for each second of RR.
R_TO_T_SECONDS: Final = 0.30
QT_SLOPE: Final = 0.154

#: How much of the RR interval the slow wave in it, and chance, take or add.
SLOW_WAVE_PART: Final = 0.012
SLOW_WAVE_HZ: Final = 0.1
CHANCE_PART: Final = 0.006

#: A premature beat comes after so much of the interval, and the next one where it would have been.
PREMATURE_PART: Final = 0.62

#: From the R peak to the beginning of the pulse at the finger.
PULSE_DELAY_SECONDS: Final = 0.2

#: How much of the pulse is lost with each percent of oxygen below 97, and what is left of it in any case.
PULSE_LOST_PER_PERCENT: Final = 0.03
LEAST_PULSE: Final = 0.3

#: Breathing in takes so much of a breath.
INSPIRATION_PART: Final = 0.4
BREATH_STEPS: Final = 500


class Wave(NamedTuple):
    """A Gaussian: from R peak to its peak, its widths on either side in seconds, and its height."""

    centre: float
    before: float
    after: float
    height: float


@dataclass(frozen=True, slots=True)
class Look:
    """By what the waveforms of a patient can be told from those of another; heights in millivolts.

    Attributes:
        sinus_part: how much of the RR interval breathing takes or adds.
        premature_every_seconds: how often a ventricular premature beat comes, about; none where none does.
        pulse: how high the pulse is, and `notch` the second bump beside the first.
        breath: how high a breath is.
    """

    p: float = 0.12
    q: float = -0.08
    r: float = 1.1
    s: float = -0.22
    t: float = 0.28
    qrs_width: float = 0.010
    wander: float = 0.06
    noise: float = 0.006
    sinus_part: float = 0.025
    premature_every_seconds: float | None = None
    pulse: float = 1.0
    notch: float = 0.35
    breath: float = 1.0


#: Bed 2 has tall T waves, bed 3 a small QRS complex, bed 4 premature beats, bed 5 a left axis, which shows in lead II
#: as a deep S wave, and bed 6 is the large ECG of a slow heart that follows the breath.
LOOKS: Final[Mapping[str, Look]] = {
    "bed-1": Look(),
    "bed-2": Look(p=0.10, r=0.95, s=-0.30, t=0.52, pulse=0.85, notch=0.45, breath=0.8),
    "bed-3": Look(p=0.11, q=-0.04, r=0.72, s=-0.14, t=0.2, noise=0.009, wander=0.09, pulse=0.9, notch=0.28),
    "bed-4": Look(r=1.25, q=-0.15, s=-0.1, t=0.33, premature_every_seconds=35, notch=0.25, breath=1.15),
    "bed-5": Look(p=0.15, q=-0.02, r=0.5, s=-0.68, t=0.2, qrs_width=0.012, pulse=0.75, notch=0.2, breath=0.9),
    "bed-6": Look(p=0.17, q=-0.12, r=1.55, s=-0.35, t=0.42, sinus_part=0.05, pulse=1.15, notch=0.5, breath=1.2),
}


class Waves(NamedTuple):
    """One second of counts: of 250, 125 and 125 Hz."""

    ecg: array[int]
    pleth: array[int]
    resp: array[int]


def breath_at(phase: float) -> float:
    """How full the chest is, from -0.5 to 0.5, so far through a breath."""
    if phase < INSPIRATION_PART:
        return -0.5 * cos(pi * phase / INSPIRATION_PART)
    rest = (phase - INSPIRATION_PART) / (1 - INSPIRATION_PART)
    # Breathing out is passive: fast at first, then slower.
    return 0.5 * cos(pi * rest**0.8)


_BREATH: Final = tuple(breath_at(step / BREATH_STEPS) for step in range(BREATH_STEPS))


class Waveforms:
    """The waveforms of one patient.

    Attributes:
        beats: when the R peaks of the newest second were, counted from the first second on; also those of premature
            beats.
    """

    def __init__(self, patient_id: str, seed: int = 1) -> None:
        self._look = LOOKS.get(patient_id, Look())
        self._draw = Random(f"{patient_id}:{seed}:waveforms")
        self._second = 0
        self._breath = self._draw.random()
        self._ecg = [0.0] * (BUFFER_SECONDS * ECG_HZ)
        self._pleth = [0.0] * (BUFFER_SECONDS * PLETH_HZ)
        self._next_beat = KNOWN_AHEAD_SECONDS + self._draw.random() * 0.5
        self._interval = 0.8
        self._pause = 0.0
        self._premature_at = self._next_premature(0.0)
        self._known: list[float] = []
        self.beats: list[float] = []

    def next(self, second: Second) -> Waves:
        """The second after the one before."""
        began, draw, look = self._second, self._draw, self._look
        breaths_hz = second.respiratory_rate / 60
        while self._next_beat < began + 1 + KNOWN_AHEAD_SECONDS:
            self._beat(second, began, breaths_hz)
        self.beats = [beat for beat in self._known if beat < began + 1]
        self._known = [beat for beat in self._known if beat >= began + 1]

        step = breaths_hz * BREATH_STEPS / RESP_HZ
        place = self._breath * BREATH_STEPS
        fullness = [_BREATH[int(place + number * step) % BREATH_STEPS] for number in range(RESP_HZ)]
        self._breath = (self._breath + breaths_hz) % 1.0

        gauss, noise, wander = draw.gauss, look.noise, look.wander
        ecg = [
            round((value + wander * fullness[number >> 1] + gauss(0.0, noise)) / ECG_SCALE)
            for number, value in enumerate(self._ecg[:ECG_HZ])
        ]
        pleth = [
            round((value + 0.06 * full + gauss(0.0, 0.003)) / PLETH_SCALE)
            for value, full in zip(self._pleth[:PLETH_HZ], fullness, strict=True)
        ]
        resp = [round((look.breath * full + gauss(0.0, 0.006)) / RESP_SCALE) for full in fullness]
        self._ecg = self._ecg[ECG_HZ:] + [0.0] * ECG_HZ
        self._pleth = self._pleth[PLETH_HZ:] + [0.0] * PLETH_HZ
        self._second += 1
        return Waves(array("h", ecg), array("h", pleth), array("h", resp))

    def _beat(self, second: Second, began: int, breaths_hz: float) -> None:
        """Draw the next beat, and settle when the one after it comes."""
        at, look = self._next_beat, self._look
        usual = 60 / second.heart_rate
        is_premature = self._interval < 0.75 * usual and self._pause > 0
        origin = float(began)
        for wave in premature_waves(look) if is_premature else beat_waves(look, self._interval):
            _add(self._ecg, ECG_HZ, at - origin, wave)
        # A chamber that had less time to fill throws out less, and more after a pause.
        filled = min(max(self._interval / usual, 0.45), 1.15)
        oxygen = max(LEAST_PULSE, 1 - PULSE_LOST_PER_PERCENT * max(0.0, 97 - second.spo2))
        for wave in pulse_waves(look.pulse * filled * oxygen, look.notch, self._interval):
            _add(self._pleth, PLETH_HZ, at - origin, wave)
        self._known.append(at)
        self._interval = self._interval_after(at, usual, self._breath + (at - began) * breaths_hz)
        self._next_beat = at + self._interval

    def _interval_after(self, at: float, usual: float, breath: float) -> float:
        if self._pause > 0:
            pause, self._pause = self._pause, 0.0
            return pause
        part = 1 - self._look.sinus_part * sin(2 * pi * breath)
        part += SLOW_WAVE_PART * sin(2 * pi * SLOW_WAVE_HZ * at) + self._draw.gauss(0.0, CHANCE_PART)
        interval = usual * part
        if at >= self._premature_at:
            self._premature_at = self._next_premature(at)
            self._pause = (2 - PREMATURE_PART) * interval
            return PREMATURE_PART * interval
        return interval

    def _next_premature(self, at: float) -> float:
        every = self._look.premature_every_seconds
        return float("inf") if every is None else at + every * self._draw.uniform(0.6, 1.4)


def beat_waves(look: Look, interval: float) -> tuple[Wave, ...]:
    """P, Q, R, S and T of a beat that comes after so many seconds."""
    rr = min(max(interval, 0.4), 1.2)
    width = look.qrs_width
    to_t = R_TO_T_SECONDS - QT_SLOPE * (1 - rr)
    return (
        Wave(-0.16 + 0.03 * (1 - rr), 0.022, 0.02, look.p),
        Wave(-2.6 * width, width * 0.8, width * 0.8, look.q),
        Wave(0.0, width, width, look.r),
        Wave(2.6 * width, width, width, look.s),
        Wave(to_t, 0.052 * rr**0.5, 0.036 * rr**0.5, look.t),
    )


def premature_waves(look: Look) -> tuple[Wave, ...]:
    """A beat of the ventricle's own: wide, without a P wave, its T wave the other way."""
    return (Wave(0.0, 0.028, 0.034, 1.25 * look.r), Wave(0.10, 0.03, 0.03, -0.3), Wave(0.30, 0.06, 0.05, -1.3 * look.t))


def pulse_waves(height: float, notch: float, interval: float) -> tuple[Wave, ...]:
    """The pulse of a beat that came after so many seconds: the push of the heart, and its echo."""
    stretch = min(max(interval, 0.4), 1.2) ** 0.5
    peak = PULSE_DELAY_SECONDS + 0.15 * stretch
    return (
        Wave(peak, 0.055 * stretch, 0.1 * stretch, height),
        Wave(peak + 0.26 * stretch, 0.06 * stretch, 0.16 * stretch, height * notch),
    )


def _add(samples: list[float], rate_hz: int, at: float, wave: Wave) -> None:
    """Add a wave around the moment `at`, in seconds from the first sample."""
    centre = (at + wave.centre) * rate_hz
    before, after = wave.before * rate_hz, wave.after * rate_hz
    first = max(0, int(centre - WIDTHS_DRAWN * before) + 1)
    last = min(len(samples) - 1, int(centre + WIDTHS_DRAWN * after))
    for number in range(first, last + 1):
        x = number - centre
        x /= before if x < 0 else after
        samples[number] += wave.height * exp(-0.5 * x * x)
