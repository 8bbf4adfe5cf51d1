"""What an operator sees at a glance."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from app.core.roles import Role, in_order
from app.core.wire import Timestamp, WireModel
from app.modules.alerts.schemas import EscalationTimers, OpenAlerts
from app.modules.devices.schemas import DeviceCounts


class Streams(WireModel):
    """Alert streams of one transport that are open on this node."""

    total: int
    by_role: dict[Role, int] = Field(description="Those of each role in which somebody listens.")

    @classmethod
    def of(cls, counts: dict[Role, int]) -> Self:
        return cls(total=sum(counts.values()), by_role={role: counts[role] for role in in_order(counts)})


class Connections(WireModel):
    """What is open on this node."""

    sse: Streams = Field(description="Alert streams as server-sent events.")
    websocket: Streams = Field(description="Alert streams over the legacy WebSocket.")
    sse_share: float | None = Field(
        ge=0, le=1, description="How far the move from the WebSocket has come: null where no alert stream is open."
    )
    vitals_viewers: int = Field(description="WebSockets on which vital signs are watched.")
    devices: int = Field(description="WebSockets on which vital signs are sent.")


class System(WireModel):
    """`version`, `startedAt`, `checks` and `connections` are of this node alone, the rest of the whole database."""

    version: str
    started_at: Timestamp
    checks: dict[str, str] = Field(description="As in `/readyz`: `ok`, or in a few words what is wrong.")
    connections: Connections
    escalations: EscalationTimers
    open_alerts: OpenAlerts
    devices: DeviceCounts
