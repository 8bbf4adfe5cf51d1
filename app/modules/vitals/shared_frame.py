"""PURE: one message for many viewers, and which of several stay where there is no room for all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from app.modules.vitals.frames import Shown, Waveform

#: Frames with the same key follow one another: a later one makes an earlier one old.
Key = tuple[str, tuple[str | None, ...]]


class SharedFrame:
    """A frame as everybody gets it who wants to see the same.

    Attributes:
        data: the very same bytes for everybody, as they are written.
        key: what it is a frame of.
        at: when it was made, in seconds of the event loop.
    """

    __slots__ = ("at", "data", "is_waveform", "key", "moment")

    def __init__(self, data: bytes, frame: Shown, at: float) -> None:
        self.is_waveform = isinstance(frame, Waveform)
        self.key: Key = (frame.type, frame.leads if isinstance(frame, Waveform) else ())
        self.moment = frame.moment
        self.at = at
        self.data = data

    def is_news(self, newest: Mapping[str, datetime]) -> bool:
        """Whether a viewer who knows these newest times of each type learns something from it."""
        known = newest.get(self.key[0])
        return known is None or self.moment > known


def newest_of_each(frames: Collection[SharedFrame], most: int) -> list[SharedFrame]:
    """The newest frame of each kind, in their order, and of these at most so many: curves make room for numerics."""
    newest = {frame.key: frame for frame in frames}
    kept = [frame for frame in frames if newest[frame.key] is frame]
    too_many = len(kept) - most
    if too_many <= 0:
        return kept
    room_makers = {frame.key for frame in [it for it in kept if it.is_waveform][:too_many]}
    return [frame for frame in kept if frame.key not in room_makers]
