"""Every query about devices, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.modules.devices.models import IS_AWAITED, IS_SILENT, DevicePresence


class Device(NamedTuple):
    """One account's sockets for one patient."""

    patient_id: str
    user_id: str


class Heard(NamedTuple):
    """When a device was heard last, and whether more is expected."""

    at: datetime
    is_expected: bool


class Suspect(NamedTuple):
    """A device whose row says that something is to be done: raise an alert, or end it."""

    device: Device
    last_seen_at: datetime
    is_silent: bool


_DEVICES = cast(sa.Table, DevicePresence.__table__)
_ONE = sa.and_(_DEVICES.c.patient_id == sa.bindparam("patient"), _DEVICES.c.user_id == sa.bindparam("user"))
_HAS_ENDED = sa.and_(
    IS_SILENT, sa.or_(sa.not_(_DEVICES.c.is_expected), _DEVICES.c.last_seen_at != _DEVICES.c.silent_since)
)

_SIGN_OFF = sa.update(_DEVICES).where(_ONE).values(last_seen_at=sa.bindparam("at"), is_expected=False)
_COLUMNS = (_DEVICES.c.patient_id, _DEVICES.c.user_id, _DEVICES.c.last_seen_at)
_SUSPECTS = sa.union_all(
    sa.select(*_COLUMNS, sa.literal_column("1").label("is_silent")).where(
        IS_AWAITED, _DEVICES.c.last_seen_at < sa.bindparam("cutoff")
    ),
    sa.select(*_COLUMNS, sa.literal_column("0").label("is_silent")).where(_HAS_ENDED),
)
_MARK_SILENT = (
    sa.update(_DEVICES)
    .where(_ONE, IS_AWAITED, _DEVICES.c.last_seen_at == sa.bindparam("seen"))
    .values(silent_since=_DEVICES.c.last_seen_at)
)
_MARK_BACK = sa.update(_DEVICES).where(_ONE, _HAS_ENDED).values(silent_since=None)
_DISMISS = sa.update(_DEVICES).where(_ONE, _DEVICES.c.is_expected).values(is_expected=False)
_EXPECTED_OF = sa.select(*_COLUMNS[:2]).where(_DEVICES.c.is_expected)
_COUNTS = sa.select(
    sa.func.count().filter(_DEVICES.c.is_expected), sa.func.count().filter(_DEVICES.c.silent_since.is_not(None))
).select_from(_DEVICES)


def write(connection: sa.Connection, heard: Sequence[tuple[Device, Heard]]) -> None:
    """Write when devices were heard last; one that is heard is expected from then on."""
    # Always in one order, so that two nodes that write the same rows cannot wait for each other.
    rows = sorted(heard)
    if seen := [_to_row(device, it) for device, it in rows if it.is_expected]:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = insert(_DEVICES)
        new = statement.excluded
        # Where a device has signed off elsewhere since it was heard here, that holds.
        upsert = statement.on_conflict_do_update(
            index_elements=[_DEVICES.c.patient_id, _DEVICES.c.user_id],
            set_={"last_seen_at": new.last_seen_at, "is_expected": True},
            where=sa.or_(_DEVICES.c.is_expected, _DEVICES.c.last_seen_at < new.last_seen_at),
        )
        connection.execute(upsert, seen)
    if gone := [{**_to_key(device), "at": it.at} for device, it in rows if not it.is_expected]:
        connection.execute(_SIGN_OFF, gone)


def suspects(connection: sa.Connection, cutoff: datetime) -> list[Suspect]:
    """Devices that were expected and have not been heard since, and silent ones whose silence has ended."""
    rows = connection.execute(_SUSPECTS, {"cutoff": cutoff})
    return [
        Suspect(Device(row.patient_id, row.user_id), row.last_seen_at, is_silent=bool(row.is_silent)) for row in rows
    ]


def mark_silent(connection: sa.Connection, device: Device, last_seen_at: datetime) -> bool:
    """Note that the silence since then is alarmed; false where it is over, or has been noted by another."""
    return connection.execute(_MARK_SILENT, {**_to_key(device), "seen": last_seen_at}).rowcount == 1


def mark_back(connection: sa.Connection, device: Device) -> bool:
    """Note that the silence is over; false where it is not, or has been noted by another."""
    return connection.execute(_MARK_BACK, _to_key(device)).rowcount == 1


def dismiss(connection: sa.Connection, device: Device) -> None:
    """Expect nothing more of a device."""
    connection.execute(_DISMISS, _to_key(device))


def expected(connection: sa.Connection, user_id: str) -> list[Device]:
    """The patients for whom an account is expected to send."""
    rows = connection.execute(_EXPECTED_OF.where(_DEVICES.c.user_id == user_id))
    return [Device(*row) for row in rows]


def alarmed(connection: sa.Connection) -> list[Device]:
    """Devices whose silence is alarmed."""
    return [Device(*row) for row in connection.execute(_EXPECTED_OF.where(IS_SILENT))]


def counts(connection: sa.Connection) -> tuple[int, int]:
    """How many devices are expected to send, and how many of them are silent."""
    expected_count, silent_count = connection.execute(_COUNTS).one()
    return expected_count, silent_count


def _to_key(device: Device) -> dict[str, Any]:
    return {"patient": device.patient_id, "user": device.user_id}


def _to_row(device: Device, heard: Heard) -> dict[str, Any]:
    return {
        "patient_id": device.patient_id,
        "user_id": device.user_id,
        "last_seen_at": heard.at,
        "is_expected": True,
    }
