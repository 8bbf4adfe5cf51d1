"""PURE: waveform frames that follow each other, kept with their bytes as they came."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.modules.strips.strip import BYTES_PER_SAMPLE, Segment

#: Frames whose times are off by less than this, and by less than half their length, follow each other. It is half a
#: small box on paper: devices that stamp by software do no better, and clocks drift. A shorter gap is not seen.
SLACK_SECONDS: Final = 0.02

#: Frames share a chunk up to this length, so that the oldest can go in one piece.
CHUNK_SECONDS: Final = 5.0

#: What a chunk takes besides its frames, in bytes: the sum of `sys.getsizeof` of its parts, rounded up.
CHUNK_BYTES: Final = 800

_BYTES_PER_LENGTH: Final = 4

#: Frames are put together up to about this size, and each further piece takes so much besides, in bytes.
LEAST_PIECE_BYTES: Final = 512
PIECE_BYTES: Final = 48


class Shape(NamedTuple):
    """What frames must have in common to share a chunk; scales and offsets have one number per lead."""

    sample_rate_hz: float
    unit: str
    scales: tuple[float, ...]
    offsets: tuple[float, ...]


class Chunk:
    """One frame, and those that have followed it.

    Attributes:
        started_at, start: when the first sample was taken, by the device's clock; `start` in seconds since 1970.
        end: when the next sample would be taken.
        delay: of its frames, the shortest time in seconds from the end of the last sample to its coming here. It
            is how far the device's clock is behind ours, and the shortest way that a frame has found.
        heard_at: when its newest frame came, by our clock, in seconds since 1970.
        size: what it takes in memory, in bytes, about.
    """

    __slots__ = ("_count", "_lengths", "_pieces", "delay", "end", "heard_at", "shape", "size", "start", "started_at")

    def __init__(
        self, started_at: datetime, start: float, shape: Shape, data: bytes, length: int, delay: float, now: float
    ) -> None:
        self.started_at = started_at
        self.start = start
        self.shape = shape
        self._pieces = [data]
        self._lengths = array("I", [length])
        self._count = length
        self.end = start + length / shape.sample_rate_hz
        self.delay = delay
        self.heard_at = now
        self.size = len(data) + _BYTES_PER_LENGTH + CHUNK_BYTES

    @property
    def slack(self) -> float:
        """How far a frame's time may be off, and the frame still be the next one."""
        return min(SLACK_SECONDS, min(self._lengths) / self.shape.sample_rate_hz / 2)

    def add(self, frames: Sequence[bytes], lengths: Sequence[int], delay: float, now: float) -> int:
        """Take in the frames that follow, and say by how much this has grown, in bytes."""
        pieces, data = self._pieces, b"".join(frames)
        grown = len(data) + _BYTES_PER_LENGTH * len(lengths)
        # One buffer that grows would be copied as a whole nearly each time: that was a fifth of what receiving costs.
        if len(pieces[-1]) < LEAST_PIECE_BYTES:
            pieces[-1] += data
        else:
            pieces.append(data)
            grown += PIECE_BYTES
        self._lengths.extend(lengths)
        self._count += sum(lengths)
        self.end = self.start + self._count / self.shape.sample_rate_hz
        self.heard_at = now
        if delay < self.delay:
            self.delay = delay
        self.size += grown
        return grown

    def covers(self, frame: Chunk) -> bool:
        """Whether it has samples of all this time, the same or others."""
        half_sample = 0.5 / frame.shape.sample_rate_hz
        return frame.start >= self.start - half_sample and frame.end <= self.end + half_sample

    def repeats(self, frame: Chunk) -> bool:
        """Whether it has the very samples of a chunk of one frame, at the same time."""
        first = max(0, round((frame.start - self.start) * self.shape.sample_rate_hz))
        leads = range(len(self.shape.scales))
        return b"".join(self._of_lead(lead, first, first + frame._count) for lead in leads) == b"".join(frame._pieces)

    def segments(self, delay: float) -> list[Segment]:
        """All of it, lead by lead; the device's clock is `delay` seconds behind ours."""
        started_at = self.started_at + timedelta(seconds=delay)
        rate = self.shape.sample_rate_hz
        grids = zip(self.shape.scales, self.shape.offsets, strict=True)
        return [
            Segment(started_at, self.started_at, rate, scale, offset, self._of_lead(lead, 0, self._count))
            for lead, (scale, offset) in enumerate(grids)
        ]

    def _of_lead(self, lead: int, first: int, stop: int) -> bytes:
        """The counts of one lead from sample `first` up to, but not with, sample `stop`."""
        leads, data = len(self.shape.scales), b"".join(self._pieces)
        if leads == 1:
            return data[first * BYTES_PER_SAMPLE : stop * BYTES_PER_SAMPLE]
        pieces = []
        before = 0
        for length in self._lengths:
            if before >= stop:
                break
            if before + length > first:
                at = leads * before + lead * length
                begin, end = at + max(first - before, 0), at + min(stop - before, length)
                pieces.append(data[begin * BYTES_PER_SAMPLE : end * BYTES_PER_SAMPLE])
            before += length
        return b"".join(pieces)
