"""What following one heart costs: `python -m bench.heart` (on one core: `taskset -c 1 python -m bench.heart`).

Two leads are sent in frames of 50 ms. Of each step the best of many times is told, because everything else
that the machine does can only add to it: all that a second of one patient's signal costs, of that the
examination of the window, and of that the search for beats; and what is kept of one patient.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from app.modules.vitals.ecg.detector import find_peaks
from app.modules.vitals.ecg.examination import examine
from app.modules.vitals.ecg.heart import Heart
from app.modules.vitals.samples import Counts

RATES_HZ = (125, 250, 360, 500, 1000)
LEADS = ("II", "V")
SCALE = 0.0005
FRAMES_PER_SECOND = 20
SECONDS = 60
ROUNDS = 5

Frame = tuple[float, Counts]


def signal(seconds: int, rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A heart that beats 75 times a minute, in millivolts."""
    at = np.arange(seconds * rate_hz) / rate_hz
    since_beat = (at + 0.3) % 0.8 - 0.3
    beats = np.exp(-((since_beat / 0.012) ** 2) / 2) + 0.25 * np.exp(-(((since_beat - 0.26) / 0.045) ** 2) / 2)
    noise = np.random.default_rng(1).normal(0, 0.02, len(at))
    return np.asarray(beats + 0.1 * np.sin(1.5 * at) + noise)


def seconds_of_frames(rate_hz: int) -> list[list[Frame]]:
    """One minute, second by second, as a device sends it."""
    counts = np.rint(signal(SECONDS, rate_hz) / SCALE).astype("<i2")
    cuts = [round(number * rate_hz / FRAMES_PER_SECOND) for number in range(SECONDS * FRAMES_PER_SECOND + 1)]
    scales, offsets = (SCALE,) * len(LEADS), (0.0,) * len(LEADS)
    frames = [
        (1.0e9 + begins / rate_hz, Counts(counts[begins:ends].tobytes() * len(LEADS), scales, offsets))
        for begins, ends in pairwise(cuts)
    ]
    return [frames[at : at + FRAMES_PER_SECOND] for at in range(0, len(frames), FRAMES_PER_SECOND)]


def follow(heart: Heart, frames: list[Frame], rate_hz: int) -> None:
    for started_at, samples in frames:
        heart.take(LEADS, float(rate_hz), started_at, samples)
    heart.look()


def best(work: Callable[[], object], times: int = 300) -> float:
    """The shortest time that it takes, in microseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken) * 1e6


def cost_of_a_second(seconds: list[list[Frame]], rate_hz: int) -> float:
    """Of each second the best of some rounds, and of those the middle one, in microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        heart = Heart()
        rounds.append([best(partial(follow, heart, frames, rate_hz), 1) for frames in seconds])
    return float(np.median(np.min(rounds, axis=0)[12:]))


def bytes_of_a_heart(seconds: list[list[Frame]], rate_hz: int) -> float:
    """What is kept of one patient of many."""
    patients = 50
    follow(Heart(), seconds[0], rate_hz)
    tracemalloc.start()
    hearts = [Heart() for _ in range(patients)]
    for frames in seconds[:15]:
        for heart in hearts:
            follow(heart, frames, rate_hz)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / len(hearts)


def main() -> None:
    print(f"{'Hz':>5}  {'a second, µs':>12}  {'examination':>11}  {'beats':>5}  {'kept, kB':>8}")
    for rate_hz in RATES_HZ:
        seconds = seconds_of_frames(rate_hz)
        kept_hz = rate_hz / max(1, rate_hz // 200)
        window = signal(10, round(kept_hz))
        lead, is_drawn = window.astype(np.float32), np.zeros(len(window), np.bool_)
        examination = best(partial(examine, lead, is_drawn, kept_hz, usual_step=0.5))
        beats = best(partial(find_peaks, window, round(kept_hz)))
        second, kept = cost_of_a_second(seconds, rate_hz), bytes_of_a_heart(seconds, rate_hz) / 1000
        print(f"{rate_hz:>5}  {second:>12.0f}  {examination:>11.0f}  {beats:>5.0f}  {kept:>8.0f}")


if __name__ == "__main__":
    main()
