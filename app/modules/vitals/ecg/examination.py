"""PURE: what ten seconds of one lead show: heart beats, nothing at all, or no signal to tell it by.

Three measures, all made on the *step*: the mean of 40 ms less the mean of the 40 ms before. It passes a
QRS complex, nearly removes wander, and removes hum of 50 Hz, of which 40 ms are two whole cycles.

- The step's size tells a beat from what must not be one (a P wave, noise in a silence).
- *Likeness*: the mean correlation of each beat with each other. Beats are alike, noise is not
  (template matching after Orphanidou et al. 2015, doi:10.1109/JBHI.2014.2338351).
- *Unrest*: how large the step ordinarily is between beats, beside its size in them. Noise looks the
  same between its "beats" as in them, also where a narrow band makes it look alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.modules.vitals.ecg.detector import find_peaks

STEP_SECONDS: Final = 0.04

#: The smallest step in millivolts that a beat can have. Of triangles of 70 to 120 ms a heart rate meter must not count
#: one of 0.15 mV and must count one of 0.5 mV (ANSI/AAMI EC13): their steps are at most 0.10 and at least 0.30.
LEAST_STEP: Final = 0.13

#: A beat's step is at least so much of those before it: P waves go on without a QRS when the chambers stand still.
LEAST_PART: Final = 0.3

#: A beat is compared over so much on each side of its peak.
BESIDE_SECONDS: Final = 0.1

#: A beat is about as steep within so much of its peak as anywhere near. What is not was mistaken for one: in a slow
#: heart the detector looks back for beats that it may have missed, takes a P wave or noise, is blind for 0.2 s,
#: and misses the beat or finds its end. A beat may hide for so long after such a mistake.
CORE_SECONDS: Final = 0.06
CORE_PART: Final = 0.7
HIDDEN_SECONDS: Final = 0.3

#: Two beats are never nearer to each other: the detector's own refractory period.
REFRACTORY_SECONDS: Final = 0.2

#: A beat so near to the end of the window is not seen whole, and waits for the next second.
FRESHEST_SECONDS: Final = 0.3

#: Less signal than this says nothing; the detector itself learns for two seconds.
SHORTEST_SECONDS: Final = 4.0

#: No beat for so long on a good signal is asystole (design/clinical).
ASYSTOLE_SECONDS: Final = 4.0

#: The T wave ends so long after its beat, and is no noise in a silence.
T_WAVE_SECONDS: Final = 0.5

#: How much likeness must remain when unrest is taken off, for a lead to become good, and to stay so.
#: What recordings and noise have is in docs/heart-rate-from-ecg.md.
LEAST_QUALITY: Final = 0.45
LEAST_QUALITY_TO_STAY: Final = 0.33

#: Quality is that of so much signal, and of so many beats where they are fewer: what noise there is now shows soon.
JUDGED_SECONDS: Final = 5.0
FEWEST_BEATS: Final = 4

#: Of a signal that varies less than this, in millivolts, the electrode delivers nothing: skin and amplifier
#: alone make more, and breathing moves the baseline.
DEAD_RANGE: Final = 0.005
DEAD_SECONDS: Final = 2.0

#: A dead signal so far from zero, in millivolts, rests at the end of the scale.
RAIL: Final = 2.0

#: Where hum and noise faster than a beat have more than this root mean square, in millivolts, a silence is no silence.
LOUDEST_HISS: Final = 0.06


class Reason(StrEnum):
    """Why nothing can be told from a signal."""

    FLAT = "flat"
    SATURATED = "saturated"
    NOISE = "noise"
    NO_BEATS = "no_beats"


@dataclass(frozen=True, slots=True)
class Examination:
    """What a window shows.

    Attributes:
        beats: samples of the window at which a beat peaks, in order; also of noise, where `reason` says so.
        steps: how large each of them is, in millivolts.
        reason: why it cannot be relied on; none where it can.
        silent_seconds: how long there has been nothing as large as a beat.
    """

    beats: NDArray[np.intp]
    steps: NDArray[np.float64]
    reason: Reason | None
    silent_seconds: float

    @property
    def is_silent(self) -> bool:
        """Whether the lead can be relied on, and shows that no heart beats."""
        return self.reason is None and self.silent_seconds >= ASYSTOLE_SECONDS


def examine(
    window: NDArray[np.float32],
    is_drawn: NDArray[np.bool_],
    rate_hz: float,
    *,
    usual_step: float | None = None,
    was_good: bool = False,
) -> Examination:
    """Examine one lead.

    Args:
        window: millivolts, at least four seconds, up to now.
        is_drawn: where there was no signal, and `window` has a straight line instead.
        usual_step: how large the step of this lead's beats has been, in millivolts; none where it never had any.
        was_good: whether it could be relied on a second before.
    """
    signal = window.astype(np.float64)
    step = _steps(signal, round(STEP_SECONDS * rate_hz))
    size = np.abs(step)
    least = max(LEAST_STEP, LEAST_PART * (usual_step or 0.0))
    peaks, shapes, sizes = _beats(signal, step, size, least, rate_hz)
    silent_seconds = _silence(size >= least, is_drawn, peaks, rate_hz)

    reason = None
    if silent_seconds >= DEAD_SECONDS - T_WAVE_SECONDS:
        reason = _dead(signal[-round(DEAD_SECONDS * rate_hz) :])
    if reason is None and silent_seconds >= ASYSTOLE_SECONDS:
        if _hiss(signal[-round(ASYSTOLE_SECONDS * rate_hz) :], round(STEP_SECONDS / 2 * rate_hz)) > LOUDEST_HISS:
            reason = Reason.NOISE
        elif usual_step is None:
            reason = Reason.NO_BEATS
    elif reason is None:
        least_quality = LEAST_QUALITY_TO_STAY if was_good else LEAST_QUALITY
        if _quality(size, peaks, shapes, sizes, rate_hz) < least_quality:
            reason = Reason.NOISE
    return Examination(peaks, sizes, reason, silent_seconds)


def _steps(signal: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    total = np.zeros(len(signal) + 1)
    np.cumsum(signal - signal[0], out=total[1:])
    step = np.zeros(len(signal))
    step[width : 1 - width] = (total[2 * width :] - 2 * total[width:-width] + total[: -2 * width]) / width
    return step


def _beats(
    signal: NDArray[np.float64], step: NDArray[np.float64], size: NDArray[np.float64], least: float, rate_hz: float
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Where beats peak, the step around each, shape (beats, samples), and how large it is."""
    beside = round(BESIDE_SECONDS * rate_hz)
    # The detector passes over what is constant at the beginning, and needs some signal after it.
    if signal[1] == signal[0] and (signal[: -round(2 * rate_hz)] == signal[0]).all():
        peaks = np.empty(0, np.intp)
    else:
        # Its filters are remembered for each rate, so that there must not be too many.
        peaks = find_peaks(signal, round(rate_hz))
        peaks = peaks[(peaks >= beside) & (peaks < len(signal) - beside)]
    shapes = step[peaks[:, None] + np.arange(-beside, beside + 1)]
    sizes = np.abs(shapes)
    core = round(CORE_SECONDS * rate_hz)
    largest = sizes.max(axis=1)
    is_beat = sizes[:, beside - core : beside + core + 1].max(axis=1) >= np.maximum(least, CORE_PART * largest)
    if not is_beat.all():
        steepest = sizes[is_beat].argmax(axis=1) - beside
        aside = round(float(np.median(steepest))) if len(steepest) else 0
        found = _missed(peaks[is_beat], peaks[~is_beat], size, least, aside, rate_hz)
        peaks = np.array([peak for peak in found if beside <= peak < len(signal) - beside], np.intp)
        shapes = step[peaks[:, None] + np.arange(-beside, beside + 1)]
        largest = np.abs(shapes).max(axis=1)
    return peaks, shapes, largest


