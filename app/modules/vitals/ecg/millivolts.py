"""PURE: the samples of many frames as one array of millivolts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.modules.vitals.samples import Counts, Samples

#: No electrode gives more, not even with its offset; what a broken scale makes of a sample ends here.
LARGEST_MILLIVOLTS: Final = 1000.0


def to_millivolts(run: Sequence[Samples], leads: int, millivolts: float = 1.0) -> NDArray[np.float32]:
    """The first leads of frames that follow each other, shape (leads, samples).

    Args:
        millivolts: what one of the samples' units is.
    """
    first = run[0]
    alike = [samples for samples in run if isinstance(samples, Counts) and _has_scale_of(first, samples)]
    if len(alike) == len(run):
        # The usual case: a device does not change its scale from frame to frame.
        return _scaled(_joined(alike, leads), alike[0], millivolts)
    return np.concatenate([_one(samples, leads, millivolts) for samples in run], axis=1)


def _has_scale_of(first: Samples, other: Counts) -> bool:
    return isinstance(first, Counts) and other.scales == first.scales and other.offsets == first.offsets


def _one(samples: Samples, leads: int, millivolts: float) -> NDArray[np.float32]:
    if isinstance(samples, Counts):
        return _scaled(_planes(samples, leads), samples, millivolts)
    return _bounded(np.array(samples.rows[:leads]) * millivolts)


def _joined(run: Sequence[Counts], leads: int) -> NDArray[np.int16]:
    if len(run[0].scales) == 1:
        # Of one lead the bytes of all frames are one array, without an array for each frame.
        return np.frombuffer(b"".join([samples.data for samples in run]), "<i2")[None, :]
    return np.concatenate([_planes(samples, leads) for samples in run], axis=1)


def _planes(samples: Counts, leads: int) -> NDArray[np.int16]:
    return np.frombuffer(samples.data, "<i2").reshape(len(samples.scales), -1)[:leads]


def _scaled(counts: NDArray[np.int16], samples: Counts, millivolts: float) -> NDArray[np.float32]:
    values = counts * (np.array(samples.scales[: len(counts)]) * millivolts)[:, None]
    values += (np.array(samples.offsets[: len(counts)]) * millivolts)[:, None]
    return _bounded(values)


def _bounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.clip(-LARGEST_MILLIVOLTS, LARGEST_MILLIVOLTS).astype(np.float32)
