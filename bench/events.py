"""PURE: the alert that every server delivers: the very JSON that Tocsin sends for the one it is asked to raise."""

from __future__ import annotations

import json
from typing import Any

#: The number of the event stands behind it, in every server's event.
CONDITION_PREFIX = "bench-"

PATIENT_ID = "P1"

_FINDING: dict[str, Any] = {
    "vitalType": "heart_rate",
    "vitalsWindow": [190, 192, 188],
    "unit": "/min",
    "threshold": {"min": 40, "max": 180},
    "reasons": ["heart_rate above 180 for 3 samples"],
}


def condition(number: int) -> str:
    return f"{CONDITION_PREFIX}{number:06d}"


def raise_request(number: int, *, filling: str = "") -> bytes:
    """What Tocsin is sent. The tier escalates to nobody, so that one request is one event.

    Args:
        filling: makes the event so much longer.
    """
    body: dict[str, Any] = {
        "patientId": PATIENT_ID,
        "tier": "slight",
        "condition": condition(number),
        "recipients": ["nurse"],
        **_FINDING,
    }
    if filling:
        body["context"] = {"filling": filling}
    return json.dumps(body).encode()


def alert_event(number: int) -> bytes:
    """What Tocsin sends for it, and what the peers are given to send."""
    event = {
        "event": "alert",
        "alertId": f"{number:032x}",
        "tier": "slight",
        "priority": "low",
        "patientId": PATIENT_ID,
        "vitalType": _FINDING["vitalType"],
        "vitalsWindow": _FINDING["vitalsWindow"],
        "unit": _FINDING["unit"],
        "threshold": _FINDING["threshold"],
        "reasons": _FINDING["reasons"],
        "recipients": ["nurse"],
        "condition": condition(number),
        "kind": "physiological",
        "state": "active",
        "conditionPresent": True,
        "signal": "on",
        "responsibility": "undefined",
        "escalationLevel": 0,
        "nextEscalationAt": None,
        "timestamp": "2026-01-02T03:04:05.678901Z",
        "context": None,
        "source": "admin",
        "occurredAt": "2026-01-02T03:04:05.678901Z",
    }
    return json.dumps(event, separators=(",", ":")).encode()


def framed(number: int) -> bytes:
    """The event as a message of the stream."""
    return b"id: %d\ndata: %b\n\n" % (number, alert_event(number))
