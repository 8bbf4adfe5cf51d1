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
    if isinstance(first, Counts) and all(_is_like(first, samples) for samples in run):
        # The usual case in one go: a device does not change its scale from frame to frame.
        counts = np.frombuffer(b"".join([samples.data for samples in run]), "<i2")  # type: ignore[union-attr]
        planes = counts.reshape(len(run), len(first.scales), first.length)[:, :leads]
        return _scaled(planes.transpose(1, 0, 2).reshape(leads, -1), first, leads, millivolts)
    return np.concatenate([_one(samples, leads, millivolts) for samples in run], axis=1)


def _is_like(first: Counts, other: Samples) -> bool:
    return (
        isinstance(other, Counts)
        and len(other.data) == len(first.data)
        and other.scales == first.scales
        and other.offsets == first.offsets
    )


def _one(samples: Samples, leads: int, millivolts: float) -> NDArray[np.float32]:
    if isinstance(samples, Counts):
        planes = np.frombuffer(samples.data, "<i2").reshape(len(samples.scales), samples.length)
        return _scaled(planes[:leads], samples, leads, millivolts)
    return _bounded(np.array(samples.rows[:leads]) * millivolts)


def _scaled(counts: NDArray[np.int16], samples: Counts, leads: int, millivolts: float) -> NDArray[np.float32]:
    values = counts * (np.array(samples.scales[:leads]) * millivolts)[:, None]
    values += (np.array(samples.offsets[:leads]) * millivolts)[:, None]
    return _bounded(values)


def _bounded(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.clip(-LARGEST_MILLIVOLTS, LARGEST_MILLIVOLTS).astype(np.float32)
