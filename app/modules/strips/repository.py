"""Every query about strips, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.modules.strips.models import AlertStrip
from app.modules.strips.strip import Trace

_STRIPS = cast(sa.Table, AlertStrip.__table__)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Trace, ...]).decode


@dataclass(frozen=True, slots=True)
class Part:
    """What one node has recorded around an alert.

    Attributes:
        settled_until: up to then, nothing that was on its way when it was written is missing.
    """

    alert_id: str
    node: str
    alert_at: datetime
    settled_until: datetime
    traces: tuple[Trace, ...]


def put(connection: sa.Connection, parts: Sequence[Part]) -> None:
    """Write parts; each takes the place of what its node had written before."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(_STRIPS)
    newer = {name: statement.excluded[name] for name in ("alert_at", "settled_until", "traces")}
    statement = statement.on_conflict_do_update(index_elements=["alert_id", "node"], set_=newer)
    connection.execute(
        statement,
        [
            {
                "alert_id": part.alert_id,
                "node": part.node,
                "alert_at": part.alert_at,
                "settled_until": part.settled_until,
                "traces": _encode(part.traces),
            }
            for part in parts
        ],
    )


def parts_of(connection: sa.Connection, alert_id: str) -> list[Part]:
    """Everything that was recorded around an alert."""
    rows: Iterable[sa.Row[tuple[object, ...]]] = connection.execute(
        sa.select(_STRIPS).where(_STRIPS.c.alert_id == alert_id).order_by(_STRIPS.c.node)
    )
    return [Part(row.alert_id, row.node, row.alert_at, row.settled_until, _decode(row.traces)) for row in rows]
