"""PURE: whether a lead of which nothing is known yet shows a heart, and not artefact that is as much like itself."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.modules.vitals.ecg.examination import FEWEST_BEATS, JUDGED_SECONDS, Examination
from app.modules.vitals.ecg.timeline import WINDOW_SECONDS

#: Fewer beats than this prove nothing.
FEWEST_TO_PROVE: Final = 3

#: The steps of a heart's beats are within this of each other. What an electrode makes that is pulled is several
#: times as large, and what beats the detector finds beside it are few: seen in docs/heart-rate-from-ecg.md.
MOST_UNEQUAL_STEPS: Final = 3.0

#: A regular heart is believed at once: its longest interval is no more than so much of its shortest.
MOST_UNEQUAL_REGULAR: Final = 1.5

#: An irregular one when the window is full. Missed beats make intervals longer than extra beats and their pauses do.
MOST_UNEQUAL_IRREGULAR: Final = 3.0

#: A lead that has been good for so long without a break is believed whatever its beats are like.
BELIEVED_SECONDS: Final = 20.0


def proves_a_heart(found: Examination, samples: int, rate_hz: float) -> bool:
    """Whether these beats are a heart's for certain.

    Args:
        found: what a window of so many samples shows, which is good.
    """
    newest = max(FEWEST_BEATS, int((found.beats >= samples - JUDGED_SECONDS * rate_hz).sum()))
    if _are_alike(found.beats[-newest:], found.steps[-newest:], MOST_UNEQUAL_REGULAR):
        return True
    return samples >= round(WINDOW_SECONDS * rate_hz) and _are_alike(found.beats, found.steps, MOST_UNEQUAL_IRREGULAR)


def _are_alike(beats: NDArray[np.intp], steps: NDArray[np.float64], most_unequal: float) -> bool:
    if len(beats) < FEWEST_TO_PROVE or steps.max() > MOST_UNEQUAL_STEPS * steps.min():
        return False
    intervals = np.diff(beats)
    return bool(intervals.max() <= most_unequal * intervals.min())
