"""PURE: who is told of what devices send, besides the rules and the viewers.

They are called on the event loop, between two frames: what they do takes microseconds, waits for nothing,
and raises nothing, however odd the data.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from app.modules.vitals.frames import Waveform


class WaveformObserver(Protocol):
    def take(self, patient_id: str, waveform: Waveform) -> None:
        """Take a waveform frame that has not been there before."""
        ...


class LeadObserver(Protocol):
    def lead(self, patient_id: str, type: str, lead: str | None, *, is_off: bool, at: datetime) -> None:
        """Take note that a sensor has come off, or is on again."""
        ...
