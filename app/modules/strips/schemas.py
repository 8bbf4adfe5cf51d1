"""What a strip looks like on the wire, as JSON and as MessagePack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from pydantic import Field

from app.core.timestamps import to_rfc3339
from app.core.wire import WireModel
from app.modules.strips.strip import Segment, Strip

JSON, MSGPACK, SVG = "application/json", "application/msgpack", "image/svg+xml"


class SegmentView(WireModel):
    """Samples at one constant rate, without a gap."""

    timestamp: datetime = Field(description="When the first sample was taken, by the server's clock.")
    device_timestamp: datetime = Field(description="The same, by the clock of the device.")
    sample_rate: float = Field(description="In Hz.")
    samples: list[float]


class TraceView(WireModel):
    """One lead; between its segments nothing came."""

    type: str = Field(examples=["ecg"])
    lead: str | None = Field(examples=["II"])
    unit: str = Field(examples=["mV"])
    segments: list[SegmentView]


class StripView(WireModel):
    """What was measured from 10 s before an alert to 5 s after it.

    `complete` is false, and `end` where the samples end, until 7 s after the alert; for ever where the server was
    stopped in them.
    """

    alert_id: str
    patient_id: str
    start: datetime
    end: datetime
    alert_at: datetime
    complete: bool
    waveforms: list[TraceView]


def encode_json(strip: Strip) -> bytes:
    """A `StripView`."""
    return msgspec.json.encode(_document(strip, lambda segment: {"samples": segment.values()}))


def encode_msgpack(strip: Strip) -> bytes:
    """The same, with samples as a `bin` of little-endian int16; a value is `count * scale + offset`."""
    return msgspec.msgpack.encode(
        _document(
            strip,
            lambda segment: {"samples": segment.counts, "scale": segment.scale, "offset": segment.offset},
        )
    )


def _document(strip: Strip, samples_of: Callable[[Segment], dict[str, Any]]) -> dict[str, Any]:
    return {
        "alertId": strip.alert_id,
        "patientId": strip.patient_id,
        "start": to_rfc3339(strip.start),
        "end": to_rfc3339(strip.end),
        "alertAt": to_rfc3339(strip.alert_at),
        "complete": strip.is_complete,
        "waveforms": [
            {
                "type": trace.type,
                "lead": trace.lead,
                "unit": trace.unit,
                "segments": [_segment(segment) | samples_of(segment) for segment in trace.segments],
            }
            for trace in strip.traces
        ],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "timestamp": to_rfc3339(segment.started_at),
        "deviceTimestamp": to_rfc3339(segment.device_started_at),
        "sampleRate": segment.sample_rate_hz,
    }
