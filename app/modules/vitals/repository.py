"""Every query about numerics, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.modules.vitals.buckets import Bucket, Grid
from app.modules.vitals.frames import Reading
from app.modules.vitals.models import VitalReading
from app.modules.vitals.schemas import HistogramBar, HistoryFilter, Moment
from app.modules.vitals.signs import NUMERICS

_COLUMNS = (VitalReading.type, VitalReading.value, VitalReading.unit, VitalReading.measured_at, VitalReading.source)

#: One short index search for each bucket. `GROUP BY` takes three times as long in either database: it computes
#: a number from each time, and SQLite then sorts all rows.
_SUMS_IN_SQLITE = sa.text("""
    SELECT json_extract(span.value, '$[0]') AS number,
           (SELECT json_array(min(value), avg(value), max(value), count(*)) FROM vital_readings
             WHERE patient_id = :patient_id AND type = :type
               AND measured_at >= json_extract(span.value, '$[1]')
               AND measured_at < json_extract(span.value, '$[2]')) AS sums
      FROM json_each(:spans) AS span
""")
_SUMS_IN_POSTGRESQL = sa.text("""
    SELECT span.number, sums.*
      FROM unnest(CAST(:numbers AS bigint[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
           AS span (number, since, until),
           LATERAL (SELECT min(value), avg(value), max(value), count(*) FROM vital_readings
                     WHERE patient_id = :patient_id AND type = :type
                       AND measured_at >= span.since AND measured_at < span.until) AS sums
""")

#: Of one type: as many as rules can look at.
MOST_OF_EACH = 2000

#: Held to the end of the transaction; the number is ours alone.
PRUNING = sa.func.pg_try_advisory_xact_lock(0x7EAD1265)


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


async def newest_of_each(
    session: AsyncSession, patient_id: str, wanted: Mapping[str, tuple[int, datetime]]
) -> list[NewReading]:
    """Of each type so many of the newest readings, and all since a moment, up to `MOST_OF_EACH`; oldest first."""
    found: dict[Moment, NewReading] = {}
    for vital_type, (samples, since) in wanted.items():
        of_type = (
            sa.select(*_COLUMNS, VitalReading.received_at)
            .where(VitalReading.patient_id == patient_id, VitalReading.type == vital_type)
            .order_by(VitalReading.measured_at.desc())
        )
        for each in (of_type.limit(samples), of_type.where(VitalReading.measured_at >= since).limit(MOST_OF_EACH)):
            for row in await session.execute(each):
                reading = _to_reading(row)
                found[reading.type, reading.measured_at] = NewReading(patient_id, reading, row.received_at)
    return sorted(found.values(), key=lambda it: it.reading.measured_at)


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


async def has_more_than(session: AsyncSession, wanted: HistoryFilter, limit: int) -> bool:
    """Whether a stretch holds more readings than so many; it is not counted further than that."""
    held = sa.select(sa.literal(1)).where(*_conditions(wanted)).offset(limit).limit(1)
    return await session.scalar(held) is not None


async def summed_up(session: AsyncSession, patient_id: str, vital_type: str, grid: Grid) -> dict[int, Bucket]:
    """The readings of one type by the number of their bucket, without the buckets that hold none."""
    of = {"patient_id": patient_id, "type": vital_type}
    if session.get_bind().dialect.name == "postgresql":
        numbers, starts, ends = zip(*grid.spans(), strict=True) if len(grid) else ((), (), ())
        found = await session.execute(_SUMS_IN_POSTGRESQL, {**of, "numbers": numbers, "starts": starts, "ends": ends})
        sums = [(number, values) for number, *values in found]
    else:
        spans = [(number, _sqlite_time(start), _sqlite_time(end)) for number, start, end in grid.spans()]
        found = await session.execute(_SUMS_IN_SQLITE, {**of, "spans": msgspec.json.encode(spans).decode()})
        sums = [(row.number, msgspec.json.decode(row.sums)) for row in found]
    return {number: Bucket(*values) for number, values in sums if values[-1]}


def patients_with_older(connection: sa.Connection, before: datetime) -> list[str]:
    """Every patient who has a reading that is older than a moment."""
    return _patients_with(connection, VitalReading.measured_at < before)


def patients_with_newer(connection: sa.Connection, since: datetime) -> list[str]:
    """Every patient who has a reading of this moment or later."""
    return _patients_with(connection, VitalReading.measured_at >= since)


def _patients_with(connection: sa.Connection, of_reading: sa.ColumnElement[bool]) -> list[str]:
    """Hops from patient to patient in the index: a plain DISTINCT would look at every reading."""
    lowest = sa.func.min(VitalReading.patient_id)
    hops = sa.select(lowest.label("id")).cte("hops", recursive=True)
    following = sa.select(lowest).where(VitalReading.patient_id > hops.c.id).correlate(hops).scalar_subquery()
    hops = hops.union_all(sa.select(following).where(hops.c.id.is_not(None)))
    has_one = sa.exists().where(VitalReading.patient_id == hops.c.id, of_reading)
    return list(connection.scalars(sa.select(hops.c.id).where(has_one)))


def prune(connection: sa.Connection, patient_id: str, *, before: datetime, most: int) -> int | None:
    """Delete about so many of a patient's oldest readings that are older than a moment: how many it were.

    Readings of one moment go together. On PostgreSQL one node prunes at a time: none is deleted, and there is
    no answer, while another does.
    """
    if connection.dialect.name == "postgresql" and not connection.scalar(sa.select(PRUNING)):
        return None
    of_patient, measured_at = VitalReading.patient_id == patient_id, VitalReading.measured_at
    older = sa.select(measured_at).where(of_patient, measured_at < before).order_by(measured_at)
    kept_from = connection.scalar(older.offset(most).limit(1))
    # One upper bound: given two, SQLite walks the index up to the later one, through all that is old.
    until = before if kept_from is None else kept_from
    return connection.execute(sa.delete(VitalReading).where(of_patient, measured_at < until)).rowcount


def _sqlite_time(moment: datetime) -> str:
    """As SQLAlchemy writes times into SQLite: they compare as text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def histogram(
    connection: sa.Connection, patient_id: str, types: Iterable[str], *, since: datetime, until: datetime
) -> list[HistogramBar]:
    """How often each value was measured, type by type, lowest first: hours of readings as a few hundred rows."""
    tenths = sa.func.round(VitalReading.value * 10).label("tenths")
    moments = sa.func.min(VitalReading.measured_at), sa.func.max(VitalReading.measured_at)
    rows = connection.execute(
        sa.select(VitalReading.type, tenths, sa.func.count(), *moments)
        .where(
            VitalReading.patient_id == patient_id,
            VitalReading.type.in_(types),
            VitalReading.measured_at >= since,
            VitalReading.measured_at < until,
        )
        .group_by(VitalReading.type, tenths)
        .order_by(VitalReading.type, tenths)
    )
    return [HistogramBar(sign, tenths / 10, count, first, last) for sign, tenths, count, first, last in rows]


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
