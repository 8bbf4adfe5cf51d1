"""PURE: an electrocardiogram as devices send it: a few seconds of it, over and over, in frames of 50 ms."""

from __future__ import annotations

import json
import math
import random
from array import array
from datetime import UTC, datetime

import msgspec

SAMPLE_RATE_HZ = 500
FRAMES_PER_SECOND = 20
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FRAMES_PER_SECOND
FRAME_SECONDS = 1 / FRAMES_PER_SECOND
MILLIVOLTS_PER_COUNT = 0.005
HEART_RATE = 75

#: P, Q, R, S and T as bells: seconds after the beginning of the beat, millivolts, seconds of width.
_WAVES = ((0.16, 0.12, 0.022), (0.285, -0.1, 0.008), (0.31, 1.1, 0.011), (0.335, -0.2, 0.009), (0.55, 0.28, 0.045))
_BEATS = 20
_NOISE_MILLIVOLTS = 0.01

_to_msgpack = msgspec.msgpack.Encoder().encode


def made_up_counts() -> array[int]:
    """Sixteen seconds of a regular heart with a little noise, the same in every run."""
    noise = random.Random(1)
    beat_seconds = 60 / HEART_RATE
    seconds = (at / SAMPLE_RATE_HZ for at in range(round(_BEATS * beat_seconds * SAMPLE_RATE_HZ)))
    signal = (_millivolts(moment % beat_seconds) + noise.gauss(0, _NOISE_MILLIVOLTS) for moment in seconds)
    return array("h", (round(value / MILLIVOLTS_PER_COUNT) for value in signal))


def _millivolts(seconds: float) -> float:
    return sum(height * math.exp(-(((seconds - at) / width) ** 2) / 2) for at, height, width in _WAVES)


class ECGFrames:
    """Frame after frame of one signal, as MessagePack or as JSON.

    Args:
        counts: int16, of `MILLIVOLTS_PER_COUNT` each, at `SAMPLE_RATE_HZ`; it begins anew at its end.
    """

    def __init__(self, counts: array[int]) -> None:
        whole = len(counts) - len(counts) % SAMPLES_PER_FRAME
        self._pieces = [counts[at : at + SAMPLES_PER_FRAME] for at in range(0, whole, SAMPLES_PER_FRAME)]

    def binary(self, number: int, timestamp: str, *, begin: int = 0) -> bytes:
        """What a device sends as its frame of this number.

        Args:
            begin: how many frames into the signal the device has begun.
        """
        return _to_msgpack(
            {
                "type": "ecg",
                "sampleRate": SAMPLE_RATE_HZ,
                "samples": self._piece(number, begin).tobytes(),
                "scale": MILLIVOLTS_PER_COUNT,
                "offset": 0.0,
                "unit": "mV",
                "lead": "II",
                "timestamp": timestamp,
                "seq": number,
            }
        )

    def as_viewers_see_it(self, patient_id: str, number: int, timestamp: str, *, form: str = "json") -> bytes:
        """What Tocsin makes of that frame for its viewers who read `json` or `binary`; a peer is given it to send."""
        is_json, piece = form == "json", self._piece(number, 0)
        frame = {
            "patientId": patient_id,
            "type": "ecg",
            "sampleRate": SAMPLE_RATE_HZ,
            "samples": [round(count * MILLIVOLTS_PER_COUNT, 6) for count in piece] if is_json else piece.tobytes(),
            "unit": "mV",
            "lead": "II",
            "timestamp": timestamp,
        }
        if is_json:
            return json.dumps(frame, separators=(",", ":")).encode()
        return _to_msgpack(frame | {"scale": MILLIVOLTS_PER_COUNT, "offset": 0.0})

    def _piece(self, number: int, begin: int) -> array[int]:
        return self._pieces[(number + begin) % len(self._pieces)]


def to_timestamp(epoch_seconds: float) -> str:
    """As it stands in frames, to the microsecond, written as Tocsin writes it for viewers."""
    return datetime.fromtimestamp(epoch_seconds, UTC).replace(tzinfo=None).isoformat() + "Z"
