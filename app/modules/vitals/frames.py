"""PURE: what a device says in one message, whichever way it was written.

A frame is a `Reading` (one number at one time), a `Waveform` (samples from one time on), a `LeadStatus`
(a sensor that came off, or is on again) or a `Flush` (a question). `Beats` no device sends: they are found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

import msgspec

from app.modules.vitals.fields import FrameError
from app.modules.vitals.samples import Samples
from app.modules.vitals.signs import CONSCIOUSNESS, CONSCIOUSNESS_LEVELS, OXYGEN

#: A device's clock may be ahead of ours by so much.
LONGEST_AHEAD: Final = timedelta(seconds=60)

#: The source of readings that came as they are.
DEVICE: Final = "device"

WireValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Reading:
    """One numeric vital sign of one moment.

    Attributes:
        value: in `unit`; consciousness as 0 to 4 for A C V P U, oxygen without a flow as 0 or 1.
        unit: the canonical spelling; empty where the value has none.
        measured_at: aware, in UTC, to the microsecond.
        seq: the device's number of this frame, where it counts them.
        source: what measured it: `device`, or `ecg` where it was counted here.
    """

    type: str
    value: float
    unit: str
    measured_at: datetime
    seq: int | None = None
    source: str = DEVICE

    @property
    def moment(self) -> datetime:
        """The last moment that it tells of."""
        return self.measured_at


class Waveform(msgspec.Struct, frozen=True, gc=False):
    """Samples of one or several leads, taken together at one constant rate.

    Attributes:
        leads: 1 to 16 different names; None only where there is a single lead without a name.
        samples: of each lead 1 to 4096, finite, in `unit`.
        started_at: when the first sample was taken; aware, in UTC.
        seq: the device's number of this frame, where it counts them.
    """

    type: str
    sample_rate_hz: float
    leads: tuple[str | None, ...]
    samples: Samples
    unit: str
    started_at: datetime
    seq: int | None = None

    @property
    def moment(self) -> datetime:
        """The last moment that it tells of: when its last sample was taken."""
        return self.started_at + timedelta(seconds=(self.samples.length - 1) / self.sample_rate_hz)


@dataclass(frozen=True, slots=True)
class LeadStatus:
    """A sensor has come off the patient, or is on again.

    Attributes:
        type: the waveform that the sensor is for.
        lead: which of its leads; None where it has a single one without a name.
    """

    type: str
    lead: str | None
    is_off: bool
    at: datetime
    seq: int | None = None

    @property
    def moment(self) -> datetime:
        """The last moment that it tells of."""
        return self.at


@dataclass(frozen=True, slots=True)
class Beats:
    """When a heart has beaten; none of these beats was told before.

    Attributes:
        lead: on which lead of the ECG it was seen; None where it has a single one without a name.
        times: one or more, in order; aware, in UTC, to the microsecond.
    """

    type: ClassVar[str] = "beats"

    lead: str | None
    times: tuple[datetime, ...]

    @property
    def moment(self) -> datetime:
        """The last moment that it tells of."""
        return self.times[-1]


@dataclass(frozen=True, slots=True)
class Flush:
    """A device asks to be told when everything before has been stored and ruled on."""

    id: str | int | None
    seq: int | None = None


#: What a device sends.
Frame = Reading | Waveform | LeadStatus | Flush

#: What a viewer is shown.
Shown = Reading | Waveform | Beats


class TimeInFuture(FrameError):
    """A frame whose time the device's clock cannot honestly have shown yet.

    Attributes:
        moment: that time.
    """

    def __init__(self, moment: datetime) -> None:
        limit = LONGEST_AHEAD.total_seconds()
        detail = f"it is more than {limit:.0f} s ahead of the server's clock"
        super().__init__("timestamp_in_future", "timestamp", detail)
        self.moment = moment


def refuse_future(moment: datetime, now: datetime) -> None:
    """Refuse a time that the device's clock cannot honestly have shown yet.

    Raises:
        TimeInFuture: it is more than a minute ahead.
    """
    if moment - now > LONGEST_AHEAD:
        raise TimeInFuture(moment)


def wire_value(reading: Reading) -> WireValue:
    """The value as the device had written it: a number, a letter, or yes or no."""
    if reading.type == CONSCIOUSNESS:
        return CONSCIOUSNESS_LEVELS[int(reading.value)]
    if reading.type == OXYGEN and not reading.unit:
        return bool(reading.value)
    return wire_number(reading.value)


def wire_number(number: float) -> int | float:
    """The number, without a fraction where it has none."""
    whole = int(number)
    return whole if whole == number else number
