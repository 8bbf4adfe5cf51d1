"""What the interface description says of the event streams."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.core.errors import SCHEMAS
from app.core.roles import Role
from app.core.wire import WireModel
from app.modules.alerts.encoding import ClosingReason, NotRecovered
from app.modules.alerts.schemas import AlertEventView


class StreamOpened(WireModel):
    """Data of `stream.opened`, which is always first."""

    epoch: str = Field(description="Names the alert log; ids of another one mean nothing here.")
    cursor: str = Field(description="The position in the log that the stream begins at.")
    recovered: bool = Field(description="Whether everything after the cursor that was brought follows.")
    reason: NotRecovered | None = Field(None, description="Why it does not, where a cursor was brought.")


class StreamScope(WireModel):
    """Data of `stream.scope`: what the stream covers, at its beginning and whenever that changes.

    Take down what you show of others.
    """

    patient_ids: list[str] | None = Field(description="Whose alerts; null for every patient.")
    roles: list[Role] = Field(description="Alerts to whom; with `admin` among them, to everybody.")


class StreamReady(WireModel):
    """Data of `stream.ready`: the snapshot, or what was missed, is complete."""

    cursor: str
    sent: int = Field(description="How many alert events have been sent so far.")


class StreamClosing(WireModel):
    """Data of `stream.closing`, which is last when the server ends the stream."""

    reason: ClosingReason
    retry_ms: int = Field(description="When to connect again, in milliseconds.")


_ABOUT = """
`stream.opened` comes first, then `stream.scope` and a snapshot of the open alerts (without ids) or, with a cursor,
everything that was missed, then `stream.ready`, then live events. Alert events are unnamed messages, each with one line
of JSON. A quiet stream carries its current `id` and a comment. `stream.closing` says why the server ends the
stream: connect again with the last id.
"""


def _message(data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One kind of message, as OpenAPI 3.2 describes server-sent events."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {"type": "object", "required": ["data"], "properties": {"data": text, **fields}}


def _control(event: str, data: type[WireModel], **fields: Any) -> dict[str, Any]:
    return _message({"$ref": SCHEMAS + data.__name__}, event={"const": event}, **fields)


#: What is no body of a route, and has a place among the document's schemas all the same.
STREAM_MESSAGES = (AlertEventView, StreamOpened, StreamScope, StreamReady, StreamClosing)

_ID = {"type": "string", "description": "`<epoch>-<seq>`; bring it as `Last-Event-ID` to go on from there."}
_RETRY = {"type": "integer", "minimum": 0}

#: The answer of a route that opens an event stream.
EVENT_STREAM: dict[str, Any] = {
    "description": _ABOUT.strip(),
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "itemSchema": {
                "anyOf": [
                    _message({"$ref": SCHEMAS + AlertEventView.__name__}, id=_ID),
                    _control("stream.opened", StreamOpened, retry=_RETRY),
                    _control("stream.scope", StreamScope),
                    _control("stream.ready", StreamReady, id=_ID),
                    _control("stream.closing", StreamClosing, retry=_RETRY),
                ]
            },
        }
    },
}
