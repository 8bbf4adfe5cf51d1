"""What this process remembers of each device, also while it is not connected."""

from __future__ import annotations

from prometheus_client import Counter

from app.core.metrics import Metrics
from app.modules.vitals.sequence import Break, Sequence

#: Devices remembered at once; beyond it, the one that came first of those that have not come again is forgotten.
MOST_DEVICES = 10_000

#: Whoever asked to be told that a device is there is told once in so long.
SEEN_SECONDS = 1.0


class Device:
    """One account that sends for one patient.

    Attributes:
        told_at: when it was last told that this device is there; by our clock, in seconds since 1970.
    """

    __slots__ = ("_metrics", "patient_id", "sequence", "told_at", "user_id")

    def __init__(self, user_id: str, patient_id: str, metrics: Metrics) -> None:
        self.user_id = user_id
        self.patient_id = patient_id
        self.sequence = Sequence()
        self.told_at = float("-inf")
        self._metrics = metrics

    def note(self, number: int) -> None:
        """Note the number of a frame that has just arrived."""
        noticed = self.sequence.note(number)
        if noticed is not None:
            kind, count = noticed
            _counter_of(self._metrics, kind).inc(count)

    def is_news(self, now: float) -> bool:
        """Whether it is time again to tell that this device is there; from now on it is not."""
        # The clock may have been put back.
        if 0 <= now - self.told_at < SEEN_SECONDS:
            return False
        self.told_at = now
        return True


def _counter_of(metrics: Metrics, kind: Break) -> Counter:
    match kind:
        case Break.GAP:
            return metrics.vitals_missing
        case Break.LATE:
            return metrics.vitals_reordered
        case Break.REPEATED:
            return metrics.vitals_repeated
        case Break.RESTART:
            return metrics.vitals_restarts


class Devices:
    """All devices that have sent something, at most so many."""

    def __init__(self, metrics: Metrics, *, limit: int = MOST_DEVICES) -> None:
        self._metrics = metrics
        self._limit = limit
        self._devices: dict[tuple[str, str], Device] = {}

    def of(self, user_id: str, patient_id: str) -> Device:
        """The device, which is now the last to be forgotten."""
        key = user_id, patient_id
        device = self._devices.pop(key, None) or Device(user_id, patient_id, self._metrics)
        self._devices[key] = device
        if len(self._devices) > self._limit:
            del self._devices[next(iter(self._devices))]
        return device
