"""What alerts look like on the wire, in the log, and to those who read the log."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

import msgspec
from pydantic import ConfigDict, Field, field_validator

from app.core.access import Scope
from app.core.roles import AUDIENCE_ROLES, Role, in_order
from app.core.timestamps import to_rfc3339
from app.core.wire import Id, Text, Timestamp, WireInput, WireModel
from app.modules.alerts.lifecycle import AcknowledgeStatus, Alert, Event, Kind, Priority, State, Tier

NOTE_LENGTH = 2000

#: A context goes to every reader of the alert, so that it is bounded like a message, not like a file.
CONTEXT_BYTES = 32_768

Note = Annotated[Text, Field(max_length=NOTE_LENGTH, description="Free text, at most 2,000 characters.")]
Reason = Annotated[Text, Field(min_length=1, max_length=500)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]


class AlertAcknowledgmentRequest(WireInput):
    """The body of an acknowledgement; both fields may be left out."""

    status: AcknowledgeStatus = AcknowledgeStatus.ACKNOWLEDGED
    note: Note | None = None


class AlertResolutionRequest(WireInput):
    """The body of closing an alert by hand."""

    note: Note | None = None


class Threshold(WireInput):
    """The limits that were crossed, in the alert's unit."""

    min: FiniteFloat | None = None
    max: FiniteFloat | None = None


class AlertPayload(WireInput):
    """An alert as another system raises it."""

    patient_id: Id
    vital_type: Id
    tier: Tier
    reasons: Annotated[list[Reason], Field(min_length=1, max_length=20)]
    vitals_window: Annotated[list[FiniteFloat], Field(max_length=1000)] = Field(default_factory=list)
    unit: Annotated[Text, Field(max_length=16)] | None = None
    threshold: Threshold | None = None
    condition: Id | None = Field(None, description="What is wrong; the vital type when left out.")
    kind: Kind = Kind.PHYSIOLOGICAL
    recipients: Annotated[list[Role], Field(min_length=1)] | None = Field(
        None, description="Who is told at once; the tier's recipients when left out."
    )
    context: dict[str, Any] | None = Field(None, description="Anything else, at most 32,768 bytes as JSON.")
    timestamp: Timestamp | None = Field(None, description="When it began; the present when left out.")

    @field_validator("recipients")
    @classmethod
    def _receive_alerts(cls, recipients: list[Role] | None) -> list[Role] | None:
        for role in recipients or []:
            if role not in AUDIENCE_ROLES:
                raise ValueError(f"`{role}` receives no alerts")
        return recipients

    @field_validator("context")
    @classmethod
    def _is_json(cls, context: dict[str, Any] | None) -> dict[str, Any] | None:
        # Python's JSON parser takes NaN, Infinity and half a surrogate pair; the log could not hold them.
        try:
            encoded = msgspec.json.encode(context)
            is_json = msgspec.json.decode(encoded) == context
        except (ValueError, RecursionError):
            is_json, encoded = False, b""
        if not is_json or rb"\u0000" in encoded:
            raise ValueError("it holds something that JSON cannot carry, such as NaN, NUL or half a character")
        if len(encoded) > CONTEXT_BYTES:
            raise ValueError(f"it is {len(encoded):,} bytes as JSON, and may be {CONTEXT_BYTES:,}")
        return context


class AlertAckPayload(WireInput):
    """An acknowledgement as the legacy WebSocket sends it."""

    event: Literal["ack"]
    alert_id: Id
    patient_id: Id
    status: AcknowledgeStatus = AcknowledgeStatus.ACKNOWLEDGED
    note: Note | None = None


#: Of an answer that is written by hand, and leaves out what does not apply.
_SPARSE = ConfigDict(json_schema_serialization_defaults_required=False)


class ThresholdView(WireModel):
    """The limits of the vital sign, as they were; a side that has none is left out."""

    model_config = _SPARSE

    min: float | None = None
    max: float | None = None


class AlertView(WireModel):
    """An alert as it stands. Fields are added, never removed: ignore those you do not know."""

    model_config = _SPARSE

    alert_id: str
    tier: Tier
    priority: Literal["low", "medium", "high"]
    patient_id: str
    vital_type: str
    vitals_window: list[float]
    unit: str | None
    threshold: ThresholdView | None
    reasons: list[str]
    recipients: list[Role]
    condition: str
    kind: Kind
    state: State
    condition_present: bool
    signal: Literal["on", "latched", "acknowledged", "off"]
    responsibility: Literal["undefined", "accepted", "rejected"]
    escalation_level: int
    next_escalation_at: datetime | None
    timestamp: datetime
    context: dict[str, Any] | None
    source: str
    acknowledged_by: Role | None = None
    acknowledged_by_user: str | None = None
    acknowledged_by_name: str | None = None
    acknowledged_at: datetime | None = None
    status: AcknowledgeStatus | None = None
    note: str | None = None
    resolved_by: Role | None = None
    resolved_by_user: str | None = None
    resolved_by_name: str | None = None
    resolved_at: datetime | None = None
    resolution_note: str | None = None


class AlertEventView(AlertView):
    """One event of an alert, as streams carry it."""

    event: Literal["alert", "alert_updated", "alert_escalated", "alert_acknowledged", "alert_resolved"]
    occurred_at: datetime


class AlertDetail(AlertView):
    """An alert with everything that has happened to it, oldest first."""

    timeline: list[AlertEventView]


class AlertPage(WireModel):
    """A page of history, newest first; ask again with `cursor=nextCursor` for what is older."""

    alerts: list[AlertView]
    next_cursor: str | None


