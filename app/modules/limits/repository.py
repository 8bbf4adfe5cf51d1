"""Every query about limits that people have set, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import sqlalchemy as sa

from app.core.roles import Role
from app.modules.alerts.rules.schemas import Adjustment, Direction, Tier
from app.modules.limits.models import LimitChangeRow, LimitClock, LimitSettingsRow
from app.modules.limits.settings import NOTHING_SET, Change, Holder, Kind, SetLimit, Settings, Who

_CLOCK = cast(sa.Table, LimitClock.__table__)
_CHANGES = cast(sa.Table, LimitChangeRow.__table__)
_SETTINGS = cast(sa.Table, LimitSettingsRow.__table__)

_NEWEST = sa.select(_CLOCK.c.number)
_NEW_CHANGES = (
    sa.select(_CHANGES.c.number, _CHANGES.c.kind, _CHANGES.c.holder)
    .where(_CHANGES.c.number > sa.bindparam("number"))
    .order_by(_CHANGES.c.number)
)


def newest(connection: sa.Connection) -> int:
    """The number of the newest change; 0 before the first."""
    number: int = connection.scalars(_NEWEST).one()
    return number


def claim(connection: sa.Connection) -> int:
    """The same; nobody else changes limits until this transaction ends."""
    number: int = connection.scalars(_NEWEST.with_for_update()).one()
    return number


def since(connection: sa.Connection, number: int) -> list[tuple[int, Holder]]:
    """What has changed after this change, oldest first."""
    rows = connection.execute(_NEW_CHANGES, {"number": number})
    return [(row.number, Holder(Kind(row.kind), row.holder)) for row in rows]


def settings_of(connection: sa.Connection, holder: Holder) -> Settings:
    """What is set for this patient or this unit."""
    row = connection.execute(sa.select(_SETTINGS).where(_is_of(_SETTINGS, holder))).one_or_none()
    return NOTHING_SET if row is None else _to_settings(row)


def layers_of(
    connection: sa.Connection, patient_id: str, unit: sa.ScalarSelect[str | None]
) -> tuple[Settings, Settings]:
    """What is set for the patient, and for the unit that the patient lies on: one short statement."""
    is_patients = sa.and_(_SETTINGS.c.kind == Kind.PATIENT, _SETTINGS.c.holder == patient_id)
    is_units = sa.and_(_SETTINGS.c.kind == Kind.UNIT, _SETTINGS.c.holder == unit)
    rows = connection.execute(sa.select(_SETTINGS).where(sa.or_(is_patients, is_units)))
    found = {Kind(row.kind): _to_settings(row) for row in rows}
    return found.get(Kind.PATIENT, NOTHING_SET), found.get(Kind.UNIT, NOTHING_SET)


def record(connection: sa.Connection, change: Change, settings: Settings) -> None:
    """Write a change, and what is set from now on, in a transaction that has claimed the numbers."""
    holder = change.holder
    connection.execute(sa.update(_CLOCK).values(number=change.number))
    connection.execute(
        sa.insert(_CHANGES),
        {
            "number": change.number,
            "kind": holder.kind,
            "holder": holder.id,
            "changed_at": change.at,
            "user_id": change.by.user_id,
            "user_name": change.by.name,
            "user_role": change.by.role,
            "reason": change.reason,
            "before": change.before,
            "after": change.after,
        },
    )
    values = {
        "version": settings.version,
        "limits": [_from_limit(it) for it in settings.limits],
        "spo2_scale": settings.spo2_scale,
        "spo2_change": settings.spo2_change,
    }
    # Nobody else writes meanwhile, so that looking first is safe.
    changed = connection.execute(sa.update(_SETTINGS).where(_is_of(_SETTINGS, holder)).values(values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(_SETTINGS), {"kind": holder.kind, "holder": holder.id, **values})


def changes(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, Change]:
    """The changes with these numbers."""
    rows = connection.execute(sa.select(_CHANGES).where(_CHANGES.c.number.in_(numbers)))
    return {row.number: _to_change(row) for row in rows}


def newest_first(connection: sa.Connection, holder: Holder, *, before: int | None, limit: int) -> list[Change]:
    """A page of the audit of a patient or a unit; the next one is of what was `before` its last."""
    query = sa.select(_CHANGES).where(_is_of(_CHANGES, holder))
    if before is not None:
        query = query.where(_CHANGES.c.number < before)
    return [_to_change(row) for row in connection.execute(query.order_by(_CHANGES.c.number.desc()).limit(limit))]


def _is_of(table: sa.Table, holder: Holder) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.kind == holder.kind, table.c.holder == holder.id)


def _from_limit(limit: SetLimit) -> dict[str, Any]:
    it = limit.adjustment
    return {
        "condition": it.condition,
        "tier": it.tier,
        "vitalType": it.vital_type,
        "direction": it.direction,
        "limit": it.limit,
        "change": limit.change,
    }


def _to_limit(stored: dict[str, Any]) -> SetLimit:
    adjustment = Adjustment(
        stored["condition"],
        Tier(stored["tier"]),
        stored["vitalType"],
        Direction(stored["direction"]),
        float(stored["limit"]),
    )
    return SetLimit(adjustment, stored["change"])


def _to_settings(row: sa.Row[Any]) -> Settings:
    return Settings(row.version, tuple(_to_limit(it) for it in row.limits), row.spo2_scale, row.spo2_change)


def _to_change(row: sa.Row[Any]) -> Change:
    return Change(
        row.number,
        Holder(Kind(row.kind), row.holder),
        row.changed_at,
        Who(row.user_id, row.user_name, Role(row.user_role)),
        row.reason,
        row.before,
        row.after,
    )
