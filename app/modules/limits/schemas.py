"""Limits on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from app.core.errors import InvalidField
from app.core.wire import Id, Text, WireInput, WireModel
from app.modules.alerts.rules.schemas import Adjusted, Direction, InForce, Layer, PassedOver, Tier
from app.modules.limits.settings import Change, Settings, Who

#: More than any rules file has limits.
MOST_LIMITS = 500

LONGEST_REASON = 500


def _require_reason(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_REASON:
        raise ValueError(f"say why, in 1 to {LONGEST_REASON} characters")
    return text


Reason = Annotated[
    Text,
    AfterValidator(_require_reason),
    Field(
        description="Why; it is kept for ever, with your name.",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST_REASON},
    ),
]
Version = Annotated[
    int | None,
    Field(ge=0, description="The `version` that this is based on; where it is no longer that one, nothing is changed."),
]
SpO2Scale = Annotated[int, Field(strict=True, ge=1, le=2, description="The SpO2 scale of NEWS2.")]


@dataclass(frozen=True, slots=True)
class SignRange:
    """The unit of a vital sign, and the values between which its limits lie."""

    unit: str
    lowest: float
    highest: float


class LimitInput(WireInput):
    """A limit: that of one condition at one tier."""

    condition: Id = Field(examples=["spo2_low"])
    tier: Tier
    limit: Annotated[float, Field(strict=True, description="In the unit of the sign.", examples=[88])]


class UnitLimitsInput(WireInput):
    """The unit's own limits, all of them; those of the rules hold for the rest."""

    limits: Annotated[list[LimitInput], Field(max_length=MOST_LIMITS)]
    reason: Reason
    version: Version = None


class PatientLimitsInput(UnitLimitsInput):
    """The patient's own limits, all of them; those of the unit and of the rules hold for the rest."""

    spo2_scale: SpO2Scale | None = Field(None, description="Stays as it is when it is left out.")


class Person(WireModel):
    """Who has set something, and in which role."""

    user_id: str
    name: str
    role: str

    @classmethod
    def of(cls, who: Who) -> Self:
        return cls(user_id=who.user_id, name=who.name, role=who.role)


class LimitInForce(WireModel):
    """A limit that holds: the patient's, else the unit's, else that of the rules."""

    condition: str
    vital_type: str
    unit: str = Field(description="In which the limit is measured.")
    tier: Tier
    direction: Direction
    limit: float
    default: float = Field(description="The limit of the rules.")
    source: Layer
    set_by: Person | None
    set_at: datetime | None


class IgnoredLimit(WireModel):
    """A limit that somebody has set, and that does not fit any more."""

    condition: str
    tier: Tier
    limit: float
    source: Layer
    reason: str
    set_by: Person
    set_at: datetime


class UnitLimits(WireModel):
    """Every limit that can be adjusted, as it holds on a unit."""

    unit: str
    version: int = Field(description="Names this state: send it along with a change that is based on it.")
    limits: list[LimitInForce]
    ignored: list[IgnoredLimit]


class PatientLimits(WireModel):
    """Every limit that can be adjusted, as it holds for a patient."""

    patient_id: str
    unit: str | None = Field(description="The unit that the patient lies on.")
    version: int = Field(description="Names this state: send it along with a change that is based on it.")
    limits: list[LimitInForce]
    ignored: list[IgnoredLimit]
    spo2_scale: SpO2Scale
    spo2_scale_set_by: Person | None
    spo2_scale_set_at: datetime | None


class LimitSet(WireModel):
    """A limit as the audit keeps it."""

    condition: str
    tier: str
    limit: float


class Recorded(WireModel):
    """What was set; the scale and the unit only of a patient."""

    limits: list[LimitSet]
    spo2_scale: int | None = None
    unit: str | None = None


class LimitChange(WireModel):
    """Who has changed what, when and why."""

    number: int
    changed_at: datetime
    changed_by: Person
    reason: str
    before: Recorded
    after: Recorded

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(
            number=change.number,
            changed_at=change.at,
            changed_by=Person.of(change.by),
            reason=change.reason,
            before=Recorded.model_validate(change.before),
            after=Recorded.model_validate(change.after),
        )


class LimitChanges(WireModel):
    """A page of the audit, newest first; ask again with `cursor=nextCursor` for what is older."""

    changes: list[LimitChange]
    next_cursor: str | None


class ReadingsSummary(WireModel):
    """What a suggestion was computed from: all readings of the sign in that time."""

    count: int
    first_at: datetime
    last_at: datetime
    lowest: float
    usual_lowest: float = Field(description="1 of 50 readings is below.")
    median: float
    usual_highest: float = Field(description="1 of 50 readings is above.")
    highest: float


class SuggestedLimit(WireModel):
    """What the patient's own readings suggest for one limit, beside the one in force."""

    condition: str
    vital_type: str
    unit: str
    tier: Tier
    direction: Direction
    limit: float
    source: Layer
    suggested: float | None
    bounded: bool = Field(description="Whether the readings alone would have suggested one further out.")
    reason: str | None = Field(description="Why nothing is suggested.")
    readings: ReadingsSummary | None
    beyond_limit: int | None = Field(description="How many of the readings lie beyond the limit in force.")
    beyond_suggested: int | None = Field(description="How many lie beyond the suggested one.")


class Suggestions(WireModel):
    """Limits that the patient's own readings suggest. None holds before a person has set it."""

    patient_id: str
    since: datetime
    until: datetime
    suggestions: list[SuggestedLimit]
    proposal: PatientLimitsInput = Field(description="The body that sets all of them, to be looked at and changed.")


def limits_in_force(
    adjusted: Adjusted,
    layers: Mapping[Layer, Settings],
    changes: Mapping[int, Change],
    signs: Mapping[str, SignRange],
) -> tuple[list[LimitInForce], list[IgnoredLimit]]:
    """The limits that hold and those that do not, each with who has set it.

    Args:
        changes: by their numbers, at least those that the layers name.
    """
    numbers = {(layer, it.adjustment.key): it.change for layer, settings in layers.items() for it in settings.limits}

    def in_force(it: InForce) -> LimitInForce:
        of, number = it.of, numbers.get((it.layer, it.of.key))
        change = None if number is None else changes[number]
        return LimitInForce(
            condition=of.condition,
            vital_type=of.vital_type,
            unit=signs[of.vital_type].unit,
            tier=of.tier,
            direction=of.direction,
            limit=it.limit,
            default=of.limit,
            source=it.layer,
            set_by=Person.of(change.by) if change else None,
            set_at=change.at if change else None,
        )

    def ignored(it: PassedOver) -> IgnoredLimit:
        adjustment = it.adjustment
        change = changes[numbers[it.layer, adjustment.key]]
        return IgnoredLimit(
            condition=adjustment.condition,
            tier=adjustment.tier,
            limit=adjustment.limit,
            source=it.layer,
            reason=it.reason,
            set_by=Person.of(change.by),
            set_at=change.at,
        )

    return [in_force(it) for it in adjusted.in_force], [ignored(it) for it in adjusted.passed_over]


def read_cursor(cursor: str) -> int:
    """The number that a page of the audit ended with.

    Raises:
        InvalidField: the cursor is not one that we have written.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise InvalidField("cursor", "use the nextCursor of the page before, as it is")
    return int(cursor)
