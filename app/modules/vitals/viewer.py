"""One reader of live vital signs, and what waits for it.

For live vital signs fresh beats complete: a viewer that cannot keep up loses the oldest frames. What
must not be lost is in the table, and alerts have a log of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from app.core.metrics import Metrics
from app.core.sinks import Sink
from app.modules.vitals.patience import Patience
from app.modules.vitals.shared_frame import SharedFrame


class Viewer:
    """Owns a sink: gives it the frames in order while it takes them, and keeps the newest while it does not.

    Frames gather from the beginning, and are written from `show` on; after `end` none is.

    Args:
        on_due: called when frames wait that may be written; `write_next` is to be called then.
        on_stuck: called once, when the connection has taken nothing for `slow_consumer_seconds`.

    Attributes:
        dropped: frames that it has lost because it could not keep up.
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
        "_send",
        "_waiting",
        "dropped",
        "sent",
        "sink",
    )

    def __init__(
        self,
        sink: Sink,
        metrics: Metrics,
        *,
        queue_frames: int,
        slow_consumer_seconds: float,
        on_due: Callable[[Viewer], None],
        on_stuck: Callable[[], None],
    ) -> None:
        self.sink = sink
        self.dropped = self.sent = 0
        self._metrics = metrics
        self._framing, self._send = sink.framing, sink.send
        self._on_due = on_due
        self._waiting: deque[SharedFrame] = deque(maxlen=queue_frames)
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
        """Leave a frame for the viewer, in place of the oldest one where there is no room; never waits."""
        if not self._is_open:
            return
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
            self._metrics.viewer_frames_dropped.inc()
        self._waiting.append(frame)
        if not self._is_scheduled:
            self._become_due()

    def show(self, first: Iterable[bytes], is_news: Callable[[bytes], bool]) -> None:
        """Give it these frames, then those that have gathered and are news after them, then what comes."""
        if self._is_open:
            for text in first:
                self.sink.write(self._framing(text))
                self.sent += 1
            news = (frame for frame in self._waiting if is_news(frame.text))
            self._waiting = deque(news, maxlen=self._waiting.maxlen)
            self._is_shown = True
            self._become_due()

    def write_next(self) -> bool:
        """Write the oldest frame that waits, if it may be written; answers whether there is another one.

        Raises:
            OSError: the connection is broken.
        """
        if self.is_due:
            frame = self._waiting.popleft().to_write(self._framing)
            self.sent += 1
            try:
                taken = self._send(frame)
            except BlockingIOError:
                taken = 0
            if taken != len(frame):
                self.sink.write(frame[taken:])
        self._is_scheduled = self.is_due
        return self._is_scheduled

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
