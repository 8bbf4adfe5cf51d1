"""How a numeric is written for the socket that devices send to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

#: Units as a bedside monitor shows them.
UNITS: Final = {
    "heart_rate": "/min",
    "pulse": "/min",
    "respiratory_rate": "/min",
    "spo2": "%",
    "systolic_bp": "mmHg",
    "diastolic_bp": "mmHg",
    "mean_bp": "mmHg",
    "temperature": "°C",
}

TICK: Final = timedelta(microseconds=1)


def encode_reading(kind: str, value: float, taken_at: datetime, seq: int | None = None) -> str:
    """One numeric as one JSON text frame, with the device's number of it where the device counts."""
    number = int(value) if float(value).is_integer() else value
    frame: dict[str, object] = {"type": kind, "value": number, "unit": UNITS[kind], "timestamp": write_time(taken_at)}
    if seq is not None:
        frame["seq"] = seq
    return json.dumps(frame, ensure_ascii=False)


def write_time(moment: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that times of equal length sort as text too."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def now() -> datetime:
    """The time of day, in UTC."""
    return datetime.now(UTC)


class RisingClock:
    """A clock that never shows the same time twice, however fast it is read."""

    def __init__(self, read: Callable[[], datetime] = now) -> None:
        self._read = read
        self._shown: datetime | None = None

    def tick(self) -> datetime:
        """The time of day, or a microsecond after the time shown before, whichever is later."""
        moment = self._read()
        if self._shown is not None and moment <= self._shown:
            moment = self._shown + TICK
        self._shown = moment
        return moment
