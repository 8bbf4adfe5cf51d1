"""Runs the readings of every patient through the rules, and acts on what they find."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import anyio
import msgspec
import structlog
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from app.core.clock import Clock
from app.core.tasks import until_beat
from app.modules.alerts.lifecycle import EventType
from app.modules.alerts.rules.active import ActiveRules
from app.modules.alerts.rules.book import LevelsOutOfOrder, LimitsCrossed, RuleBook
from app.modules.alerts.rules.schemas import AlarmSettings, AlarmSettingsReader
from app.modules.alerts.rules.watch import Decision, PatientWatch, Present
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import RULES, AlertService

#: How often what begins without a reading is looked for, and what has changed is taken up.
ROUND_SECONDS: Final = 1.0

#: Watches that are looked at before others have their turn: below a millisecond of work.
WATCHES_AT_A_STRETCH: Final = 100

_log = structlog.get_logger(__name__)


class ShippedSettings:
    """Nobody has set anything."""

    async def settings_of(self, patient_id: str) -> AlarmSettings:
        return AlarmSettings()


@dataclass(slots=True)
class _Watched:
    """A watch, and what it was made from.

    Attributes:
        rules: the book in force then; another one in force now is taken up before the next decision.
        is_stale: whether people have set something since.
        is_undone: whether the database did not take what was decided.
    """

    watch: PatientWatch
    rules: RuleBook
    is_stale: bool = False
    is_undone: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Surveillance:
    """One watch per patient whose readings come to this node."""

    def __init__(
        self, alerts: AlertService, rules: ActiveRules, clock: Clock, settings: AlarmSettingsReader | None = None
    ) -> None:
        self._alerts = alerts
        self._rules = rules
        self._clock = clock
        self._settings = settings or ShippedSettings()
        self._watched: dict[str, _Watched] = {}
        self._changes_heard = 0

    @property
    def kept(self) -> dict[str, tuple[int, timedelta]]:
        """Of each type how many readings the rules look at, and how far back from the newest."""
        return {vital_type: (kept.samples, kept.horizon) for vital_type, kept in self._rules.book.kept.items()}

    @property
    def longest_silence(self) -> timedelta:
        """For how long readings stay away until the rules raise something; 0 where they do not."""
        return self._rules.book.longest_silence

    async def prime(self, patient_id: str, readings: Iterable[tuple[str, float, datetime, datetime]]) -> None:
        """Take up a patient who was not seen since the start: the last readings, what is open, and what has ended.

        Args:
            readings: of each type as many as `kept` says, oldest first: type, value, when measured, when it came.
        """
        rules, heard = self._rules.book, self._changes_heard
        settings = await self._settings.settings_of(patient_id)
        watch = PatientWatch(_with_limits(rules, settings, patient_id), spo2_scale=settings.spo2_scale)
        watch.prime(readings, ended=await self._alerts.last_ended(patient_id, RULES))
        known = {condition.name for condition in rules.conditions}
        for alert in await self._alerts.open_from(patient_id, RULES):
            if alert.condition not in known:
                # The rules have changed while no server was running.
                await self._alerts.condition_gone(patient_id, alert.condition)
                continue
            watch.reported(alert.condition, alert.tier, is_present=alert.condition_present, alert_id=alert.alert_id)
        # What is set while they are taken up may have come too late for the look above.
        self._watched[patient_id] = _Watched(watch, rules, is_stale=heard != self._changes_heard)

    async def observe(
        self, patient_id: str, vital_type: str, value: float, measured_at: datetime, *, unit: str
    ) -> None:
        """Rule on one reading; what it leads to is committed when this returns.

        An error leaves the watch as it was, so that the next reading leads to the same decision. Where the
        database is away, the next round does, because the next reading may be half an hour off.
        """
        if patient_id not in self._watched:
            await self.prime(patient_id, ())
        watched = self._watched[patient_id]
        async with watched.turn:
            await self._bring_up_to_date(patient_id, watched)
            decisions = watched.watch.observe(vital_type, value, measured_at, now=self._clock.now())
            await self._act_on(patient_id, watched, decisions)

    def forget(self, patient_id: str) -> None:
        """The patient's readings no longer come here."""
        self._watched.pop(patient_id, None)

    def settings_changed(self, patient_ids: Iterable[str] | None = None) -> None:
        """People have set something for these patients, or for nobody knows whom: it holds within a round."""
        self._changes_heard += 1
        for patient_id in self._watched if patient_ids is None else patient_ids:
            if (watched := self._watched.get(patient_id)) is not None:
                watched.is_stale = True

    def follow(self, entries: Iterable[LogEntry]) -> None:
        """Notice, from the log, that an alert which the rules had reported has ended, whoever ended it.

        It may have been raised by another system, and only been taken up by the rules.
        """
        for entry in entries:
            if entry.event == EventType.RESOLVED and entry.patient_id in self._watched:
                condition = msgspec.json.decode(entry.payload)["condition"]
                self._watched[entry.patient_id].watch.ended(condition, entry.alert_id)

    async def run(self) -> None:
        """Look for ever at what changes without a reading: silence, other rules, other limits."""
        while True:
            await anyio.sleep(until_beat(ROUND_SECONDS))
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        for number, (patient_id, watched) in enumerate(list(self._watched.items()), 1):
            heeds_silence = bool(watched.rules.heeding_silence)
            if heeds_silence or watched.is_stale or watched.is_undone or watched.rules is not self._rules.book:
                try:
                    await self._look_at(patient_id, watched)
                except (DataError, IntegrityError):
                    # It would be refused again and again. What is read next is decided upon anew.
                    watched.is_undone = False
                    _log.exception("surveillance.refused")
                except (SQLAlchemyError, OSError):
                    # The watch is as it was, and is looked at again in the next round.
                    _log.exception("surveillance.round_failed")
            if number % WATCHES_AT_A_STRETCH == 0:
                await anyio.lowlevel.checkpoint()

    async def _look_at(self, patient_id: str, watched: _Watched) -> None:
        async with watched.turn:
            await self._bring_up_to_date(patient_id, watched)
            if watched.is_undone:
                await self._act_on(patient_id, watched, watched.watch.decide_again())
                watched.is_undone = False
            await self._act_on(patient_id, watched, watched.watch.tick(self._clock.now()))

    async def _bring_up_to_date(self, patient_id: str, watched: _Watched) -> None:
        """Take up other rules and other limits, if there are any; what is no longer watched for is gone."""
        rules = self._rules.book
        if watched.rules is rules and not watched.is_stale:
            return
        watched.is_stale = False  # first: what is set from here on may come too late for this look
        try:
            settings = await self._settings.settings_of(patient_id)
            adopted = _with_limits(rules, settings, patient_id)
            for decision in watched.watch.adopt(adopted, spo2_scale=settings.spo2_scale):
                await self._act(patient_id, watched.watch, decision)
        except BaseException:
            watched.is_stale = True
            raise
        watched.rules = rules

    async def _act_on(self, patient_id: str, watched: _Watched, decisions: Iterable[Decision]) -> None:
        try:
            for decision in decisions:
                await self._act(patient_id, watched.watch, decision)
        except (SQLAlchemyError, OSError):
            watched.is_undone = True
            raise

    async def _act(self, patient_id: str, watch: PatientWatch, decision: Decision) -> None:
        condition = decision.condition
        if isinstance(decision, Present):
            alert = await self._alerts.report(
                patient_id, condition.name, condition.vital_type, decision.finding, kind=condition.kind
            )
            watch.reported(condition.name, alert.tier, alert_id=alert.alert_id)
            return
        ended = await self._alerts.condition_gone(patient_id, condition.name)
        if ended is not None and ended.is_open:
            watch.reported(condition.name, ended.tier, is_present=False, alert_id=ended.alert_id)
        else:
            watch.ended(condition.name, watch.alert_of(condition.name))


def _with_limits(rules: RuleBook, settings: AlarmSettings, patient_id: str) -> RuleBook:
    """The rules with a patient's limits; where these no longer fit the rules, the rules alone."""
    try:
        return rules.with_limits(settings.limits)
    except (LevelsOutOfOrder, LimitsCrossed) as error:
        # They were set under other rules. Somebody has to set them anew; until then nobody goes unwatched.
        _log.error("limits.do_not_fit", problem=str(error))
        return rules
