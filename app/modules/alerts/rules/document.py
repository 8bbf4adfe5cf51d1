"""What a rules file looks like. Its JSON Schema is made from this."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

from app.core.roles import AUDIENCE_ROLES, Role, in_order
from app.modules.alerts.lifecycle import EscalationStep, Kind, Plan, Tier
from app.modules.alerts.rules.book import Clearing, Condition, Level, worst_first
from app.modules.alerts.rules.criteria import (
    NEWS2,
    Change,
    Combination,
    Course,
    Criterion,
    Direction,
    Limit,
    NoReading,
)
from app.modules.alerts.rules.timing import Repetition, Timing

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Samples = Annotated[int, Field(ge=1, le=1000)]

_AUDIENCE: Final = [role.value for role in in_order(AUDIENCE_ROLES)]


def _of_the_audience(written: Any) -> Role:
    if written not in _AUDIENCE:
        raise ValueError(f"use one of {', '.join(_AUDIENCE)}")
    return Role(written)


#: Every role but `device`.
Recipient = Annotated[
    Role, BeforeValidator(_of_the_audience), WithJsonSchema({"enum": _AUDIENCE, "title": "Role", "type": "string"})
]
Recipients = Annotated[list[Recipient], Field(min_length=1)]

#: At most a day: whoever writes more has mistaken the unit.
Seconds = Annotated[float, Field(gt=0, le=86_400)]
SecondsOrNone = Annotated[float, Field(ge=0, le=86_400)]

#: How old an observation may be to have a part in a score: as long as the longest interval at which
#: NEWS2 asks for another one (RCP 2017, chart 4: 12 hours at a score of 0).
NEWS2_MAX_AGE_SECONDS: Final = 12 * 3600.0

#: How old the value of one sign may be where another one's reading asks for both.
COMBINED_MAX_AGE_SECONDS: Final = 300.0


# The plugin asks for the names of Python to be understood as well, because only then can it check who builds such a
# part by hand. Nobody does, and a rules file that may be written in two spellings is not what its schema says.
class _Part(BaseModel):  # type: ignore[pydantic-alias]
    model_config = ConfigDict(  # type: ignore[pydantic-alias]
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
    )


class Step(_Part):
    """Who is told besides, when nobody has acknowledged for so long after the step before."""

    after_seconds: Seconds
    recipients: Recipients


class TierPlan(_Part):
    """Who is told of a tier at once, and then step by step."""

    recipients: Recipients
    escalation: list[Step] = []

    def built(self) -> Plan:
        steps = (EscalationStep(_seconds(step.after_seconds), frozenset(step.recipients)) for step in self.escalation)
        return Plan(frozenset(self.recipients), tuple(steps))


class Tiers(_Part):
    """Every tier says who is told."""

    slight: TierPlan
    moderate: TierPlan
    critical: TierPlan


class _Leaf(_Part):
    """A criterion about one vital sign: the condition's, where it names no other."""

    vital_type: Name | None = None
    max_age_seconds: Seconds | None = Field(
        None, description="Inside `all` and `any`: an older value does not count; 300 when left out."
    )

    def _max_age(self, *, is_part: bool) -> timedelta | None:
        return _seconds(self.max_age_seconds or COMBINED_MAX_AGE_SECONDS) if is_part else None


class Above(_Leaf):
    """The value is above this; on it, it is not."""

    above: Number

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        sign = self.vital_type or vital_type
        return Limit(sign, Direction.ABOVE, self.above, self._max_age(is_part=is_part))


class Below(_Leaf):
    """The value is below this; on it, it is not."""

    below: Number

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        sign = self.vital_type or vital_type
        return Limit(sign, Direction.BELOW, self.below, self._max_age(is_part=is_part))


class Outside(_Leaf):
    """The value is below the first or above the second of two limits."""

    outside: Annotated[list[Number], Field(min_length=2, max_length=2)]

    @field_validator("outside")
    @classmethod
    def _lowest_first(cls, limits: list[float]) -> list[float]:
        if limits[0] >= limits[1]:
            raise ValueError("write the lower limit first")
        return limits

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        sign, max_age = self.vital_type or vital_type, self._max_age(is_part=is_part)
        sides = zip((Direction.BELOW, Direction.ABOVE), self.outside, strict=True)
        return Combination(tuple(Limit(sign, side, limit, max_age) for side, limit in sides), needs_all=False)


class _Moved(_Part):
    vital_type: Name | None = None
    within_seconds: Annotated[float, Field(gt=0, le=1800)]

    def _change(self, vital_type: str, course: Course, by: float) -> Criterion:
        return Change(self.vital_type or vital_type, course, by, _seconds(self.within_seconds))


class Rise(_Moved):
    """The value is at least so much above the lowest of the last seconds."""

    rise: Positive

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return self._change(vital_type, Course.RISE, self.rise)


class Fall(_Moved):
    """The value is at least so much below the highest of the last seconds."""

    fall: Positive

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return self._change(vital_type, Course.FALL, self.fall)


class Move(_Moved):
    """The value has moved by at least so much in the last seconds, up or down."""

    change: Positive

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return self._change(vital_type, Course.CHANGE, self.change)


class Silence(_Part):
    """Nothing has come for so long of a vital sign that had been measured."""

    vital_type: Name | None = None
    no_reading_for_seconds: Seconds

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return NoReading(self.vital_type or vital_type, _seconds(self.no_reading_for_seconds))


