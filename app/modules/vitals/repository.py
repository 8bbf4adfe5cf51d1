"""Every query about numerics, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.vitals.frames import Reading
from app.modules.vitals.models import VitalReading
from app.modules.vitals.schemas import HistoryFilter, Moment
from app.modules.vitals.signs import NUMERICS

_COLUMNS = (VitalReading.type, VitalReading.value, VitalReading.unit, VitalReading.measured_at, VitalReading.source)


@dataclass(frozen=True, slots=True)
class NewReading:
    """A reading, whose it is, and when it came."""

    patient_id: str
    reading: Reading
    received_at: datetime


async def insert_new(session: AsyncSession, batch: Iterable[NewReading]) -> None:
    """Write the readings that are not there yet, and leave those that are."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows: list[dict[str, Any]] = [
        {
            "patient_id": stored.patient_id,
            "type": stored.reading.type,
            "measured_at": stored.reading.measured_at,
            "value": stored.reading.value,
            "unit": stored.reading.unit,
            "received_at": stored.received_at,
            "source": stored.reading.source,
        }
        for stored in batch
    ]
    # Always in one order, so that two nodes that write the same rows cannot wait for each other.
    rows.sort(key=lambda row: (row["patient_id"], row["type"], row["measured_at"]))
    connection = await session.connection()
    await connection.execute(insert(VitalReading).on_conflict_do_nothing(), rows)


async def stored_moments(session: AsyncSession, patient_id: str, moments: Sequence[Moment]) -> set[Moment]:
    """Those of the moments that hold a reading already."""
    rows = await session.execute(
        sa.select(VitalReading.type, VitalReading.measured_at).where(
            VitalReading.patient_id == patient_id,
            VitalReading.type.in_({vital_type for vital_type, _ in moments}),
            VitalReading.measured_at.in_({measured_at for _, measured_at in moments}),
        )
    )
    return {(row.type, row.measured_at) for row in rows} & set(moments)


async def newest(session: AsyncSession, patient_id: str) -> list[Reading]:
    """The newest reading of each type; one short index search for each."""
    each = [
        sa.select(*_COLUMNS)
        .where(VitalReading.patient_id == patient_id, VitalReading.type == vital_type)
        .order_by(VitalReading.measured_at.desc())
        .limit(1)
        .subquery()
        for vital_type in NUMERICS
    ]
    rows = await session.execute(sa.union_all(*(sa.select(one) for one in each)))
    return [_to_reading(row) for row in rows]


async def newest_first(session: AsyncSession, wanted: HistoryFilter, *, limit: int) -> list[Reading]:
    """A page of history; readings of the same moment come in the order of their types, backwards."""
    order = (VitalReading.measured_at.desc(), VitalReading.type.desc())
    rows = await session.execute(sa.select(*_COLUMNS).where(*_conditions(wanted)).order_by(*order).limit(limit))
    return [_to_reading(row) for row in rows]


async def oldest_first(session: AsyncSession, wanted: HistoryFilter, *, limit: int) -> list[Reading]:
    """The same, in the order in which they were measured."""
    order = (VitalReading.measured_at, VitalReading.type)
    rows = await session.execute(sa.select(*_COLUMNS).where(*_conditions(wanted)).order_by(*order).limit(limit))
    return [_to_reading(row) for row in rows]


def _conditions(wanted: HistoryFilter) -> Iterator[sa.ColumnElement[bool]]:
    yield VitalReading.patient_id == wanted.patient_id
    if wanted.type is not None:
        yield VitalReading.type == wanted.type
    if wanted.since is not None:
        yield VitalReading.measured_at >= wanted.since
    if wanted.until is not None:
        yield VitalReading.measured_at < wanted.until
    if wanted.after is not None:
        vital_type, measured_at = wanted.after
        # Says nothing that the next one does not, but lets the index begin at the right place.
        yield VitalReading.measured_at <= measured_at
        is_next_type = sa.and_(VitalReading.measured_at == measured_at, VitalReading.type < vital_type)
        yield sa.or_(VitalReading.measured_at < measured_at, is_next_type)


def _to_reading(row: Any) -> Reading:
    return Reading(row.type, row.value, row.unit, row.measured_at, source=row.source)
