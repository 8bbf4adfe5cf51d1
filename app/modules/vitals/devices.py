"""What this process remembers of each device, also while it is not connected."""

from __future__ import annotations

from math import inf

from prometheus_client import Counter

from app.core.metrics import Metrics
from app.modules.vitals.sequence import Break, Sequence

#: Devices remembered at once; beyond it, of those with no socket the one that came first, and not again, is forgotten.
MOST_DEVICES = 10_000

#: A socket that has sent something in this time is still in use. One whose connection is dead may stay open longer.
IN_USE_SECONDS = 10.0


class Device:
    """One account that sends for one patient.

    Attributes:
        told_at: when it was last told that this device is there; by our clock, in seconds since 1970, and long ago
            where that has to be told at once.
        heard_at: of each socket that it has open, when something that can be used came there last; by our clock.
    """

    __slots__ = ("_metrics", "heard_at", "patient_id", "sequence", "told_at", "user_id")

    def __init__(self, user_id: str, patient_id: str, metrics: Metrics) -> None:
        self.user_id = user_id
        self.patient_id = patient_id
        self.sequence = Sequence()
        self.told_at = -inf
        self.heard_at: dict[object, float] = {}
        self._metrics = metrics

    def is_in_use(self, now: float) -> bool:
        """Whether something has come on one of its open sockets lately."""
        return any(abs(now - at) < IN_USE_SECONDS for at in self.heard_at.values())

    def note(self, number: int) -> None:
        """Note the number of a frame that has just arrived."""
        sequence = self.sequence
        if number == sequence.expected:
            # Nearly all of them are: the call would cost as much again.
            sequence.expected = number + 1
            return
        noticed = sequence.note(number)
        if noticed is not None:
            kind, count = noticed
            _counter_of(self._metrics, kind).inc(count)

    def is_news(self, now: float, every_seconds: float) -> bool:
        """Whether it is time again to tell that this device is there; from now on it is not."""
        # The clock may have been put back.
        if 0 <= now - self.told_at < every_seconds:
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

    def socket_count(self) -> int:
        """How many sockets they have open."""
        return sum(len(device.heard_at) for device in self._devices.values())

    def of(self, user_id: str, patient_id: str) -> Device:
        """The device, which is now the last to be forgotten."""
        key = user_id, patient_id
        device = self._devices.pop(key, None) or Device(user_id, patient_id, self._metrics)
        self._devices[key] = device
        if len(self._devices) > self._limit:
            gone = next((it for it, one in self._devices.items() if not one.heard_at and it != key), key)
            del self._devices[gone]
        return device
