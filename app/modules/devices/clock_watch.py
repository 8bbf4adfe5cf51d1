"""PURE: whether a device's clock is right, from what it shows when the device's frames come."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

#: A clock that is off by more than this is alarmed; one that is within `RIGHT_SECONDS` again is not.
OFF_SECONDS: Final = 60.0
RIGHT_SECONDS: Final = 55.0

#: For so long no frame may have shown another time, and so many frames at least.
STEADY_SECONDS: Final = 30.0
FEWEST_FRAMES: Final = 3

#: Frames that come ever less late are a device that catches up, and no clock that is wrong.
CATCHING_UP_SECONDS: Final = 5.0


class ClockState(Enum):
    UNKNOWN = "unknown"
    RIGHT = "right"
    OFF = "off"


class ClockWatch:
    """Judges one device's clock by how far its frames' times are from ours when they come.

    On the way a frame can only get later: of some frames, the one that is least behind says most about the
    clock. What was kept back while the connection was lost comes in a burst, and is followed by fresh frames,
    so that a clock counts as behind only when the freshest frame of half a minute is more than a minute
    behind, and they are not getting fresher. As soon as one is fresh, the clock is right.

    Attributes:
        state: unknown until a frame came with about our time, or `OFF_SECONDS` were shown for long enough.
        off_by_seconds: how far the clock is behind ours (ahead, where it is negative) at least, to a minute; 0
            unless it is off.
    """

    __slots__ = ("_suspicious", "off_by_seconds", "state")

    def __init__(self) -> None:
        self.state = ClockState.UNKNOWN
        self.off_by_seconds = 0.0
        self._suspicious: deque[tuple[float, float]] = deque()

    def observe(self, behind_seconds: float, at_seconds: float) -> bool:
        """Take note of a frame; true when the state is another now, or what the clock is off by.

        Args:
            behind_seconds: our time when it came, less the time that it shows.
            at_seconds: when it came, on any clock that does not jump back; times never fall.
        """
        before = self.state, self.off_by_seconds
        if abs(behind_seconds) <= RIGHT_SECONDS:
            self._suspicious.clear()
            self.state, self.off_by_seconds = ClockState.RIGHT, 0.0
        elif abs(behind_seconds) <= OFF_SECONDS:
            self._suspicious.clear()
        else:
            self._suspect(behind_seconds, at_seconds)
        return (self.state, self.off_by_seconds) != before

    def _suspect(self, behind_seconds: float, at_seconds: float) -> None:
        frames = self._suspicious
        if frames and (frames[0][1] > 0) is not (behind_seconds > 0):
            frames.clear()
        frames.append((at_seconds, behind_seconds))
        # One from before the half minute stays, so that together they span it.
        while len(frames) > FEWEST_FRAMES and frames[1][0] <= at_seconds - STEADY_SECONDS:
            frames.popleft()
        if len(frames) < FEWEST_FRAMES or at_seconds - frames[0][0] < STEADY_SECONDS or self._is_catching_up():
            return
        off_by_seconds = min((behind for _, behind in frames), key=abs)
        if self.state is not ClockState.OFF or abs(off_by_seconds - self.off_by_seconds) > OFF_SECONDS:
            self.state, self.off_by_seconds = ClockState.OFF, off_by_seconds
        frames.clear()

    def _is_catching_up(self) -> bool:
        middle = (self._suspicious[0][0] + self._suspicious[-1][0]) / 2
        earlier = min(behind for at, behind in self._suspicious if at <= middle)
        later = min(behind for at, behind in self._suspicious if at > middle)
        return later < earlier - CATCHING_UP_SECONDS
