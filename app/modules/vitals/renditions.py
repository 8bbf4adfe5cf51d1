"""PURE: how a viewer wants to see vital signs, and the frames made for all who want the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.modules.vitals.decimation import Decimator
from app.modules.vitals.encoding import encode_json, encode_msgpack, encode_skipped_json, encode_skipped_msgpack
from app.modules.vitals.frames import Beats, Reading, Shown, Waveform
from app.modules.vitals.shared_frame import SharedFrame


class Format(StrEnum):
    """What a viewer reads: JSON in text messages, or MessagePack in binary ones."""

    JSON = "json"
    BINARY = "binary"


_ENCODE: Final[dict[Format, Callable[[str, Shown], bytes]]] = {
    Format.JSON: encode_json,
    Format.BINARY: encode_msgpack,
}
_ENCODE_SKIPPED: Final = {Format.JSON: encode_skipped_json, Format.BINARY: encode_skipped_msgpack}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a viewer has asked for.

    Attributes:
        most_hz: samples of each lead, and numerics of each type, in a second; None for all of them.
        has_beats: whether it is told of heart beats, which it gets at any rate.
    """

    format: Format = Format.JSON
    most_hz: float | None = None
    has_beats: bool = False


@dataclass(slots=True)
class _Pace:
    """When a numeric was last shown, and the one that waits for its time."""

    shown_at: float
    waiting: Reading | None = None


class Rendition:
    """One patient's vital signs, made once for all viewers with the same choice.

    Times are in seconds of any clock that never goes back.

    Args:
        framing: makes the bytes of a message into those that are written.
    """

    def __init__(self, patient_id: str, choice: Choice, framing: Callable[[bytes], bytes]) -> None:
        self._patient_id = patient_id
        self._framing = framing
        self._encode = _ENCODE[choice.format]
        self._encode_skipped = _ENCODE_SKIPPED[choice.format]
        self._decimator = None if choice.most_hz is None else Decimator(choice.most_hz)
        self._seconds_apart = 0.0 if choice.most_hz is None else 1 / choice.most_hz
        self._paces: dict[str, _Pace] = {}
        self._has_beats = choice.has_beats

    def take(self, frame: Shown, now: float) -> SharedFrame | None:
        """What is to be shown of a frame now, if anything is."""
        if isinstance(frame, Waveform):
            fewer = frame if self._decimator is None else self._decimator.take(frame)
            return None if fewer is None else self.show(fewer, now)
        if isinstance(frame, Beats):
            return self.show(frame, now) if self._has_beats else None
        return self.show(frame, now) if self._is_time_for(frame, now) else None

    def due_at(self) -> float | None:
        """When the next of those numerics may be shown that came too soon, if there are any."""
        waiting = [pace.shown_at for pace in self._paces.values() if pace.waiting is not None]
        return min(waiting) + self._seconds_apart if waiting else None

    def take_due(self, now: float) -> Iterator[SharedFrame]:
        """Those numerics that came too soon, and may be shown now."""
        for pace in self._paces.values():
            if pace.waiting is not None and now >= pace.shown_at + self._seconds_apart:
                yield self.show(pace.waiting, now)
                pace.shown_at, pace.waiting = now, None

    def show(self, frame: Shown, now: float) -> SharedFrame:
        """The frame as all these viewers get it."""
        return SharedFrame(self._framing(self._encode(self._patient_id, frame)), frame, now)

    def skipped(self, frames: int) -> bytes:
        """What a viewer is told that has missed so many frames."""
        return self._framing(self._encode_skipped(frames))

    def _is_time_for(self, reading: Reading, now: float) -> bool:
        """Whether a numeric may be shown now; otherwise it waits, in place of an older one."""
        if not self._seconds_apart:
            return True
        pace = self._paces.get(reading.type)
        if pace is None or now >= pace.shown_at + self._seconds_apart:
            self._paces[reading.type] = _Pace(now)
            return True
        if pace.waiting is None or reading.measured_at >= pace.waiting.measured_at:
            pace.waiting = reading
        return False
