"""PURE: who is told of what devices send, besides the rules and the viewers.

They are called on the event loop, between two frames: what they do takes microseconds, waits for nothing,
and raises nothing, however odd the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.modules.vitals.frames import Waveform

#: A frame, when its first sample was taken by the device's clock, and when it came by ours; in seconds since 1970.
Arrival = tuple[Waveform, float, float]

#: Frames of one patient that came one after another.
Received = Sequence[Arrival]


def arrival(waveform: Waveform, at: float) -> Arrival:
    """A frame that came at this moment, in seconds since 1970."""
    return waveform, waveform.started_at.timestamp(), at


class WaveformObserver(Protocol):
    def take(self, patient_id: str, received: Received) -> None:
        """Take frames of one type and of the same leads that have not been there before, in order of arrival."""
        ...


class LeadObserver(Protocol):
    def lead(self, patient_id: str, type: str, lead: str | None, *, is_off: bool, at: datetime) -> None:
        """Take note that a sensor has come off, or is on again."""
        ...


class PresenceObserver(Protocol):
    def seen(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        """Take note that a device has sent something that can be used.

        Args:
            measured_at: the last moment that the frame tells of, by the device's clock.
        """
        ...

    def ahead(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        """Take note that a device's frame was refused because its time lies in the future."""
        ...

    def left(self, user_id: str, patient_id: str, *, signed_off: bool) -> None:
        """Take note that a socket of a device has ended.

        Args:
            signed_off: the device has closed it as one does who is done (1000); otherwise it was lost.
        """
        ...
