"""Alerts about sensors that are off, signals that cannot be used, and a heart that stands still."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import anyio
import msgspec
import structlog

from app.core.clock import Clock
from app.core.tasks import until_beat
from app.modules.alerts.schemas import LogEntry
from app.modules.alerts.service import EventType, Finding, Kind, Tier
from app.modules.devices.conditions import ECG, Conditions, Gone, Present
from app.modules.devices.signal_watch import NO_BEATS, SignalWatch

ASYSTOLE = "asystole"
SIGNAL_BAD = "ecg_signal_bad"

#: Sensors of one patient that are told of: three waveforms have 16 leads each.
MOST_LEADS = 48

#: How often a signal that is bad, or good again, is asked whether it has been so for long enough.
ROUND_SECONDS = 1.0

_READABLE = re.compile(r"[A-Za-z0-9._-]+")

_log = structlog.get_logger(__name__)


class _Event(msgspec.Struct):
    """As much of an alert event as says which lead it is about."""

    condition: str


_event = msgspec.json.Decoder(_Event)


class Sensors:
    """Is told, on the event loop, what devices and the analysis of the ECG say; returns at once.

    A lead that is off is the reason why its signal is bad: of the two, only the first is told.
    """

    def __init__(self, conditions: Conditions, clock: Clock) -> None:
        self._conditions = conditions
        self._clock = clock
        self._leads_off: dict[str, set[str]] = {}
        self._signals: dict[str, SignalWatch] = {}
        self._hearts_still: set[str] = set()

    def lead(self, patient_id: str, type: str, lead: str | None, *, is_off: bool, at: datetime) -> None:
        """A device says that one of its sensors has come off, or is on again."""
        condition = lead_condition(type, lead)
        leads_off = self._leads_off.setdefault(patient_id, set())
        if not is_off:
            leads_off.discard(condition)
            self._conditions.tell(patient_id, Gone(condition))
        elif condition not in leads_off and len(leads_off) == MOST_LEADS:
            _log.warning("devices.too_many_leads_off")
            return
        else:
            leads_off.add(condition)
            tier = Tier.MODERATE if type == "ecg" else Tier.SLIGHT
            reason = f"{type} lead {lead} is off" if lead else f"{type} sensor is off"
            finding = Finding(tier, (reason,), context={"lead": lead})
            self._conditions.tell(patient_id, Present(condition, type, finding))
        if not leads_off:
            del self._leads_off[patient_id]
        if type == "ecg":
            signal = self._signal_of(patient_id)
            if signal.lead_off(lead, is_off=is_off, now=self._clock.now()):
                self._tell(patient_id, signal)

    async def quality(self, patient_id: str, lead: str | None, state: str, reason: str | None, at: datetime) -> None:
        """The ECG's signal is `good`, `bad` for a reason, or `unknown` from now on."""
        signal = self._signal_of(patient_id)
        if signal.judged(lead, state, reason, self._clock.now()):
            self._tell(patient_id, signal)
        if state == "unknown" and not signal.leads_off:
            # Nothing is known of it that could be forgotten, and it may be the last word about this patient.
            del self._signals[patient_id]

    async def asystole(self, patient_id: str, *, is_present: bool, at: datetime) -> None:
        """The ECG shows that the heart stands still, or that it beats."""
        if is_present:
            self._hearts_still.add(patient_id)
            self._tell_asystole(patient_id)
        else:
            self._hearts_still.discard(patient_id)
            self._conditions.tell(patient_id, Gone(ASYSTOLE, Kind.PHYSIOLOGICAL))

    def follow(self, entries: Iterable[LogEntry]) -> None:
        """Learn from the log which lead is taken to be on again, because its alert was resolved by whomever.

        Where its signal is bad all the same, that is told: the alert that explained it is no more.
        """
        for entry in entries:
            signal = self._signals.get(entry.patient_id)
            if signal is None or entry.event != EventType.RESOLVED:
                continue
            condition = _event.decode(entry.payload).condition
            # Also the lead that is judged: that it is off may have been said to another node, or before a restart.
            for lead in {*signal.leads_off, signal.lead, None}:
                if lead_condition("ecg", lead) == condition:
                    signal.lead_off(lead, is_off=False, now=self._clock.now())

    def forget(self, patient_id: str) -> None:
        """Nobody measures this patient any more, and so nothing about the measuring is wrong."""
        self._leads_off.pop(patient_id, None)
        self._signals.pop(patient_id, None)
        self._hearts_still.discard(patient_id)
        self._conditions.tell(patient_id, Gone(None))

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await anyio.sleep(until_beat(ROUND_SECONDS))
            self.look()

    def look(self) -> None:
        """Tell of signals that have been bad, or good again, for long enough, and of hearts that stand still yet.

        These are told again and again, which costs nothing while their alert is open: where somebody has resolved
        it, there shall be another one, as with any other vital sign that is still beyond its limit.
        """
        now = self._clock.now()
        for patient_id, signal in self._signals.items():
            if signal.is_waiting and signal.look(now):
                self._tell(patient_id, signal)
        for patient_id in self._hearts_still:
            # A signal that has just become good may be that of a heart which beats, and was not seen to for long.
            if (known := self._signals.get(patient_id)) is not None and known.is_reliable(now):
                self._tell_asystole(patient_id)

    def _signal_of(self, patient_id: str) -> SignalWatch:
        return self._signals.get(patient_id) or self._signals.setdefault(patient_id, SignalWatch())

    def _tell_asystole(self, patient_id: str) -> None:
        finding = Finding(Tier.CRITICAL, ("no heart beat for 4 s",))
        self._conditions.tell(patient_id, Present(ASYSTOLE, "ecg", finding, Kind.PHYSIOLOGICAL, ECG))

    def _tell(self, patient_id: str, signal: SignalWatch) -> None:
        if signal.is_alarmed:
            where = f" on lead {signal.lead}" if signal.lead else ""
            # It may be an asystole that began while nobody looked: somebody has to go and see.
            tier = Tier.MODERATE if signal.reason == NO_BEATS else Tier.SLIGHT
            finding = Finding(tier, (f"ecg signal cannot be used{where}: {signal.reason or 'bad'}",))
            explained_by = frozenset({lead_condition("ecg", signal.lead), lead_condition("ecg", None)})
            self._conditions.tell(patient_id, Present(SIGNAL_BAD, "ecg", finding, unless=explained_by))
        elif signal.is_alarmed is False:
            self._conditions.tell(patient_id, Gone(SIGNAL_BAD))


def lead_condition(type: str, lead: str | None) -> str:
    """What it is called when this lead is off: an id, another one for each lead.

    A lead's name may hold characters that an id may not: such a one is written in hexadecimal digits after a
    colon, which no name that is written as it is has.
    """
    if lead is None:
        return f"lead_off:{type}"
    return f"lead_off:{type}:{lead if _READABLE.fullmatch(lead) else ':' + lead.encode().hex()}"
