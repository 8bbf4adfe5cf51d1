"""PURE: one message for many viewers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from app.modules.vitals.frames import Shown, Waveform

#: Frames with the same key follow one another: a later one makes an earlier one old.
Key = tuple[str, tuple[str | None, ...]]


class SharedFrame:
    """A frame whose bytes are made once for each framing with which somebody is sent it.

    Attributes:
        key: what it is a frame of.
        at: when it was made, in seconds of the event loop.
    """

    __slots__ = ("_framed", "_payload", "at", "is_waveform", "key", "moment")

    def __init__(self, payload: bytes, frame: Shown, at: float) -> None:
        self.is_waveform = isinstance(frame, Waveform)
        self.key: Key = (frame.type, frame.leads if isinstance(frame, Waveform) else ())
        self.moment = frame.moment
        self.at = at
        self._payload = payload
        self._framed: dict[Callable[[bytes], bytes], bytes] = {}

    def is_news(self, newest: Mapping[str, datetime]) -> bool:
        """Whether a viewer who knows these newest times of each type learns something from it."""
        known = newest.get(self.key[0])
        return known is None or self.moment > known

    def to_write(self, framing: Callable[[bytes], bytes]) -> bytes:
        """The very same bytes for everybody with this framing."""
        framed = self._framed.get(framing)
        if framed is None:
            framed = self._framed[framing] = framing(self._payload)
        return framed
