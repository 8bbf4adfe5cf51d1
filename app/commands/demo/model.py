"""PURE: what the demo's view knows of the ward, from the events and numerics that it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

Event = Mapping[str, Any]

MISSING: Final = "--"
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)

#: Worst first; a technical alarm is about the measuring, and comes with a priority of its own.
PRIORITIES: Final = ("high", "medium", "low")
SYMBOLS: Final = {"high": "***", "medium": "**", "low": "*"}
TECHNICAL_SYMBOL: Final = "!!!"


class Link(Enum):
    """How the alert stream stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"


class Freshness(NamedTuple):
    """From when on a number is shown with its age, and from when on not at all."""

    ages_after: timedelta
    missing_after: timedelta


CONTINUOUS: Final = Freshness(timedelta(seconds=5), timedelta(seconds=30))
OCCASIONAL: Final = Freshness(timedelta(seconds=90), timedelta(minutes=10))
OCCASIONALLY_MEASURED: Final = frozenset({"systolic_bp", "diastolic_bp", "mean_bp", "temperature"})


@dataclass(frozen=True, slots=True)
class Number:
    """A numeric as it may be shown: `--` where there is none that still holds, and its age where it is old."""

    text: str = MISSING
    age: timedelta | None = None


@dataclass(slots=True)
class OpenAlert:
    """An alert that is not resolved, as of the last event about it.

    Attributes:
        says_it_all: whether the message needs no vital sign to be named before it.
    """

    alert_id: str
    patient_id: str
    raised_at: datetime
    tier: str = ""
    priority: str = ""
    technical: bool = False
    vital_type: str = ""
    message: str = ""
    says_it_all: bool = False
    state: str = "active"
    signal: str = ""
    owner: str = ""
    escalation_level: int = 0
    next_escalation_at: datetime | None = None

    @property
    def symbol(self) -> str:
        """Says the priority to those who cannot tell colours apart."""
        return TECHNICAL_SYMBOL if self.technical else SYMBOLS.get(self.priority, SYMBOLS["low"])

    @property
    def urgency(self) -> tuple[int, float]:
        """Sorts the worst first, and then the newest."""
        rank = PRIORITIES.index(self.priority) if self.priority in PRIORITIES else len(PRIORITIES)
        return rank, -self.raised_at.timestamp()

    def age(self, now: datetime) -> timedelta:
        """How long ago it was raised."""
        return max(now - self.raised_at, timedelta())

    def until_escalation(self, now: datetime) -> timedelta | None:
        """How long until the next one is told; negative where that is late, None where nobody will be."""
        return None if self.next_escalation_at is None else self.next_escalation_at - now


