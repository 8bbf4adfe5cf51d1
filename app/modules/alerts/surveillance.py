"""Runs the readings of every patient through the rules, and acts on what they find."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from app.core.clock import Clock
from app.modules.alerts.lifecycle import EventType
from app.modules.alerts.rules import Decision, PatientWatch, Present
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import AlertService


class Surveillance:
    """One watch per patient whose readings come to this node."""

    def __init__(self, alerts: AlertService, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock
        self._watches: dict[str, PatientWatch] = {}

    async def prime(self, patient_id: str, readings: Iterable[tuple[str, float, datetime]]) -> None:
        """Take up a patient who was not seen since the start: the last readings, and what is open."""
        watch = PatientWatch(self._alerts.rules)
        for vital_type, value, measured_at in readings:
            watch.prime(vital_type, value, measured_at)
        for alert in await self._alerts.open_from_rules(patient_id):
            watch.reported(alert.condition, alert.tier, is_present=alert.condition_present, alert_id=alert.alert_id)
        self._watches[patient_id] = watch

    async def observe(
        self, patient_id: str, vital_type: str, value: float, measured_at: datetime, *, unit: str
    ) -> None:
        """Rule on one reading; what it leads to is committed when this returns.

        An error leaves the watch as it was, so that the next reading leads to the same decision.
        """
        if patient_id not in self._watches:
            await self.prime(patient_id, ())
        watch = self._watches[patient_id]
        for decision in watch.observe(vital_type, value, measured_at, now=self._clock.now()):
            await self._act(patient_id, watch, decision)

    def forget(self, patient_id: str) -> None:
        """The patient's readings no longer come here."""
        self._watches.pop(patient_id, None)

    def follow(self, entries: Iterable[LogEntry]) -> None:
        """Notice, from the log, that an alert which the rules had reported has ended, whoever ended it.

        It may have been raised by another system, and only been taken up by the rules.
        """
        for entry in entries:
            if entry.event == EventType.RESOLVED and entry.patient_id in self._watches:
                condition = msgspec.json.decode(entry.payload)["condition"]
                self._watches[entry.patient_id].ended(condition, entry.alert_id)

    async def _act(self, patient_id: str, watch: PatientWatch, decision: Decision) -> None:
        condition = decision.condition
        if isinstance(decision, Present):
            alert = await self._alerts.report(patient_id, condition.name, condition.vital_type, decision.finding)
            watch.reported(condition.name, alert.tier, alert_id=alert.alert_id)
            return
        ended = await self._alerts.condition_gone(patient_id, condition.name)
        if ended is not None and ended.is_open:
            watch.reported(condition.name, ended.tier, is_present=False, alert_id=ended.alert_id)
        else:
            watch.ended(condition.name, watch.alert_of(condition.name))