class AlertOutcome(AlertView):
    """The answer to an acknowledgement or a resolution, with the alert's new state."""

    message: str


class EscalationTimers(WireModel):
    """The timers of escalation in the whole database, on which any node acts."""

    running: int
    overdue: int = Field(description="Those that are due and that nobody has acted on yet; hardly ever any.")
    next_due_at: Timestamp | None = Field(description="When the first of all is due; in the past where it is overdue.")


class OpenAlertsOfTier(WireModel):
    tier: Tier
    open: int
    unacknowledged: int


class OpenAlerts(WireModel):
    """The open alerts in the whole database, and how many of them nobody has acknowledged."""

    open: int
    unacknowledged: int
    by_tier: list[OpenAlertsOfTier] = Field(description="Every tier, the worst first.")


def alert_document(alert: Alert) -> dict[str, Any]:
    """The alert as JSON-ready values; who acknowledged or resolved it only where somebody has."""
    finding = alert.finding
    document: dict[str, Any] = {
        "alertId": alert.alert_id,
        "tier": alert.tier,
        "priority": alert.tier.priority,
        "patientId": alert.patient_id,
        "vitalType": alert.vital_type,
        "vitalsWindow": [_number(value) for value in finding.vitals_window],
        "unit": finding.unit,
        "threshold": None if finding.threshold is None else {k: _number(v) for k, v in finding.threshold.items()},
        "reasons": list(finding.reasons),
        "recipients": in_order(alert.recipients),
        "condition": alert.condition,
        "kind": alert.kind,
        "state": alert.state,
        "conditionPresent": alert.condition_present,
        "signal": alert.signal,
        "responsibility": alert.responsibility,
        "escalationLevel": alert.escalation_level,
        "nextEscalationAt": None if alert.next_escalation_at is None else to_rfc3339(alert.next_escalation_at),
        "timestamp": to_rfc3339(alert.raised_at),
        "context": finding.context,
        "source": alert.source,
    }
    if (acknowledgement := alert.acknowledgement) is not None:
        document |= {
            "acknowledgedBy": acknowledgement.actor.role,
            "acknowledgedByUser": acknowledgement.actor.user_id,
            "acknowledgedByName": acknowledgement.actor.name,
            "acknowledgedAt": to_rfc3339(acknowledgement.at),
            "status": acknowledgement.status,
            "note": acknowledgement.note,
        }
    if (resolution := alert.resolution) is not None:
        document["resolvedAt"] = to_rfc3339(resolution.at)
        if resolution.actor is not None:
            document |= {
                "resolvedBy": resolution.actor.role,
                "resolvedByUser": resolution.actor.user_id,
                "resolvedByName": resolution.actor.name,
                "resolutionNote": resolution.note,
            }
    return document


def encode_alert_event(event: Event) -> bytes:
    """The event as the JSON that every reader of the log gets, encoded this one time."""
    return msgspec.json.encode({"event": event.type, **alert_document(event.alert), "occurredAt": to_rfc3339(event.at)})


def _number(value: float) -> float | int:
    """190.0 as 190, as devices and people write it."""
    return int(value) if value == int(value) else value


class _Prioritised(msgspec.Struct):
    priority: Priority = Priority.LOW


_PRIORITISED = msgspec.json.Decoder(_Prioritised)
_URGENCY = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


class NotACursor(ValueError):
    """A text that is no `<epoch>-<seq>`."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in one alert log. `epoch` names the log, so that no other's is mistaken for it."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """
        Raises:
            NotACursor: it is not one.
        """
        epoch, separator, seq = text.strip().rpartition("-")
        if not separator or not epoch or not (seq.isascii() and seq.isdigit()) or len(seq) > 18:
            raise NotACursor(text)
        return cls(epoch, int(seq))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of the log.

    Attributes:
        audience: mask of the roles that it is addressed to.
        payload: the event as JSON.
        occurred_at: when it happened, by the clock of the node that wrote it.
        frames: the event's bytes on each wire, made once however many read them.
    """

    epoch: str
    seq: int
    alert_id: str
    patient_id: str
    event: str
    audience: int
    payload: bytes
    occurred_at: datetime
    frames: dict[Hashable, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def urgency(self) -> int:
        """The rank of the alert's priority: 0 goes first."""
        return _URGENCY[_PRIORITISED.decode(self.payload).priority]


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the log holds: everything after `pruned_through`, up to `head`."""

    epoch: str
    pruned_through: int
    head: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries of the log that a scope covers; nothing that it covers is missing up to `through`.

    Attributes:
        is_last: there was nothing more when it was read.
    """

    entries: list[LogEntry]
    through: int
    is_last: bool


class LogReader(Protocol):
    """How the manager reads the log; the repository is one."""

    async def bounds(self) -> LogBounds: ...

    async def newest(self, *, through: int, limit_bytes: int) -> list[LogEntry]:
        """The last entries up to a position, in order, about as many as make up so many bytes of payload."""
        ...

    async def time_of(self, seq: int) -> datetime | None:
        """When the event with this number was written; none where there is no such event."""
        ...

    async def page(self, scope: Scope | None, *, after: int) -> LogPage:
        """The next entries after a position, for a scope or (for none) for everybody."""
        ...

    async def open_alerts(
        self, scope: Scope, *, through: int, after: int, patient_ids: frozenset[str] | None = None
    ) -> LogPage:
        """The latest event of alerts that are open, among those whose latest lies in (after, through]."""
        ...
