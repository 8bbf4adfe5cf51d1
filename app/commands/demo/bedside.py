"""What a patient's monitor sends in each second: numerics, waveforms in short frames, and a lead that is off."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.commands.demo.simulator import Patient, Second, simulate
from app.commands.demo.waveforms import (
    ECG_HZ,
    ECG_SCALE,
    PLETH_HZ,
    PLETH_SCALE,
    RESP_HZ,
    RESP_SCALE,
    Waveforms,
)
from app.commands.readings import encode_reading, write_time
from app.modules.vitals.samples import to_little_endian

#: Of every waveform so many frames a second: a screen that draws smoothly need not lag by more than a tenth.
FRAMES_HZ: Final = 10

LEAD: Final = "II"

_to_msgpack = msgspec.msgpack.Encoder().encode

#: A message, and when it is due, in seconds from the beginning of its second.
Due = tuple[float, str | bytes]


class Bedside:
    """A monitor and the patient at it. All that it sends is numbered in one row, whatever becomes of its connection."""

    def __init__(self, patient: Patient, seed: int = 1) -> None:
        self._seconds = simulate(patient, seed)
        self._waveforms = Waveforms(patient.id, seed)
        self._sent = 0
        self._said_off: bool | None = None

    def connected(self) -> None:
        """Who listens now may not know whether a lead is off: it is said again."""
        self._said_off = None

    def next_second(self, began_at: datetime) -> Iterator[Due]:
        """What is sent of the second that begins now, in order.

        The samples of a second are in it whole, so that the frames of seconds that follow each other do so, too.
        """
        second = next(self._seconds)
        waves = self._waveforms.next(second)
        if second.is_lead_off != self._said_off:
            self._said_off = second.is_lead_off
            yield 0.0, self._lead_status(second, began_at)
        for kind, value in second.numerics.items():
            yield 0.0, encode_reading(kind, value, began_at, self._number())
        for frame in range(FRAMES_HZ):
            due = (frame + 1) / FRAMES_HZ
            if not second.is_lead_off:
                yield due, self._waveform("ecg", ECG_HZ, ECG_SCALE, waves.ecg, frame, began_at)
            yield due, self._waveform("pleth", PLETH_HZ, PLETH_SCALE, waves.pleth, frame, began_at)
            if not second.is_lead_off:
                yield due, self._waveform("resp_wave", RESP_HZ, RESP_SCALE, waves.resp, frame, began_at)

    def _waveform(
        self, kind: str, rate_hz: int, scale: float, counts: array[int], frame: int, began_at: datetime
    ) -> bytes:
        """One frame; where a tenth of a second is no whole number of samples, some have one more than others."""
        first, end = frame * rate_hz // FRAMES_HZ, (frame + 1) * rate_hz // FRAMES_HZ
        lead = {"lead": LEAD, "unit": "mV"} if kind == "ecg" else {}
        return _to_msgpack(
            {
                "type": kind,
                "sampleRate": rate_hz,
                **lead,
                "samples": to_little_endian(counts[first:end]),
                "scale": scale,
                "timestamp": write_time(began_at + timedelta(seconds=first / rate_hz)),
                "seq": self._number(),
            }
        )

    def _lead_status(self, second: Second, at: datetime) -> str:
        event = "lead_off" if second.is_lead_off else "lead_on"
        return json.dumps(
            {"event": event, "type": "ecg", "lead": LEAD, "timestamp": write_time(at), "seq": self._number()}
        )

    def _number(self) -> int:
        self._sent += 1
        return self._sent - 1
