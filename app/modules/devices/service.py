"""What is known of each device that sends to this node: that it is there, and whether its clock is right.

Everything here is called on the event loop, between two frames, and returns at once: times are written by
`PresenceRegister`, silence is noticed by `SilenceWatch`, and alerts are raised and ended by `Conditions`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from app.core.clock import Clock
from app.modules.alerts.service import Finding, Tier
from app.modules.devices.clock_watch import ClockState, ClockWatch
from app.modules.devices.conditions import OF_DEVICE, Conditions, Gone, Present
from app.modules.devices.register import PresenceRegister
from app.modules.devices.repository import Device
from app.modules.devices.sensors import Sensors

#: Devices whose clocks are watched at once; beyond it, the one that was not heard for the longest is forgotten.
MOST_DEVICES = 10_000


class DeviceService:
    """Is told of each device that it is there, and that it has left (a `PresenceObserver` of vital signs).

    Args:
        oldest_reading: how old a reading may be, by its time, for the rules of this moment to heed it.
    """

    def __init__(
        self,
        register: PresenceRegister,
        conditions: Conditions,
        sensors: Sensors,
        clock: Clock,
        oldest_reading: Callable[[], timedelta],
        *,
        most_devices: int = MOST_DEVICES,
    ) -> None:
        self._register = register
        self._conditions = conditions
        self._sensors = sensors
        self._clock = clock
        self._oldest_reading = oldest_reading
        self._most_devices = most_devices
        self._clocks: dict[Device, ClockWatch] = {}

    def seen(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        """A device has sent a frame on its socket; to be called once in `PresenceRegister.told_every_seconds`.

        Args:
            measured_at: the last moment that the frame tells of, by the device's clock.
        """
        device = Device(patient_id, user_id)
        self._register.seen(device, now)
        self._check_clock(device, now, measured_at)

    def ahead(self, user_id: str, patient_id: str, *, now: datetime, measured_at: datetime) -> None:
        """A frame was refused because of a time in the future: it tells of the clock, and is no sign of life.

        While all its frames are refused, nobody watches the patient, so that the device counts as silent.
        """
        self._check_clock(Device(patient_id, user_id), now, measured_at)

    def left(self, user_id: str, patient_id: str, *, signed_off: bool) -> None:
        """A device's socket has ended; one that has signed off is not expected to send any more."""
        device = Device(patient_id, user_id)
        self._register.left(device, self._clock.now(), signed_off=signed_off)
        if signed_off:
            self._clocks.pop(device, None)
            self._conditions.tell(patient_id, Gone(clock_condition(user_id)))
            if not self._register.has_device_of(patient_id):
                self._sensors.forget(patient_id)

    def _check_clock(self, device: Device, now: datetime, measured_at: datetime) -> None:
        watch = self._clocks.pop(device, None) or ClockWatch()
        self._clocks[device] = watch
        if len(self._clocks) > self._most_devices:
            del self._clocks[next(iter(self._clocks))]
        if watch.observe((now - measured_at).total_seconds(), now.timestamp()):
            self._tell(device, watch)

    def _tell(self, device: Device, watch: ClockWatch) -> None:
        condition = clock_condition(device.user_id)
        if watch.state is ClockState.RIGHT:
            self._conditions.tell(device.patient_id, Gone(condition))
            return
        behind_seconds = round(watch.off_by_seconds)
        reason = f"device clock {abs(behind_seconds)} s {'behind' if behind_seconds > 0 else 'ahead'}"
        tier = Tier.SLIGHT
        if behind_seconds > self._oldest_reading().total_seconds():
            # The patient is as good as unwatched, as with a device that is silent.
            tier, reason = Tier.MODERATE, f"{reason}: its readings are too old to alarm"
        finding = Finding(
            tier,
            (reason,),
            context={"deviceId": device.user_id, "behindSeconds": behind_seconds},
        )
        self._conditions.tell(device.patient_id, Present(condition, "device", finding))


def clock_condition(user_id: str) -> str:
    """What it is called when the clock of one device is off; each has an alert of its own."""
    return f"{OF_DEVICE}clock_off:{user_id}"
