"""Who is looking at which patient's vital signs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core.bus import Bus, Unsubscribe
from app.core.metrics import Metrics
from app.core.sinks import Sink
from app.modules.vitals.audience import Audience
from app.modules.vitals.encoding import encode_for_nodes
from app.modules.vitals.fanout import Fanout
from app.modules.vitals.frames import Shown
from app.modules.vitals.renditions import Choice
from app.modules.vitals.viewer import Viewer

#: Frames that wait for one viewer.
QUEUE_FRAMES = 100


class VitalsViewers:
    """An index of viewers by patient, fed by the bus while a patient has any.

    A frame is encoded once for the bus, by whoever publishes it, where somebody listens. On each node it is
    made once for each form in which somebody wants it, and everybody gets the same bytes, written straight
    to the connections.

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
        self._audiences: dict[str, Audience] = {}
        self._unsubscribe: dict[str, Unsubscribe] = {}

    def publish(self, patient_id: str, frame: Shown) -> None:
        """Hand a frame to every viewer of this patient, on every node; returns at once."""
        subject = _subject(patient_id)
        if self._bus.is_heard(subject):
            self._bus.publish(subject, encode_for_nodes(patient_id, frame))

    def are_there(self, patient_id: str) -> bool:
        """Whether this patient has any viewer, on any node."""
        return self._bus.is_heard(_subject(patient_id))

    @contextmanager
    def watching(
        self, patient_id: str, sink: Sink, on_stuck: Callable[[], None], choice: Choice | None = None
    ) -> Iterator[Viewer]:
        """A viewer that writes this patient's frames to the sink while the block lasts.

        Args:
            on_stuck: called when the connection has taken nothing for too long.
        """
        group = self._audience(patient_id).group(choice or Choice(), sink.framing)
        viewer = Viewer(sink, group, slow_consumer_seconds=self._slow_consumer_seconds, on_stuck=on_stuck)
        group.add(viewer)
        try:
            yield viewer
        finally:
            viewer.left()
            group.remove(viewer)
            self._forget_empty(patient_id)

    def count(self) -> int:
        """How many viewers there are on this node."""
        return sum(map(len, self._audiences.values()))

    def _audience(self, patient_id: str) -> Audience:
        audience = self._audiences.get(patient_id)
        if audience is None:
            audience = Audience(patient_id, self._metrics, queue_frames=self._queue_frames, on_due=self._fanout.add)
            self._audiences[patient_id] = audience
            self._unsubscribe[patient_id] = self._bus.subscribe(_subject(patient_id), audience.take)
        return audience

    def _forget_empty(self, patient_id: str) -> None:
        audience = self._audiences[patient_id]
        audience.forget_empty()
        if not len(audience):
            del self._audiences[patient_id]
            self._unsubscribe.pop(patient_id)()


def _subject(patient_id: str) -> str:
    return f"vitals.{patient_id}"
