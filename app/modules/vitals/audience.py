"""The viewers of one patient on this node, in groups that see the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.core.metrics import Metrics
from app.core.sinks import Framing
from app.modules.vitals.decoding import decode_from_node
from app.modules.vitals.fanout import Writer
from app.modules.vitals.group import Group
from app.modules.vitals.renditions import Choice, Rendition


class Audience:
    """Whoever watches one patient.

    Args:
        queue_frames: that wait at once for one viewer.
        on_due: called with whoever has something to write from now on.
    """

    def __init__(
        self, patient_id: str, metrics: Metrics, *, queue_frames: int, on_due: Callable[[Writer], None]
    ) -> None:
        self._patient_id = patient_id
        self._metrics = metrics
        self._queue_frames = queue_frames
        self._on_due = on_due
        self._groups: dict[tuple[Choice, Framing], Group] = {}

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def group(self, choice: Choice, framing: Framing) -> Group:
        """Those who see the same, over the same kind of connection."""
        group = self._groups.get((choice, framing))
        if group is None:
            rendition = Rendition(self._patient_id, choice, framing)
            group = Group(rendition, self._metrics, queue_frames=self._queue_frames, on_due=self._on_due)
            self._groups[choice, framing] = group
        return group

    def forget_empty(self) -> None:
        """Make nothing any more for those of whom the last one has left."""
        for key in [key for key, group in self._groups.items() if not len(group)]:
            self._groups.pop(key).stop()

    def take(self, message: bytes) -> None:
        """Show a frame of the bus to everybody, each in their form."""
        frame = decode_from_node(message)
        now = asyncio.get_running_loop().time()
        for group in self._groups.values():
            group.take(frame, now)
