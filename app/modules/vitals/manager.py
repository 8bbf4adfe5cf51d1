"""Who is looking at which patient's vital signs, and what is waiting for each of them.

For live vital signs fresh beats complete: a viewer that cannot keep up loses the oldest frames. What
must not be lost is in the table, and alerts have a log of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from app.core.bus import Bus, Unsubscribe
from app.core.metrics import Metrics

#: Frames that wait for one viewer.
QUEUE_FRAMES = 100


class Viewer:
    """One reader of one patient's frames, and the newest frames that it has not read yet."""

    def __init__(self, metrics: Metrics, *, queue_frames: int) -> None:
        self._metrics = metrics
        self._queue: deque[bytes] = deque(maxlen=queue_frames)
        self._arrived = anyio.Event()
        self.dropped = 0

    def put(self, frame: bytes) -> None:
        """Leave a frame for the viewer, in place of the oldest one where there is no room; never waits."""
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
            self._metrics.viewer_frames_dropped.inc()
        self._queue.append(frame)
        self._arrived.set()

    async def next(self) -> bytes:
        """The oldest frame that is left; waits for one where there is none."""
        while not self._queue:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._queue.popleft()

    def keep(self, is_wanted: Callable[[bytes], bool]) -> None:
        """Throw away the frames that wait and are not wanted."""
        self._queue = deque(filter(is_wanted, self._queue), maxlen=self._queue.maxlen)


class VitalsViewers:
    """An index of viewers by patient, fed by the bus while a patient has any.

    A frame is encoded once, by whoever publishes it; everybody gets the same bytes.
    """

    def __init__(self, bus: Bus, metrics: Metrics, *, queue_frames: int = QUEUE_FRAMES) -> None:
        self._bus = bus
        self._metrics = metrics
        self._queue_frames = queue_frames
        self._viewers: dict[str, set[Viewer]] = {}
        self._unsubscribe: dict[str, Unsubscribe] = {}

    def publish(self, patient_id: str, frame: bytes) -> None:
        """Hand a frame to every viewer of this patient, on every node; returns at once."""
        self._bus.publish(_subject(patient_id), frame)

    @contextmanager
    def watching(self, patient_id: str) -> Iterator[Viewer]:
        """A viewer that gets this patient's frames while the block lasts."""
        viewer = Viewer(self._metrics, queue_frames=self._queue_frames)
        self._add(patient_id, viewer)
        try:
            yield viewer
        finally:
            self._remove(patient_id, viewer)

    def count(self) -> int:
        """How many viewers there are on this node."""
        return sum(len(viewers) for viewers in self._viewers.values())

    def _add(self, patient_id: str, viewer: Viewer) -> None:
        viewers = self._viewers.setdefault(patient_id, set())
        viewers.add(viewer)
        if patient_id not in self._unsubscribe:
            self._unsubscribe[patient_id] = self._bus.subscribe(
                _subject(patient_id), lambda frame: _fan_out(viewers, frame)
            )

    def _remove(self, patient_id: str, viewer: Viewer) -> None:
        viewers = self._viewers[patient_id]
        viewers.discard(viewer)
        if not viewers:
            del self._viewers[patient_id]
            self._unsubscribe.pop(patient_id)()


def _fan_out(viewers: set[Viewer], frame: bytes) -> None:
    for viewer in viewers:
        viewer.put(frame)


def _subject(patient_id: str) -> str:
    return f"vitals.{patient_id}"
