"""PURE: the alarms of many recordings, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app.commands.report.alarms import Alarm, Played
from app.commands.wording import counted
from app.modules.alerts.lifecycle import Tier

#: An alarm that is over before anybody can be there.
SHORT_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Load:
    """What one set of rules makes of all recordings."""

    name: str
    played: Sequence[Played]

    @cached_property
    def hours(self) -> float:
        """Patient-hours."""
        return sum(it.hours for it in self.played)

    @cached_property
    def alarms(self) -> list[Alarm]:
        return [alarm for it in self.played for alarm in it.alarms]

    def of(self, condition: str | None = None, tier: Tier | None = None) -> list[Alarm]:
        """The alarms of a condition, of a tier, of both, or all."""
        return [it for it in self.alarms if condition in {None, it.condition} and tier in {None, it.tier}]

    def count(self, condition: str) -> int:
        return len(self.of(condition))

    def short(self, condition: str | None = None, tier: Tier | None = None) -> int:
        """How many were over in less than `SHORT_SECONDS`."""
        return sum(it.seconds < SHORT_SECONDS for it in self.of(condition, tier))

    def per_hour(self, count: int) -> str:
        """Per patient-hour, to two places."""
        return f"{count / self.hours:.2f}" if self.hours else "--"


def conditions_of(loads: Sequence[Load]) -> list[str]:
    """Every condition that somebody was alarmed of, in the order of the alphabet."""
    return sorted({alarm.condition for load in loads for alarm in load.alarms})


def table_rows(loads: Sequence[Load]) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """For each condition and tier, worst first: rate, count and how many were short, for each load."""
    for condition in conditions_of(loads):
        for tier in reversed(Tier):
            if any(load.of(condition, tier) for load in loads):
                yield condition, tier, [_cells(load, condition, tier) for load in loads]
    yield "all", "", [_cells(load) for load in loads]


def csv_rows(loads: Sequence[Load]) -> Iterator[list[str]]:
    """A header, and then every alarm."""
    yield ["rules", "patient", "condition", "tier", "began_seconds", "ended_seconds", "seconds", "reason"]
    for load in loads:
        for it in load.alarms:
            times = [f"{time + 0.0:g}" for time in (it.began_seconds, it.ended_seconds, it.seconds)]
            yield [load.name, it.patient, it.condition, it.tier.value, *times, it.reason]


def summary(load: Load) -> str:
    """One line on the whole of it."""
    count, short = len(load.alarms), load.short()
    share = f", {short} ({short / count:.0%}) under {SHORT_SECONDS:g} s" if count else ""
    quiet = sum(not it.alarms for it in load.played)
    return (
        f"{load.name}: {counted(count, 'alarm')}{share}; {quiet} of {counted(len(load.played), 'patient')} without any"
    )


def _cells(load: Load, condition: str | None = None, tier: Tier | None = None) -> tuple[str, str, str]:
    count = len(load.of(condition, tier))
    return load.per_hour(count), str(count), str(load.short(condition, tier))
