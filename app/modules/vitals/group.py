"""Viewers of one patient who want to see the same, served side by side.

Most of them have been given everything there is. What such a one needs per frame is a call of its socket's
`send`, and nothing else of it is touched: to look at what waits for it, and to write down that it was given one
more, would cost as much again as Python needs for the call. So they stand in a *row*, and frames go along it.

For whom something waits, who is paused or has not been shown the first readings stands *beside*: each frame is left
with such a one by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from app.core.metrics import Metrics
from app.modules.vitals.fanout import Writer
from app.modules.vitals.frames import Shown
from app.modules.vitals.renditions import Rendition
from app.modules.vitals.shared_frame import SharedFrame, newest_of_each

if TYPE_CHECKING:
    from app.modules.vitals.viewer import Viewer

#: Writes between two looks at the time.
BATCH: Final = 16

#: Takes the place of the `send` of one who has left the row: it answers as a socket that takes everything.
_NOBODY: Final[Callable[[bytes], int]] = len

#: The row is closed up when more places than this, and more than half of it, are empty.
_FEW: Final = 16


class Group:
    """A row of those who are up to date, those beside it, and the one rendition that is made for all of them.

    Args:
        rendition: where their frames come from.
        queue_frames: that wait at once for one of them.
        on_due: called with whoever has something to write from now on.
    """

    __slots__ = ("_at", "_beside", "_empty", "_given", "_is_scheduled", "_pending", "_row", "_sends", "_timer",
                 "metrics", "on_due", "queue_frames", "rendition")  # fmt: skip

    def __init__(
        self,
        rendition: Rendition,
        metrics: Metrics,
        *,
        queue_frames: int,
        on_due: Callable[[Writer], None],
    ) -> None:
        self.rendition = rendition
        self.metrics = metrics
        self.on_due = on_due
        self.queue_frames = queue_frames
        self._timer: asyncio.TimerHandle | None = None
        self._beside: dict[Viewer, None] = {}
        # In the order in which they came, which is about the order in which they, and what the kernel keeps for
        # their sockets, lie in memory.
        self._row: list[Viewer | None] = []
        self._sends: list[Callable[[bytes], int]] = []
        self._empty = 0
        # How many frames the whole row has been given, those that somebody in it has not been given, and the place
        # of who is given the first of these next.
        self._given = 0
        self._pending: deque[SharedFrame] = deque()
        self._at = 0
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._row) - self._empty + len(self._beside)

    def add(self, viewer: Viewer) -> None:
        """Show the viewer what comes from now on."""
        self._beside[viewer] = None

    def remove(self, viewer: Viewer) -> None:
        """Show the viewer nothing more."""
        self.step_aside(viewer)
        del self._beside[viewer]

    def take(self, frame: Shown, now: float) -> None:
        """Show everybody a frame, when it is time for it."""
        shown = self.rendition.take(frame, now)
        if shown is None:
            self._wake_when_due()
        else:
            self._put(shown)

    def stop(self) -> None:
        """Nobody is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def given_to(self, place: int) -> int:
        """How many of all frames that went along the row this place has been given."""
        return self._given + (place < self._at)

    def step_aside(self, viewer: Viewer) -> None:
        """Let a viewer stand beside, where all that it has not been given waits for it."""
        if viewer.place is not None:
            missing = islice(self._pending, viewer.place < self._at, None)
            self._take_out(viewer, viewer.place, self.given_to(viewer.place))
            viewer.take_over(missing)
            self._close_up()

    def write_next(self) -> bool:
        """Give the next in the row the first frame that is pending; answers whether there is more to give."""
        if self._pending:
            self._write_batch()
            self._close_up()
        self._is_scheduled = bool(self._pending)
        return self._is_scheduled

    def _write_batch(self) -> None:
        data, start = self._pending[0].data, self._at
        size = len(data)
        sends = self._sends[start : start + BATCH]
        failed: list[tuple[int, int | Exception]] = []
        # This loop is what a viewer costs: one call of the kernel, and next to nothing else.
        for place, send in enumerate(sends, start):
            try:
                if (taken := send(data)) != size:
                    failed.append((place, taken))
            except BlockingIOError:
                failed.append((place, 0))
            except Exception as error:
                failed.append((place, error))
        for place, outcome in failed:
            self._recover(place, outcome, data)
        self._at += len(sends)
        if self._at >= len(self._sends):
            self._at = 0
            self._given += 1
            self._pending.popleft()

    def _recover(self, place: int, outcome: int | Exception, data: bytes) -> None:
        """Go on by itself with one whose connection did not take everything.

        Args:
            outcome: how much it took, or why it took nothing and never will.
        """
        viewer = self._row[place]
        assert viewer is not None
        if isinstance(outcome, Exception):
            self._take_out(viewer, place, self._given)
            viewer.fail(outcome)
        else:
            self._take_out(viewer, place, self._given + 1)
            viewer.write(data[outcome:])
            viewer.take_over(islice(self._pending, 1, None))

    def _put(self, frame: SharedFrame) -> None:
        self._let_in()
        for viewer in self._beside:
            viewer.put(frame)
        if len(self._row) > self._empty:
            self._pending.append(frame)
            if len(self._pending) > self.queue_frames:
                self._disband()
            elif not self._is_scheduled:
                self._is_scheduled = True
                self.on_due(self)

    def _let_in(self) -> None:
        """Let those come into the row who have been given as much as everybody in it."""
        if self._pending:
            return
        for viewer in [viewer for viewer in self._beside if viewer.is_up_to_date]:
            del self._beside[viewer]
            viewer.place, viewer.entered_at = len(self._row), self._given
            self._row.append(viewer)
            self._sends.append(viewer.sink.send)

    def _disband(self) -> None:
        """There is too little time for all frames: let each viewer go on by itself, from the newest on."""
        pending = tuple(self._pending)
        for was_given, missing in ((True, pending[1:]), (False, pending)):
            kept = newest_of_each(missing, self.queue_frames)
            for viewer in self._row[: self._at] if was_given else self._row[self._at :]:
                if viewer is not None and viewer.place is not None:
                    self._take_out(viewer, viewer.place, self._given + was_given)
                    viewer.take_over(kept, skipped=len(missing) - len(kept))
        self._close_up()

    def _take_out(self, viewer: Viewer, place: int, given: int) -> None:
        self._row[place], self._sends[place] = None, _NOBODY
        self._empty += 1
        self._beside[viewer] = None
        viewer.leave_row(given)

    def _close_up(self) -> None:
        """Close the gaps when there are many, but not while a frame is on its way along the row."""
        if self._empty == len(self._row):
            self._pending.clear()
            self._at = 0
        elif self._pending or self._empty <= _FEW or 2 * self._empty <= len(self._row):
            return
        remaining = [viewer for viewer in self._row if viewer is not None]
        self._row, self._empty = [*remaining], 0
        self._sends = [viewer.sink.send for viewer in remaining]
        for place, viewer in enumerate(remaining):
            viewer.place = place

    def _wake_when_due(self) -> None:
        """See to it that a numeric which came too soon is shown in its time, also if none comes after it."""
        due_at = self.rendition.due_at()
        if due_at is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(due_at, self._show_due)

    def _show_due(self) -> None:
        self._timer = None
        for shown in self.rendition.take_due(asyncio.get_running_loop().time()):
            self._put(shown)
        self._wake_when_due()
