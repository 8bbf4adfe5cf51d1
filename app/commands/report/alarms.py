"""PURE: the alarms that rules raise on a recording, judged by the recording's own time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.commands.recordings import Row
from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.watch import Decision, PatientWatch, Present
from app.modules.vitals.signs import NUMERICS

#: Any moment will do: only the time that passes counts.
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition, from when it was signalled until it was gone.

    Attributes:
        patient: the recording.
        tier: the worst that it came to.
        began_seconds: of the recording.
        ended_seconds: of the recording; its end where the condition was still there.
    """

    patient: str
    condition: str
    tier: Tier
    began_seconds: float
    ended_seconds: float
    reason: str

    @property
    def seconds(self) -> float:
        return self.ended_seconds - self.began_seconds


@dataclass(frozen=True, slots=True)
class Played:
    """One recording and the alarms on it, in the order in which they began.

    Attributes:
        left_out: values that no patient has, and that a server would refuse.
    """

    patient: str
    hours: float
    alarms: tuple[Alarm, ...]
    left_out: int = 0


@dataclass(slots=True)
class _Open:
    tier: Tier
    began_seconds: float
    reason: str


def play(patient: str, rows: Sequence[Row], rules: RuleBook) -> Played:
    """The alarms of a recording.

    Latching plays no part: a condition that comes back is another alarm, whether or not somebody has
    looked at the one before.
    """
    watch = PatientWatch(rules)
    under_way: dict[str, _Open] = {}
    alarms: list[Alarm] = []
    seconds, left_out = 0.0, 0

    def close(condition: str) -> None:
        found = under_way.pop(condition)
        alarms.append(Alarm(patient, condition, found.tier, found.began_seconds, seconds, found.reason))

    def act(decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            condition = decision.condition.name
            if not isinstance(decision, Present):
                watch.ended(condition)
                close(condition)
                continue
            finding = decision.finding
            watch.reported(condition, finding.tier)
            known = under_way.setdefault(condition, _Open(finding.tier, seconds, finding.reasons[0]))
            known.tier = finding.tier

    for row in rows:
        seconds = row.offset_seconds
        now = _BEGINNING + timedelta(seconds=seconds)
        for vital_type, value in row.readings.items():
            sign = NUMERICS[vital_type]
            if not sign.lowest <= value <= sign.highest:
                left_out += 1
                continue
            act(watch.observe(vital_type, value, now, now=now))
        act(watch.tick(now))
    for condition in list(under_way):
        close(condition)
    length = rows[-1].offset_seconds - rows[0].offset_seconds if rows else 0.0
    alarms.sort(key=lambda alarm: (alarm.began_seconds, alarm.condition))
    return Played(patient, length / 3600, tuple(alarms), left_out)
