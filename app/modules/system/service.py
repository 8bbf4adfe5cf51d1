"""How this node and the whole installation are doing, put together from those who know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.core.operations import ReadinessChecks
from app.core.roles import Role
from app.modules.alerts.schemas import EscalationTimers, OpenAlerts
from app.modules.devices.schemas import DeviceCounts
from app.modules.system.schemas import Connections, Streams, System


@dataclass(frozen=True, slots=True)
class SystemService:
    """Asks around.

    Attributes:
        streams: how many alert streams are open on this node, by transport and role.
        vitals_viewers: how many sockets watch vital signs on this node.
        device_sockets: how many sockets devices send on to this node.
        escalations: the timers of the whole database.
        open_alerts: those of the whole database.
        devices: those that the whole database knows.
    """

    version: str
    started_at: datetime
    checks: ReadinessChecks
    streams: Callable[[], Mapping[tuple[str, Role], int]]
    vitals_viewers: Callable[[], int]
    device_sockets: Callable[[], int]
    escalations: Callable[[], Awaitable[EscalationTimers]]
    open_alerts: Callable[[], Awaitable[OpenAlerts]]
    devices: Callable[[], Awaitable[DeviceCounts]]

    async def look(self) -> System:
        """Everything as it is now; each part is counted by itself, a moment apart."""
        return System(
            version=self.version,
            started_at=self.started_at,
            checks=await self.checks.run(),
            connections=self._connections(),
            escalations=await self.escalations(),
            open_alerts=await self.open_alerts(),
            devices=await self.devices(),
        )

    def _connections(self) -> Connections:
        by_transport: dict[str, dict[Role, int]] = {"sse": {}, "websocket": {}}
        for (transport, role), count in self.streams().items():
            by_transport[transport][role] = count
        sse, websocket = Streams.of(by_transport["sse"]), Streams.of(by_transport["websocket"])
        total = sse.total + websocket.total
        return Connections(
            sse=sse,
            websocket=websocket,
            sse_share=sse.total / total if total else None,
            vitals_viewers=self.vitals_viewers(),
            devices=self.device_sockets(),
        )
