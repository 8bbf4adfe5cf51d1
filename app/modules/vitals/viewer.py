"""One reader of live vital signs, and what waits for it.

For live vital signs fresh beats complete: a viewer that cannot keep up skips to the newest frame of each
curve and of each numeric, and is told how many it has missed. What must not be lost is in the table, and
alerts have a log of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import structlog

from app.core.sinks import Sink
from app.modules.vitals.group import Group
from app.modules.vitals.patience import Patience
from app.modules.vitals.shared_frame import SharedFrame, newest_of_each

#: A connection that takes nothing gets no frame that has waited longer for it.
LATE_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Viewer:
    """Owns a sink: gives it the frames in order while it takes them, and keeps the newest of each while it does not.

    Frames gather from the beginning, and are written from `show` on; after `end` none is.

    Args:
        on_stuck: called once, when the connection has taken nothing for `slow_consumer_seconds`.

    Attributes:
        group: those who see the same.
        place: where it stands in the row of its group, which writes to its sink then; None beside it.
        entered_at: how many frames the row had been given when it came in.
        dropped: frames that it has skipped because it could not keep up.
    """

    __slots__ = (
        "_is_open",
        "_is_scheduled",
        "_is_shown",
        "_patience",
        "_sent",
        "_skipped",
        "_waiting",
        "dropped",
        "entered_at",
        "group",
        "place",
        "sink",
    )

    def __init__(self, sink: Sink, group: Group, *, slow_consumer_seconds: float, on_stuck: Callable[[], None]) -> None:
        self.sink = sink
        self.group = group
        self.place: int | None = None
        self.entered_at = 0
        self.dropped = self._sent = self._skipped = 0
        self._waiting: deque[SharedFrame] = deque()
        self._patience = Patience(sink, slow_consumer_seconds, on_stuck)
        self._is_open = True
        self._is_shown = self._is_scheduled = False
        sink.owner = self
        if sink.is_paused:
            self.pause()

    @property
    def sent(self) -> int:
        """How many frames its connection was given."""
        in_row = 0 if self.place is None else self.group.given_to(self.place) - self.entered_at
        return self._sent + in_row

    @property
    def is_due(self) -> bool:
        """Whether a frame waits that may be written."""
        return bool(self._waiting) and self._may_be_written_to

    @property
    def is_up_to_date(self) -> bool:
        """Whether the next frame may be written, and none waits before it."""
        return not self._waiting and self._may_be_written_to

    @property
    def _may_be_written_to(self) -> bool:
        return self._is_shown and self._is_open and not self.sink.is_paused

    def put(self, frame: SharedFrame) -> None:
        """Leave a frame for the viewer; never waits."""
        if not self._is_open:
            return
        self._waiting.append(frame)
        if len(self._waiting) > self.group.queue_frames or (self.sink.is_paused and self._is_late):
            kept = newest_of_each(self._waiting, self.group.queue_frames)
            self._skip(len(self._waiting) - len(kept))
            self._waiting = deque(kept)
        self._become_due()

    def show(self, first: Iterable[SharedFrame], is_news: Callable[[SharedFrame], bool]) -> None:
        """Give it these frames, then those that have gathered and are news after them, then what comes."""
        if self._is_open:
            for frame in first:
                self.write(frame.data)
                self._sent += 1
            self._waiting = deque(filter(is_news, self._waiting))
            self._is_shown = True
            self._become_due()

    def write_next(self) -> bool:
        """Write the oldest frame that waits, if it may be written; answers whether there is another one."""
        if self._skipped and self.is_due:
            self.write(self.group.rendition.skipped(self._skipped))
            self._skipped = 0
        if self.is_due:
            self.write(self._waiting.popleft().data)
            self._sent += 1
        self._is_scheduled = self.is_due
        return self._is_scheduled

    def write(self, chunk: bytes) -> None:
        """Give the connection a chunk; what it does not take at once waits there."""
        try:
            taken = 0
            if not self.sink.is_paused:
                with suppress(BlockingIOError):
                    taken = self.sink.send(chunk)
            if taken != len(chunk):
                self.sink.write(chunk[taken:])
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Its connection is broken, and nobody can be told anything on it any more: it alone is let go of."""
        if not isinstance(error, OSError):
            _log.error("vitals.delivery_failed", exc_info=error)
        self.sink.abort()
        self.left()

    @property
    def _is_late(self) -> bool:
        """Whether what waits has waited too long to be shown before what is new."""
        return self._is_shown and self._waiting[-1].at - self._waiting[0].at > LATE_SECONDS

    def _skip(self, frames: int) -> None:
        self._skipped += frames
        self.dropped += frames
        self.group.metrics.viewer_frames_dropped.inc(frames)

    def end(self) -> None:
        """Its right is over: from now on no frame goes out."""
        if self._is_open:
            self.left()
            self.sink.end()

    # What its group tells it.

    def leave_row(self, given: int) -> None:
        """It stands beside the row from now on, and has been given so many of its frames."""
        self.place = None
        self._sent += given - self.entered_at

    def take_over(self, frames: Iterable[SharedFrame], *, skipped: int = 0) -> None:
        """Go on by itself with these frames, after so many that it is not given."""
        if self._is_open:
            self._skip(skipped)
            self._waiting.extend(frames)
            self._become_due()

    # What the sink calls.

    def pause(self) -> None:
        """The connection takes nothing for now."""
        self._patience.begin()
        self.group.step_aside(self)

    def resume(self) -> None:
        """The connection takes bytes again."""
        self._patience.stop()
        self._become_due()

    def left(self) -> None:
        """The connection is gone, or is no longer ours."""
        self._is_open = False
        self.sink.owner = None
        self._patience.stop()
        self._waiting.clear()
        self.group.step_aside(self)

    def _become_due(self) -> None:
        if not self._is_scheduled and self.is_due:
            self._is_scheduled = True
            self.group.on_due(self)
