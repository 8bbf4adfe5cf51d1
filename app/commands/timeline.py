"""PURE: when each moment of a recording is due, and when the server is told that it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

#: Who is behind by more than this does not catch up in a burst: the recording moves on from here.
LATEST_SECONDS: Final = 1.0


class Timeline:
    """Plays a stretch of a recording at a speed.

    Waveforms keep their own time, in which a second is a second whatever the speed. At real time, what was
    recorded at the beginning is taken now. Faster, the recording is laid into the past, so that it ends when
    the replay does: nothing is ever ahead of the clock, and all frames of a curve abut.

    Args:
        first_seconds: where the stretch begins, in seconds from the beginning of the recording.
        last_seconds: where it ends.
        speed: how many seconds of the recording pass in one of ours; may be infinite.
        started: what a clock that only runs shows at the start, in seconds.
        today: what the time of day is at the start.
    """

    def __init__(
        self, first_seconds: float, last_seconds: float, *, speed: float, started: float, today: datetime
    ) -> None:
        length = last_seconds - first_seconds
        self._first_seconds = first_seconds
        self._speed = speed
        self._started = started
        self._first_taken_at = today - timedelta(seconds=max(0.0, length - length / speed))

    def due(self, offset_seconds: float, now: float) -> float:
        """When this moment of the recording is to be sent, on the clock that only runs.

        What is very late moves everything after it: at real time and slower also the times of the samples, so
        that they stay what the clock shows, and viewers see a gap where the server was away.
        """
        due = self._started + (offset_seconds - self._first_seconds) / self._speed
        behind = now - due
        if behind > LATEST_SECONDS:
            self._started += behind
            if self._speed <= 1:
                self._first_taken_at += timedelta(seconds=behind)
            return now
        return due

    def taken_at(self, offset_seconds: float) -> datetime:
        """What the server is told of when a sample at this moment of the recording was taken."""
        return self._first_taken_at + timedelta(seconds=offset_seconds - self._first_seconds)
