"""Limits that people have set: kept, changed with who and why, and laid over those of the rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import Clock
from app.core.db import Database
from app.core.errors import InvalidField
from app.core.metrics import Metrics
from app.core.roles import Role
from app.modules.alerts.rules.schemas import (
    Adjusted,
    Adjustment,
    AlarmSettings,
    Layer,
    LevelsOutOfOrder,
    LimitsCrossed,
    NoWayBack,
    RuleBook,
    adjustable_limits,
    check_way_back,
    lay_over,
)
from app.modules.limits import repository
from app.modules.limits.errors import LimitsChanged
from app.modules.limits.feed import LimitFeed
from app.modules.limits.schemas import (
    LimitChange,
    LimitChanges,
    LimitInput,
    PatientLimits,
    PatientLimitsInput,
    Person,
    SignRange,
    UnitLimits,
    UnitLimitsInput,
    limits_in_force,
)
from app.modules.limits.settings import NOTHING_SET, Change, Holder, Kind, Settings, Who
from app.modules.patients.service import Move, PatientService

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is set for a patient and for the unit, and what comes of it under the rules of this moment."""

    own: Settings
    of_unit: Settings
    unit: str | None
    adjusted: Adjusted
    changes: Mapping[int, Change]


class LimitsService:
    """An `AlarmSettingsReader` and a `MoveListener`.

    Args:
        rules: the rules in force at this moment.
        signs: every vital sign that rules can have limits for.
    """

    def __init__(
        self,
        db: Database,
        feed: LimitFeed,
        patients: PatientService,
        rules: Callable[[], RuleBook],
        signs: Mapping[str, SignRange],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._db = db
        self._feed = feed
        self._patients = patients
        self._rules = rules
        self._signs = signs
        self._clock = clock
        self._metrics = metrics

    async def settings_of(self, patient_id: str) -> AlarmSettings:
        """What holds for the patient where it is not what the rules say; what does not fit them is left out."""
        unit = self._patients.unit_of(patient_id)
        own, of_unit = await self._db.glance(lambda it: repository.layers_of(it, patient_id, unit))
        adjusted = lay_over(self._rules(), unit=of_unit.adjustments, patient=own.adjustments, signs=self._signs)
        for it in adjusted.passed_over:
            self._metrics.limits_passed_over.inc()
            _log.warning("limits.do_not_fit", condition=it.adjustment.condition, layer=it.layer, problem=it.reason)
        return AlarmSettings(adjusted.limits, own.spo2_scale)

    async def of_patient(self, patient_id: str) -> PatientLimits:
        """Every adjustable limit as it holds for the patient.

        Raises:
            UnknownPatient: there is no such patient.
        """
        await self._patients.require(patient_id)
        standing = await self._db.run_read(lambda it: self._standing_of_patient(it, patient_id))
        own = standing.own
        layers = {Layer.PATIENT: own, Layer.UNIT: standing.of_unit}
        limits, ignored = limits_in_force(standing.adjusted, layers, standing.changes, self._signs)
        spo2_change = standing.changes[own.spo2_change] if own.spo2_change else None
        return PatientLimits(
            patient_id=patient_id,
            unit=standing.unit,
            version=own.version,
            limits=limits,
            ignored=ignored,
            spo2_scale=own.spo2_scale,
            spo2_scale_set_by=Person.of(spo2_change.by) if spo2_change else None,
            spo2_scale_set_at=spo2_change.at if spo2_change else None,
        )

    async def of_unit(self, unit: str) -> UnitLimits:
        """Every adjustable limit as it holds on the unit, but for patients with limits of their own."""

        def read(connection: sa.Connection) -> tuple[Settings, Mapping[int, Change]]:
            settings = repository.settings_of(connection, Holder(Kind.UNIT, unit))
            return settings, repository.changes(connection, settings.changes)

        settings, changes = await self._db.run_read(read)
        adjusted = lay_over(self._rules(), unit=settings.adjustments, signs=self._signs)
        limits, ignored = limits_in_force(adjusted, {Layer.UNIT: settings}, changes, self._signs)
        return UnitLimits(unit=unit, version=settings.version, limits=limits, ignored=ignored)

    async def set_for_patient(self, patient_id: str, wanted: PatientLimitsInput, by: Who) -> PatientLimits:
        """From now on the patient's own limits are exactly these. To set what is set already changes nothing.

        Raises:
            InvalidField: a limit cannot be.
            LimitsChanged: somebody else has changed them since the version that this is based on.
            UnknownPatient: there is no such patient.
        """
        await self._patients.require(patient_id)
        holder = Holder(Kind.PATIENT, patient_id)
        if await self._set(holder, wanted, by, spo2_scale=wanted.spo2_scale):
            return await self.of_patient(patient_id)
        raise LimitsChanged((await self.of_patient(patient_id)).model_dump(mode="json", by_alias=True))

    async def set_for_unit(self, unit: str, wanted: UnitLimitsInput, by: Who) -> UnitLimits:
        """From now on the unit's limits are exactly these. To set what is set already changes nothing.

        Raises:
            InvalidField: a limit cannot be.
            LimitsChanged: somebody else has changed them since the version that this is based on.
        """
        if await self._set(Holder(Kind.UNIT, unit), wanted, by):
            return await self.of_unit(unit)
        raise LimitsChanged((await self.of_unit(unit)).model_dump(mode="json", by_alias=True))

    async def changes(self, holder: Holder, *, before: int | None, limit: int) -> LimitChanges:
        """A page of the audit, newest first."""
        found = await self._db.run_read(lambda it: repository.newest_first(it, holder, before=before, limit=limit + 1))
        page = found[:limit]
        return LimitChanges(
            changes=[LimitChange.of(it) for it in page],
            next_cursor=str(page[-1].number) if len(found) > limit else None,
        )

    async def moving(self, session: AsyncSession, move: Move) -> None:
        """A move changes which limits hold: it belongs in the audit, and in the feed that every node follows."""
        by = Who(move.by.user_id, move.by.name, Role.ADMIN)
        holder = Holder(Kind.PATIENT, move.patient_id)

        def record(connection: sa.Connection) -> None:
            number = repository.claim(connection) + 1
            present = repository.settings_of(connection, holder)
            change = Change(
                number,
                holder,
                self._clock.now(),
                by,
                f"moved from {move.before or 'no unit'} to {move.after or 'no unit'}",
                present.record(Kind.PATIENT, move.before),
                present.record(Kind.PATIENT, move.after),
            )
            kept = present.changed(number, present.adjustments)
            repository.record(connection, change, kept)

        await (await session.connection()).run_sync(record)

    async def moved(self) -> None:
        await self._told(Kind.PATIENT)

    async def _set(self, holder: Holder, wanted: UnitLimitsInput, by: Who, spo2_scale: int | None = None) -> bool:
        """Whether what is wanted is set now; otherwise somebody else has set something since."""
        book = self._rules()
        adjustments = self._checked(book, wanted.limits)
        now = self._clock.now()

        def change(connection: sa.Connection) -> str:
            number = repository.claim(connection) + 1
            unit, below = None, NOTHING_SET
            if holder.kind is Kind.PATIENT:
                expression = self._patients.unit_of(holder.id)
                unit = connection.scalar(sa.select(expression))
                _, below = repository.layers_of(connection, holder.id, expression)
            present = repository.settings_of(connection, holder)
            _require_sense(book, below, adjustments, self._signs)
            new = present.changed(number, adjustments, spo2_scale)
            if new.is_same_as(present):
                return "same"
            if wanted.version is not None and wanted.version != present.version:
                return "refused"
            before, after = present.record(holder.kind, unit), new.record(holder.kind, unit)
            repository.record(connection, Change(number, holder, now, by, wanted.reason, before, after), new)
            return "changed"

        outcome = await self._db.run_write(change)
        if outcome == "changed":
            await self._told(holder.kind)
        return outcome != "refused"

    async def _told(self, kind: Kind) -> None:
        self._metrics.limit_changes.labels(of=kind).inc()
        await self._feed.announce()

    def _standing_of_patient(self, connection: sa.Connection, patient_id: str) -> _Standing:
        expression = self._patients.unit_of(patient_id)
        unit = connection.scalar(sa.select(expression))
        own, of_unit = repository.layers_of(connection, patient_id, expression)
        adjusted = lay_over(self._rules(), unit=of_unit.adjustments, patient=own.adjustments, signs=self._signs)
        changes = repository.changes(connection, own.changes | of_unit.changes)
        return _Standing(own, of_unit, unit, adjusted, changes)

    def _checked(self, book: RuleBook, wanted: Sequence[LimitInput]) -> list[Adjustment]:
        """The limits as they are stored, each of them one that the rules have and that a patient can reach."""
        known = {it.key: it for it in adjustable_limits(book)}
        conditions = {condition for condition, _ in known}
        checked: dict[tuple[str, str], Adjustment] = {}
        for place, it in enumerate(wanted):
            if it.condition not in conditions:
                raise InvalidField(f"limits[{place}].condition", "the rules have no limit of such a condition")
            if (of := known.get((it.condition, it.tier))) is None:
                tiers = ", ".join(tier for condition, tier in known if condition == it.condition)
                raise InvalidField(f"limits[{place}].tier", f"the limits of this condition are: {tiers}")
            sign = self._signs[of.vital_type]
            if not sign.lowest < it.limit < sign.highest:
                raise InvalidField(
                    f"limits[{place}].limit",
                    f"must lie between {sign.lowest:g} and {sign.highest:g} {sign.unit}".strip(),
                )
            if of.key in checked:
                raise InvalidField(f"limits[{place}]", "this limit stands there twice")
            checked[of.key] = Adjustment(it.condition, it.tier, of.vital_type, of.direction, it.limit)
        return list(checked.values())


def _require_sense(
    book: RuleBook, below: Settings, adjustments: Sequence[Adjustment], signs: Mapping[str, SignRange]
) -> None:
    """Refuse limits that make no sense together with the others, over what holds where they are silent.

    Raises:
        InvalidField: a worse tier could not be reached, no value would be normal, or an alarm would never end.
    """
    limits = lay_over(book, unit=below.adjustments, signs=signs).limits | {it.key: it.limit for it in adjustments}
    try:
        adjusted = book.with_limits(limits)
        for condition in adjusted.conditions:
            check_way_back(condition, signs)
    except LimitsCrossed as error:
        raise InvalidField(_field_of(error.conditions, adjustments) or "limits", str(error)) from None
    except (LevelsOutOfOrder, NoWayBack) as error:
        field = _field_of({error.condition}, adjustments) or "limits"
        raise InvalidField(field, f"{error.condition}: {error}") from None


def _field_of(conditions: Collection[str], adjustments: Sequence[Adjustment]) -> str | None:
    """The first limit of one of these conditions, as the request has it."""
    return next((f"limits[{place}].limit" for place, it in enumerate(adjustments) if it.condition in conditions), None)
