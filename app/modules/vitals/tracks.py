"""What this process remembers of each patient whose vital signs come in."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from math import inf, nan

from app.modules.vitals.frames import DEVICE, Reading
from app.modules.vitals.observers import Received
from app.modules.vitals.signs import HEART_RATE

#: Patients remembered at once; beyond it, the one that was quiet the longest is forgotten.
MOST_PATIENTS = 10_000

#: Curves remembered of each patient, and of each so many frames: with 20 a second, those of the last 13 s.
MOST_CURVES = 64
MOST_WAVEFORMS = 256

#: A heart rate that the device has counted holds for so long: what is counted from its ECG is not needed then, and
#: two rates that differ must not take turns before the rules.
OWN_RATE_HOLDS = timedelta(seconds=10)

#: The type of a waveform, and its leads.
Curve = tuple[str, tuple[str | None, ...]]


class _Recent:
    """The times of the last frames of one curve, in a ring. Nearly all come in order, and are compared with one."""

    __slots__ = ("_at", "_newest", "_times")

    def __init__(self) -> None:
        self._newest = -inf
        self._times = array("d", [nan]) * MOST_WAVEFORMS
        self._at = 0

    def new_ones(self, received: Received) -> Received:
        """Those whose time was not among the last ones; from now on it is."""
        new = []
        for frame in received:
            seconds = frame[1]
            if seconds > self._newest:
                self._newest = seconds
            elif seconds in self._times:
                continue
            self._times[self._at] = seconds
            self._at = (self._at + 1) % MOST_WAVEFORMS
            new.append(frame)
        return new


class Track:
    """One patient's readings, as far as is needed to put them in order and to know those seen before.

    Devices send in order, so that a reading newer than the newest of its type is new; for any other
    the table is asked. What is remembered is therefore one time for each type.
    """

    __slots__ = ("_curves", "holders", "newest", "own_rate_at", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.holders = 0
        self.newest: dict[str, datetime] | None = None
        self.own_rate_at: datetime | None = None
        self._curves: dict[Curve, _Recent] = {}

    def took(self, reading: Reading) -> None:
        """Remember a reading of the patient, if it is the newest of its type."""
        assert self.newest is not None
        self.newest[reading.type] = max(reading.measured_at, self.newest.get(reading.type, reading.measured_at))
        if reading.type == HEART_RATE and reading.source == DEVICE:
            self.own_rate_at = max(reading.measured_at, self.own_rate_at or reading.measured_at)

    def is_wanted(self, reading: Reading) -> bool:
        """Whether a reading adds something: a heart rate from the ECG does where the device tells none itself."""
        if reading.source == DEVICE or self.own_rate_at is None:
            return True
        return abs(reading.measured_at - self.own_rate_at) > OWN_RATE_HOLDS

    def new_waveforms(self, curve: Curve, received: Received) -> Received:
        """Those frames of the curve of whose time none was among the last ones; from now on it is."""
        recent = self._curves.get(curve)
        if recent is None:
            recent = self._curves[curve] = _Recent()
            if len(self._curves) > MOST_CURVES:
                del self._curves[next(iter(self._curves))]
        return recent.new_ones(received)


class Tracks:
    """The tracks of all patients, at most so many."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._tracks: dict[str, Track] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def of(self, patient_id: str) -> Track:
        """The patient's track, which is now the last to be forgotten."""
        track = self._tracks.pop(patient_id, None) or Track()
        self._tracks[patient_id] = track
        if len(self._tracks) > self._limit:
            self._forget_one()
        return track

    @asynccontextmanager
    async def turn_of(self, patient_id: str) -> AsyncIterator[Track]:
        """The patient's track, for one sender at a time, in the order in which they asked."""
        track = self.of(patient_id)
        track.holders += 1
        try:
            async with track.turn:
                yield track
        finally:
            track.holders -= 1

    def _forget_one(self) -> None:
        """Forget the patient who was quiet the longest, but nobody whose readings are being taken."""
        newest = next(reversed(self._tracks))
        for patient_id, track in self._tracks.items():
            if track.holders == 0 and patient_id != newest:
                del self._tracks[patient_id]
                return