def _missed(
    beats: NDArray[np.intp],
    mistaken: NDArray[np.intp],
    size: NDArray[np.float64],
    least: float,
    aside: int,
    rate_hz: float,
) -> list[int]:
    """The beats, and those that hide beside what was mistaken for one.

    Args:
        aside: how far the steepest part of a beat is from its peak, in samples.
    """
    found: list[int] = beats.tolist()
    for mistake in mistaken.tolist():
        begins = max(0, mistake - round(BESIDE_SECONDS * rate_hz))
        near = size[begins : mistake + round(HIDDEN_SECONDS * rate_hz)]
        peak = begins + int(near.argmax()) - aside
        if near.max() >= least and all(abs(peak - other) >= REFRACTORY_SECONDS * rate_hz for other in found):
            found.append(peak)
    return sorted(found)


def _silence(is_loud: NDArray[np.bool_], is_drawn: NDArray[np.bool_], peaks: NDArray[np.intp], rate_hz: float) -> float:
    """For how many seconds of signal, up to the end, there has been nothing as large as a beat."""
    last_beat = 0
    if len(peaks):
        last_beat = int(peaks[-1])
        is_loud[last_beat : last_beat + round(T_WAVE_SECONDS * rate_hz)] = False
    begins = last_beat
    if is_loud[last_beat:].any():
        begins = len(is_loud) - int(is_loud[::-1].argmax())
    silent = len(is_loud) - begins
    # What was not received may have held a beat.
    return float(silent - is_drawn[begins:].sum()) / rate_hz


def _dead(signal: NDArray[np.float64]) -> Reason | None:
    lowest, highest = signal.min(), signal.max()
    if highest - lowest > DEAD_RANGE:
        return None
    return Reason.SATURATED if abs(highest) >= RAIL else Reason.FLAT


def _hiss(signal: NDArray[np.float64], width: int) -> float:
    """The root mean square of what a mean over 20 ms removes."""
    total = np.cumsum(signal - signal[0])
    smooth = (total[width:] - total[:-width]) / width
    return float(np.std(signal[(width + 1) // 2 :][: len(smooth)] - smooth))


def _quality(
    size: NDArray[np.float64],
    peaks: NDArray[np.intp],
    shapes: NDArray[np.float64],
    sizes: NDArray[np.float64],
    rate_hz: float,
) -> float:
    """Likeness less unrest: at most 1, and below 0 for most noise."""
    if len(peaks) == 0 or len(size) - peaks[-1] > ASYSTOLE_SECONDS * rate_hz:
        return -1.0
    newest = max(FEWEST_BEATS, int((peaks >= len(size) - JUDGED_SECONDS * rate_hz).sum()))
    shapes, sizes = shapes[-newest:], sizes[-newest:]
    count = len(shapes)
    ordinary = size[-round(JUDGED_SECONDS * rate_hz) :: 2]
    middle = len(ordinary) // 2
    usual: float = sorted(sizes.tolist())[count // 2]
    unrest = float(np.partition(ordinary, middle)[middle]) / usual
    if count == 1:
        return 1.0 - unrest
    together = (shapes / np.sqrt(np.einsum("ij,ij->i", shapes, shapes))[:, None]).sum(axis=0)
    likeness = (float(together @ together) - count) / (count * (count - 1))
    return likeness - unrest
