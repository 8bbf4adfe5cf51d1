"""The viewers of one patient on this node, in groups that see the same."""

from __future__ import annotations

import asyncio

from app.modules.vitals.decoding import decode_from_node
from app.modules.vitals.renditions import Choice, Rendition
from app.modules.vitals.viewer import Viewer


class _Group:
    """Viewers with the same choice, and the one rendition that is made for them."""

    def __init__(self, patient_id: str, choice: Choice) -> None:
        self.viewers: set[Viewer] = set()
        self.rendition = Rendition(patient_id, choice)
        self.timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Audience:
    """Whoever watches one patient."""

    def __init__(self, patient_id: str) -> None:
        self._patient_id = patient_id
        self._groups: dict[Choice, _Group] = {}

    def __len__(self) -> int:
        return sum(len(group.viewers) for group in self._groups.values())

    def add(self, viewer: Viewer) -> None:
        """Show the viewer what comes from now on."""
        group = self._groups.get(viewer.choice)
        if group is None:
            group = self._groups[viewer.choice] = _Group(self._patient_id, viewer.choice)
        group.viewers.add(viewer)
        viewer.rendition = group.rendition

    def remove(self, viewer: Viewer) -> None:
        """Show the viewer nothing more."""
        group = self._groups[viewer.choice]
        group.viewers.discard(viewer)
        if not group.viewers:
            group.stop()
            del self._groups[viewer.choice]

    def take(self, message: bytes) -> None:
        """Show a frame of the bus to everybody, each in their form."""
        frame = decode_from_node(message)
        now = asyncio.get_running_loop().time()
        for group in self._groups.values():
            shown = group.rendition.take(frame, now)
            if shown is None:
                self._wake_when_due(group)
            else:
                for viewer in group.viewers:
                    viewer.put(shown)

    def _wake_when_due(self, group: _Group) -> None:
        """See to it that a numeric which came too soon is shown in its time, also if none comes after it."""
        due_at = group.rendition.due_at()
        if due_at is not None and group.timer is None:
            group.timer = asyncio.get_running_loop().call_at(due_at, self._show_due, group)

    def _show_due(self, group: _Group) -> None:
        group.timer = None
        for shown in group.rendition.take_due(asyncio.get_running_loop().time()):
            for viewer in group.viewers:
                viewer.put(shown)
        self._wake_when_due(group)