@dataclass(slots=True)
class WardModel:
    """The ward as far as it is known. Time comes in as an argument."""

    link: Link = Link.CONNECTING
    link_detail: str = ""
    link_since: datetime | None = None
    notice: str = ""
    noticed_at: datetime | None = None
    _alerts: dict[str, OpenAlert] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    _snapshot: set[str] | None = None

    def opened(self, *, recovered: bool) -> None:
        """The stream is there. Where it could not go on from our cursor, a snapshot of all open alerts follows."""
        self._snapshot = None if recovered else set()

    def ready(self, now: datetime) -> None:
        """All that was missed has come: an alert that a snapshot does not know is open no more."""
        if self._snapshot is not None:
            self._alerts = {alert_id: alert for alert_id, alert in self._alerts.items() if alert_id in self._snapshot}
        self._snapshot = None
        self._set_link(Link.LIVE, "", now)

    def lost(self, why: str, now: datetime) -> None:
        """The stream is gone: from now on, what is shown may be wrong."""
        self._set_link(Link.LOST, why, now)

    def heed(self, text: str, now: datetime) -> None:
        """Something happened that the person at the terminal should know for a while."""
        self.notice, self.noticed_at = text, now

    def alert(self, event: Event) -> None:
        """An event about an alert, live, replayed or from the snapshot."""
        alert_id = str(event.get("alertId", ""))
        if not alert_id:
            return
        if self._snapshot is not None:
            self._snapshot.add(alert_id)
        if event.get("state") == "resolved":
            self._alerts.pop(alert_id, None)
            return
        happened_at = read_time(event.get("timestamp")) or EARLIEST
        alert = self._alerts.get(alert_id)
        if alert is None:
            alert = self._alerts[alert_id] = OpenAlert(alert_id, str(event.get("patientId", "")), happened_at)
        alert.raised_at = min(alert.raised_at, happened_at)
        alert.tier = str(event.get("tier", alert.tier))
        alert.priority = str(event.get("priority", alert.priority))
        alert.technical = event.get("kind") == "technical"
        alert.vital_type = str(event.get("vitalType", alert.vital_type))
        alert.message, alert.says_it_all = describe(event), says_it_all(event)
        alert.state = str(event.get("state", alert.state))
        alert.signal = str(event.get("signal", alert.signal))
        alert.escalation_level = int(event.get("escalationLevel") or 0)
        alert.next_escalation_at = read_time(event.get("nextEscalationAt"))
        if alert.state == "active":
            alert.owner = ""
        elif role := event.get("acknowledgedBy"):
            name = event.get("acknowledgedByName") or event.get("acknowledgedByUser")
            alert.owner = printable(f"{name} ({role})" if name else str(role))

    def vital(self, frame: Event) -> None:
        """A numeric of a patient; one that is older than what is known changes nothing."""
        value, measured_at = frame.get("value"), read_time(frame.get("timestamp"))
        if not isinstance(value, int | float) or measured_at is None:
            return
        key = str(frame.get("patientId", "")), str(frame.get("type", ""))
        known = self._numbers.get(key)
        if known is None or measured_at >= known[1]:
            self._numbers[key] = f"{value:g}", measured_at

    def number(self, patient_id: str, kind: str, now: datetime) -> Number:
        """The numeric as it may be shown now: never the last value as if it were today's."""
        known = self._numbers.get((patient_id, kind))
        if known is None:
            return Number()
        freshness = OCCASIONAL if kind in OCCASIONALLY_MEASURED else CONTINUOUS
        text, measured_at = known
        age = now - measured_at
        if age > freshness.missing_after:
            return Number()
        return Number(text, age if age > freshness.ages_after else None)

    def open_alerts(self) -> list[OpenAlert]:
        """What somebody has to see to, worst first, then newest."""
        return sorted(self._alerts.values(), key=lambda alert: alert.urgency)

    def _set_link(self, link: Link, detail: str, now: datetime) -> None:
        if self.link is not link:
            self.link_since = now
        self.link, self.link_detail = link, detail


def describe(event: Event) -> str:
    """What the value is and against which limit, `79 < 80 %`; the reasons, where it is not about a limit."""
    limits = event.get("threshold") or {}
    values = [value for value in event.get("vitalsWindow") or [] if isinstance(value, int | float)]
    unit = printable(str(event.get("unit") or ""))
    if values:
        value, least, most = values[-1], limits.get("min"), limits.get("max")
        if least is not None and value < least:
            return f"{value:g} < {least:g} {unit}".rstrip()
        if most is not None and value > most:
            return f"{value:g} > {most:g} {unit}".rstrip()
    return printable("; ".join(str(reason) for reason in event.get("reasons") or []))


def says_it_all(event: Event) -> bool:
    """Whether the reasons alone say what is wrong: those of a technical alert are no value of a vital sign."""
    return event.get("kind") == "technical" and not event.get("vitalsWindow") and bool(event.get("reasons"))


def printable(text: str) -> str:
    """Text from elsewhere, with nothing left in it that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def read_time(text: object) -> datetime | None:
    """An RFC 3339 time, or None where there is none to read."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
