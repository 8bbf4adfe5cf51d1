"""PURE: where beats peak, as sleepecg finds them, with its filter prepared once for each rate.

sleepecg works out the filter's state and checks its arguments anew for each window. For ten seconds of
signal that takes several times as long as filtering and finding (profiled), and every patient is looked at
every second. The steps are those of `sleepecg.detect_heartbeats`, and its own compiled functions do the finding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, lfilter_zi
from sleepecg._heartbeat_detection import _squared_moving_integration, _thresholding

#: What of an ECG is a QRS complex (sleepecg, after Pan & Tompkins 1985, doi:10.1109/TBME.1985.325532).
PASSED_HZ: Final = (5, 30)
ORDER: Final = 2

#: The derivative over five points, and the window of integration, of the same paper.
DERIVATIVE: Final = np.array([-1.0, -2.0, 0.0, 2.0, 1.0])
INTEGRATION_SECONDS: Final = 0.15

#: Samples by which the signal is mirrored at both ends: as `scipy.signal.sosfiltfilt` does for two sections.
MIRRORED: Final = 15

_Filter = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def find_peaks(signal: NDArray[np.float64], rate_hz: int) -> NDArray[np.intp]:
    """The samples at which beats peak, in order.

    Args:
        signal: millivolts, some seconds, and not constant throughout. What is constant at the beginning is
            passed over, because it would spoil what the thresholds learn.
    """
    first = int(np.argmax(signal != signal[0])) if signal[1] == signal[0] else 0
    filtered = _forwards_and_backwards(signal[first:], rate_hz)
    derivative = np.correlate(filtered, DERIVATIVE, mode="same")
    integrated = _squared_moving_integration(derivative, int(INTEGRATION_SECONDS * rate_hz))
    return np.nonzero(_thresholding(filtered, integrated, rate_hz))[0] + first


def _forwards_and_backwards(signal: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """The signal without wander and hiss, filtered both ways, so that nothing is moved."""
    b, a, at_rest = _filter(rate_hz)
    before = 2 * signal[0] - signal[MIRRORED:0:-1]
    after = 2 * signal[-1] - signal[-2 : -MIRRORED - 2 : -1]
    extended = np.concatenate((before, signal, after))
    once, _ = lfilter(b, a, extended, zi=at_rest * extended[0])
    twice, _ = lfilter(b, a, once[::-1], zi=at_rest * once[-1])
    return np.ascontiguousarray(twice[::-1][MIRRORED:-MIRRORED])


@lru_cache(maxsize=256)
def _filter(rate_hz: int) -> _Filter:
    b, a = butter(ORDER, PASSED_HZ, "bandpass", fs=rate_hz)
    return b, a, lfilter_zi(b, a)