class NEWS2Total(_Part):
    """The total of NEWS2 is at least this. What was not measured scores nothing."""

    news2_total: Annotated[int, Field(ge=1, le=20)]
    max_age_seconds: Seconds = NEWS2_MAX_AGE_SECONDS

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return NEWS2(_seconds(self.max_age_seconds), total=self.news2_total)


class NEWS2Single(_Part):
    """A single parameter of NEWS2 has at least so many points."""

    news2_single: Annotated[int, Field(ge=1, le=3)]
    max_age_seconds: Seconds = NEWS2_MAX_AGE_SECONDS

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return NEWS2(_seconds(self.max_age_seconds), single=self.news2_single)


class All(_Part):
    """Every one of these holds at once."""

    all: Annotated[list[When], Field(min_length=2, max_length=16)]

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return Combination(tuple(part.built(vital_type, is_part=True) for part in self.all), needs_all=True)


class AnyOf(_Part):
    """At least one of these holds."""

    any: Annotated[list[When], Field(min_length=2, max_length=16)]

    def built(self, vital_type: str, *, is_part: bool = False) -> Criterion:
        return Combination(tuple(part.built(vital_type, is_part=True) for part in self.any), needs_all=False)


_KINDS: Final = (
    "above", "below", "outside", "rise", "fall", "change",
    "noReadingForSeconds", "news2Total", "news2Single", "all", "any",
)  # fmt: skip

#: What stands in the path of an error besides the keys and places of the file.
TAGS: Final = frozenset(f"when {kind}" for kind in _KINDS)


def kind_of(written: Any) -> str | None:
    """The one key that says what a criterion is; none where that is not clear."""
    found = [kind for kind in _KINDS if isinstance(written, dict) and kind in written]
    return found[0] if len(found) == 1 else None


def _tag_of(written: Any) -> str | None:
    kind = kind_of(written)
    return f"when {kind}" if kind else None


When = Annotated[
    Annotated[Above, Tag("when above")]
    | Annotated[Below, Tag("when below")]
    | Annotated[Outside, Tag("when outside")]
    | Annotated[Rise, Tag("when rise")]
    | Annotated[Fall, Tag("when fall")]
    | Annotated[Move, Tag("when change")]
    | Annotated[Silence, Tag("when noReadingForSeconds")]
    | Annotated[NEWS2Total, Tag("when news2Total")]
    | Annotated[NEWS2Single, Tag("when news2Single")]
    | Annotated[All, Tag("when all")]
    | Annotated[AnyOf, Tag("when any")],
    Discriminator(
        _tag_of,
        custom_error_type="unclear_criterion",
        custom_error_message=f"say what must hold with exactly one of {', '.join(_KINDS)}",
    ),
]


class Repeated(_Part):
    """So many separate violations within so long count, whatever the delay."""

    times: Annotated[int, Field(ge=2, le=100)]
    within_seconds: Seconds


class LevelOf(_Part):
    """One stage of a condition: what must hold, and when it counts. Without delays and samples, at once."""

    tier: Annotated[Tier, Field(strict=False)]
    when: When
    samples: Samples = Field(1, description="Consecutive samples that it takes.")
    condition_delay_seconds: SecondsOrNone = Field(0.0, description="How long it must hold to be an alarm condition.")
    signal_delay_seconds: SecondsOrNone = Field(0.0, description="How long that must hold to be signalled.")
    repeated: Repeated | None = None
    burden: Positive | None = Field(
        None, description="Magnitude × duration, in the unit times seconds, from which on it counts."
    )

    def built(self, vital_type: str) -> Level:
        repeated = self.repeated
        repetition = Repetition(repeated.times, _seconds(repeated.within_seconds)) if repeated else None
        timing = Timing(
            self.samples,
            _seconds(self.condition_delay_seconds),
            _seconds(self.signal_delay_seconds),
            repetition,
            self.burden,
        )
        return Level(self.tier, self.when.built(vital_type), timing)


class Clear(_Part):
    """When the condition is gone."""

    samples: Samples = Field(1, description="Consecutive normal samples that it takes.")
    seconds: SecondsOrNone = Field(0.0, description="How long it must have been normal.")
    hysteresis: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="By how much, in the unit, a value must be back within every limit to be normal."
    )

    def built(self) -> Clearing:
        return Clearing(self.samples, _seconds(self.seconds), self.hysteresis)


class ConditionOf(_Part):
    """One thing that can be wrong with a patient."""

    name: Name
    vital_type: Name = Field(description="What it is about: a type of reading, or `news2`.")
    unit: Annotated[str, Field(max_length=16)]
    kind: Annotated[Kind, Field(strict=False)] = Kind.PHYSIOLOGICAL
    levels: Annotated[list[LevelOf], Field(min_length=1, max_length=3)]
    clear: Clear = Clear()

    def built(self) -> Condition:
        levels = worst_first([level.built(self.vital_type) for level in self.levels])
        return Condition(self.name, self.vital_type, self.unit, levels, self.clear.built(), self.kind)


class RulesFile(_Part):
    """Tocsin's alert rules."""

    schema_address: str | None = Field(None, alias="$schema", description="For editors; it is not looked at.")
    max_reading_age_seconds: Seconds = Field(120.0, description="An older reading raises nothing, and ends nothing.")
    tiers: Tiers
    conditions: list[ConditionOf]

    @property
    def oldest_reading(self) -> timedelta:
        return _seconds(self.max_reading_age_seconds)


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
