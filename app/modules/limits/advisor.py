"""Suggests limits from a patient's own last hours, beside those in force. It sets none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import groupby
from operator import attrgetter

from app.core.clock import Clock
from app.modules.alerts.rules.schemas import Direction, Layer, Tier
from app.modules.limits.schemas import (
    LimitInForce,
    LimitInput,
    PatientLimits,
    PatientLimitsInput,
    ReadingsSummary,
    SuggestedLimit,
    Suggestions,
)
from app.modules.limits.service import LimitsService
from app.modules.limits.suggestions import Measured, Suggestion, suggest
from app.modules.vitals.schemas import HistogramBar
from app.modules.vitals.service import VitalsService


class LimitAdvisor:
    def __init__(self, limits: LimitsService, vitals: VitalsService, clock: Clock) -> None:
        self._limits = limits
        self._vitals = vitals
        self._clock = clock

    async def suggest(self, patient_id: str, back: timedelta) -> Suggestions:
        """What the readings of this last time suggest for the mildest tier of each condition.

        Worse tiers are extremes, which do not depend on what a patient is used to.

        Raises:
            UnknownPatient: there is no such patient.
            ServiceUnavailable: the database does not answer.
        """
        present = await self._limits.of_patient(patient_id)
        until = self._clock.now()
        since = until - back
        signs = {it.vital_type for it in present.limits}
        measured = _by_sign(await self._vitals.histogram(patient_id, signs, since=since, until=until))
        suggestions = []
        for _, levels in groupby(present.limits, key=attrgetter("condition", "vital_type", "direction")):
            *worse, mildest = levels
            suggestion = _suggest(mildest, worse, measured, present.spo2_scale, back)
            suggestions.append(_beside(mildest, suggestion, measured.get(mildest.vital_type)))
        return Suggestions(
            patient_id=patient_id,
            since=since,
            until=until,
            suggestions=suggestions,
            proposal=_proposal(present, suggestions, back),
        )


def _by_sign(bars: Iterable[HistogramBar]) -> dict[str, Measured]:
    measured = {}
    for sign, of_sign in groupby(bars, key=lambda bar: bar.type):
        found = list(of_sign)
        measured[sign] = Measured(
            tuple((bar.value, bar.count) for bar in found),
            min(bar.first_at for bar in found),
            max(bar.last_at for bar in found),
        )
    return measured


def _suggest(
    mildest: LimitInForce,
    worse: Iterable[LimitInForce],
    measured: Mapping[str, Measured],
    spo2_scale: int,
    asked_for: timedelta,
) -> Suggestion:
    if mildest.tier is Tier.CRITICAL:
        return Suggestion(None, "the limit of an extreme is not a matter of what a patient is used to")
    return suggest(
        mildest.vital_type,
        mildest.direction,
        measured.get(mildest.vital_type),
        asked_for=asked_for,
        spo2_scale=spo2_scale,
        worse=[it.limit for it in worse],
    )


def _beside(present: LimitInForce, suggestion: Suggestion, measured: Measured | None) -> SuggestedLimit:
    suggested, direction = suggestion.limit, present.direction
    return SuggestedLimit(
        condition=present.condition,
        vital_type=present.vital_type,
        unit=present.unit,
        tier=present.tier,
        direction=direction,
        limit=present.limit,
        source=present.source,
        suggested=suggested,
        bounded=suggestion.is_bounded,
        reason=suggestion.refusal,
        readings=None if measured is None else _summary(measured),
        beyond_limit=None if measured is None else measured.beyond(direction, present.limit),
        beyond_suggested=None if measured is None or suggested is None else measured.beyond(direction, suggested),
    )


def _summary(measured: Measured) -> ReadingsSummary:
    return ReadingsSummary(
        count=measured.count,
        first_at=measured.first_at,
        last_at=measured.last_at,
        lowest=measured.counts[0][0],
        usual_lowest=measured.usual(Direction.BELOW),
        median=measured.median,
        usual_highest=measured.usual(Direction.ABOVE),
        highest=measured.counts[-1][0],
    )


def _proposal(present: PatientLimits, suggestions: Iterable[SuggestedLimit], back: timedelta) -> PatientLimitsInput:
    """The patient's own limits with the suggested ones in their places."""
    wanted = {(it.condition, it.tier): it.limit for it in present.limits if it.source is Layer.PATIENT}
    wanted |= {(it.condition, it.tier): it.suggested for it in suggestions if it.suggested is not None}
    return PatientLimitsInput(
        limits=[LimitInput(condition=condition, tier=tier, limit=limit) for (condition, tier), limit in wanted.items()],
        reason=f"from the readings of the last {back / timedelta(hours=1):g} h",
        version=present.version,
    )
