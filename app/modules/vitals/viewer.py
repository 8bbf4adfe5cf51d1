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

from app.core.metrics import Metrics
from app.core.sinks import Sink
from app.modules.vitals.patience import Patience
from app.modules.vitals.renditions import Choice, Rendition
from app.modules.vitals.shared_frame import SharedFrame

#: A connection that takes nothing gets no frame that has waited longer for it.
LATE_SECONDS: Final = 0.5


class Viewer:
    """Owns a sink: gives it the frames in order while it takes them, and keeps the newest of each while it does not.

    Frames gather from the beginning, and are written from `show` on; after `end` none is.

    Args:
        on_due: called when frames wait that may be written; `write_next` is to be called then.
        on_stuck: called once, when the connection has taken nothing for `slow_consumer_seconds`.

    Attributes:
        rendition: where its frames come from.
        dropped: frames that it has skipped because it could not keep up.
        sent: frames that its connection was given.
    """

    __slots__ = (
        "_framing",
        "_is_open",
        "_is_scheduled",
        "_is_shown",
        "_metrics",
        "_on_due",
        "_patience",
        "_queue_frames",
        "_send",
        "_skipped",
        "_waiting",
        "choice",
        "dropped",
        "rendition",
        "sent",
        "sink",
    )

    def __init__(
        self,
        sink: Sink,
        metrics: Metrics,
        choice: Choice,
        *,
        queue_frames: int,
        slow_consumer_seconds: float,
        on_due: Callable[[Viewer], None],
        on_stuck: Callable[[], None],
    ) -> None:
        self.sink = sink
        self.choice = choice
        self.rendition: Rendition | None = None
        self.dropped = self.sent = self._skipped = 0
        self._metrics = metrics
        self._framing, self._send = sink.framing, sink.send
        self._on_due = on_due
        self._queue_frames = queue_frames
        self._waiting: deque[SharedFrame] = deque()
        self._patience = Patience(sink, slow_consumer_seconds, on_stuck)
        self._is_open = True
        self._is_shown = self._is_scheduled = False
        sink.owner = self
        if sink.is_paused:
            self.pause()

    @property
    def is_due(self) -> bool:
        """Whether a frame waits that may be written."""
        return bool(self._waiting) and self._is_shown and self._is_open and not self.sink.is_paused

    def put(self, frame: SharedFrame) -> None:
        """Leave a frame for the viewer; never waits."""
        if not self._is_open:
            return
        self._waiting.append(frame)
        if len(self._waiting) > self._queue_frames or (self.sink.is_paused and self._is_late):
            self._skip()
        if not self._is_scheduled:
            self._become_due()

    def show(self, first: Iterable[SharedFrame], is_news: Callable[[SharedFrame], bool]) -> None:
        """Give it these frames, then those that have gathered and are news after them, then what comes."""
        if self._is_open:
            for frame in first:
                self._write(frame.to_write(self._framing))
                self.sent += 1
            self._waiting = deque(filter(is_news, self._waiting))
            self._is_shown = True
            self._become_due()

    def write_next(self) -> bool:
        """Write the oldest frame that waits, if it may be written; answers whether there is another one.

        Raises:
            OSError: the connection is broken.
        """
        if self.is_due:
            if self._skipped:
                self._write(self._framing(self.choice.encode_skipped(self._skipped)))
                self._skipped = 0
            self._write(self._waiting.popleft().to_write(self._framing))
            self.sent += 1
        self._is_scheduled = self.is_due
        return self._is_scheduled

    @property
    def _is_late(self) -> bool:
        """Whether what waits has waited too long to be shown before what is new."""
        return self._is_shown and self._waiting[-1].at - self._waiting[0].at > LATE_SECONDS

    def _skip(self) -> None:
        """Keep the newest frame of each kind, and of these no more than may wait: curves make room for numerics."""
        newest = {frame.key: frame for frame in self._waiting}
        kept = [frame for frame in self._waiting if newest[frame.key] is frame]
        too_many = len(kept) - self._queue_frames
        if too_many > 0:
            room_makers = {frame.key for frame in [it for it in kept if it.is_waveform][:too_many]}
            kept = [frame for frame in kept if frame.key not in room_makers]
        skipped = len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._skipped += skipped
        self.dropped += skipped
        self._metrics.viewer_frames_dropped.inc(skipped)

    def _write(self, chunk: bytes) -> None:
        """Give the connection a chunk; what it does not take at once waits there."""
        taken = 0
        if not self.sink.is_paused:
            with suppress(BlockingIOError):
                taken = self._send(chunk)
        if taken != len(chunk):
            self.sink.write(chunk[taken:])

    def break_off(self) -> None:
        """The connection is broken: nobody can be told anything on it any more."""
        self.sink.abort()
        self.left()

    def end(self) -> None:
        """Its right is over: from now on no frame goes out."""
        if self._is_open:
            self.left()
            self.sink.end()

    # What the sink calls.

    def pause(self) -> None:
        """The connection takes nothing for now."""
        self._patience.begin()

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

    def _become_due(self) -> None:
        if not self._is_scheduled and self.is_due:
            self._is_scheduled = True
            self._on_due(self)
