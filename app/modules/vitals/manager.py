"""Who is looking at which patient's vital signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core.bus import Bus, Unsubscribe
from app.core.metrics import Metrics
from app.core.sinks import Sink
from app.modules.vitals.fanout import Fanout
from app.modules.vitals.shared_frame import SharedFrame
from app.modules.vitals.viewer import Viewer

#: Frames that wait for one viewer.
QUEUE_FRAMES = 100


class VitalsViewers:
    """An index of viewers by patient, fed by the bus while a patient has any.

    A frame is encoded once, by whoever publishes it, and framed once on each node; everybody gets the
    same bytes, written straight to the connections.

    Args:
        slow_consumer_seconds: a viewer that takes nothing for so long is given up.
    """

    def __init__(
        self, bus: Bus, metrics: Metrics, *, slow_consumer_seconds: float, queue_frames: int = QUEUE_FRAMES
    ) -> None:
        self._bus = bus
        self._metrics = metrics
        self._slow_consumer_seconds = slow_consumer_seconds
        self._queue_frames = queue_frames
        self._fanout = Fanout()
        self._viewers: dict[str, set[Viewer]] = {}
        self._unsubscribe: dict[str, Unsubscribe] = {}

    def publish(self, patient_id: str, frame: bytes) -> None:
        """Hand a frame to every viewer of this patient, on every node; returns at once."""
        self._bus.publish(_subject(patient_id), frame)

    @contextmanager
    def watching(self, patient_id: str, sink: Sink, on_stuck: Callable[[], None]) -> Iterator[Viewer]:
        """A viewer that writes this patient's frames to the sink while the block lasts.

        Args:
            on_stuck: called when the connection has taken nothing for too long.
        """
        viewer = Viewer(
            sink,
            self._metrics,
            queue_frames=self._queue_frames,
            slow_consumer_seconds=self._slow_consumer_seconds,
            on_due=self._fanout.add,
            on_stuck=on_stuck,
        )
        self._add(patient_id, viewer)
        try:
            yield viewer
        finally:
            self._remove(patient_id, viewer)
            viewer.left()

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
    shared = SharedFrame(frame)
    for viewer in viewers:
        viewer.put(shared)


def _subject(patient_id: str) -> str:
    return f"vitals.{patient_id}"
