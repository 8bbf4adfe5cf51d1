from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.core.roles import Role
from app.modules.alerts.lifecycle import (
    AcknowledgeStatus,
    Actor,
    EscalationStep,
    Event,
    EventType,
    Finding,
    Plan,
    Tier,
    acknowledge,
    condition_gone,
    raise_alert,
    resolve,
)
from app.modules.alerts.schemas import (
    NOTE_LENGTH,
    AlertAcknowledgmentRequest,
    AlertAckPayload,
    AlertEventView,
    AlertPayload,
    Cursor,
    NotACursor,
    alert_document,
    encode_alert_event,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NURSE = Actor("u-nurse", "Nora", Role.NURSE)

#: The contract's example of an alert event, word for word.
CONTRACT = """
{"event": "alert", "alertId": "dda6f61b8eb64fd9b9d726be638d94bf", "tier": "critical", "priority": "high",
 "patientId": "123", "vitalType": "heart_rate", "vitalsWindow": [190, 192, 188], "unit": "/min",
 "threshold": {"min": 40, "max": 180}, "reasons": ["heart_rate above 180 for 3 samples"],
 "recipients": ["patient", "nurse"], "condition": "heart_rate_high", "kind": "physiological",
 "state": "active", "conditionPresent": true, "signal": "on", "responsibility": "undefined", "escalationLevel": 0, "nextEscalationAt": "2026-01-02T03:04:35Z",
 "timestamp": "2026-01-02T03:04:05Z", "context": null, "source": "rules"}
"""  # noqa: E501

FINDING = Finding(
    tier=Tier.CRITICAL,
    reasons=("heart_rate above 180 for 3 samples",),
    vitals_window=(190.0, 192.0, 188.0),
    unit="/min",
    threshold={"min": 40.0, "max": 180.0},
)
PLAN = Plan(frozenset({Role.NURSE, Role.PATIENT}), (EscalationStep(timedelta(seconds=30), frozenset({Role.DOCTOR})),))


def raised(finding: Finding = FINDING) -> Event:
    [event] = raise_alert(
        "dda6f61b8eb64fd9b9d726be638d94bf", "123", "heart_rate_high", "heart_rate", finding, PLAN, now=NOW
    ).events
    return event


def decoded(event: Event) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(encode_alert_event(event))
    return document


def test_an_event_has_the_fields_and_values_of_the_contracts_example() -> None:
    """Fails when a field is renamed, left out, or written as another type (checked with each kind)."""
    expected = json.loads(CONTRACT)
    text = encode_alert_event(raised()).decode()

    assert json.loads(text) == expected | {"occurredAt": "2026-01-02T03:04:05Z"}
    assert text.startswith('{"event":"alert","alertId":"dda6f61b8eb64fd9b9d726be638d94bf","tier":"critical"')
    assert '"vitalsWindow":[190,192,188]' in text, "whole numbers are written as people write them"
    assert "\n" not in text


def test_an_acknowledgement_says_who_in_which_role_and_what() -> None:
    [event] = acknowledge(
        raised().alert, NURSE, now=NOW + timedelta(seconds=9), status=AcknowledgeStatus.CONFIRMED, note="on my way"
    ).events

    document = decoded(event)
    assert document["event"] == "alert_acknowledged"
    assert (document["acknowledgedBy"], document["acknowledgedByUser"]) == ("nurse", "u-nurse")
    assert (document["acknowledgedByName"], document["acknowledgedAt"]) == ("Nora", "2026-01-02T03:04:14Z")
    assert (document["status"], document["note"]) == ("confirmed", "on my way")
    assert (document["state"], document["signal"], document["responsibility"]) == (
        "acknowledged",
        "acknowledged",
        "accepted",
    )
    assert document["nextEscalationAt"] is None
    assert (document["timestamp"], document["occurredAt"]) == ("2026-01-02T03:04:05Z", "2026-01-02T03:04:14Z")


def test_a_resolution_says_when_and_by_whom_where_it_was_somebody() -> None:
    by_hand = alert_document(resolve(raised().alert, now=NOW, actor=NURSE, note="transferred").alert)
    assert (by_hand["state"], by_hand["signal"], by_hand["resolvedAt"]) == ("resolved", "off", "2026-01-02T03:04:05Z")
    assert (by_hand["resolvedBy"], by_hand["resolvedByUser"], by_hand["resolvedByName"]) == ("nurse", "u-nurse", "Nora")
    assert by_hand["resolutionNote"] == "transferred"

    milder = raised(replace(FINDING, tier=Tier.MODERATE)).alert
    by_itself = alert_document(condition_gone(milder, now=NOW).alert)
    assert (by_itself["state"], by_itself["resolvedAt"]) == ("resolved", "2026-01-02T03:04:05Z")
    assert "resolvedBy" not in by_itself


def test_nobody_is_named_in_an_alert_that_nobody_has_touched() -> None:
    named = {name for name in decoded(raised()) if name.startswith(("acknowledged", "resolved"))}

    assert named | ({"status", "note"} & decoded(raised()).keys()) == set()


@pytest.mark.parametrize("event_type", EventType)
def test_every_event_is_what_the_interface_description_says(event_type: EventType) -> None:
    alert = resolve(acknowledge(raised().alert, NURSE, now=NOW).alert, now=NOW, actor=NURSE).alert

    document = decoded(Event(event_type, alert, NOW))

    assert AlertEventView.model_validate(document).model_dump(mode="json", by_alias=True) == document


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(NUMBERS, max_size=5), st.lists(st.text(min_size=1), min_size=1, max_size=3), st.none() | JSON_VALUES)
def test_whatever_an_alert_says_reaches_its_readers_unchanged(
    window: list[float], reasons: list[str], value: object
) -> None:
    event = raised(
        replace(FINDING, vitals_window=tuple(window), reasons=tuple(reasons), context={"value": value}, threshold=None)
    )

    document = decoded(event)

    assert document["vitalsWindow"] == window
    assert document["reasons"] == reasons
    assert document["context"] == {"value": value}
    assert document["threshold"] is None
    assert b"\n" not in encode_alert_event(event)


LEAST = {"patientId": "123", "vitalType": "heart_rate", "tier": "critical", "reasons": ["too fast"]}


def test_another_system_raises_an_alert_with_four_fields() -> None:
    payload = AlertPayload.model_validate(LEAST)

    assert (payload.patient_id, payload.tier, payload.kind) == ("123", Tier.CRITICAL, "physiological")
    assert (payload.condition, payload.recipients, payload.timestamp, payload.context) == (None, None, None, None)


def test_a_time_with_its_offset_is_kept_in_utc() -> None:
    payload = AlertPayload.model_validate(LEAST | {"timestamp": "2026-01-02T05:04:05+02:00"})

    assert payload.timestamp == NOW
    assert payload.timestamp.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("patientId", None),
        ("patientId", ""),
        ("patientId", "p" * 65),
        ("patientId", "p/1"),
        ("patientId", "p1\n"),
        ("vitalType", "heart rate"),
        ("tier", "fatal"),
        ("reasons", []),
        ("reasons", [""]),
        ("reasons", ["x" * 501]),
        ("reasons", ["x"] * 21),
        ("reasons", ["\ud800"]),
        ("reasons", ["a\0b"]),
        ("vitalsWindow", [math.nan]),
        ("vitalsWindow", [math.inf]),
        ("vitalsWindow", [1.0] * 1001),
        ("unit", "x" * 17),
        ("unit", "\0"),
        ("threshold", {"min": math.nan}),
        ("threshold", {"low": 1}),
        ("condition", "too fast"),
        ("kind", "mystical"),
        ("recipients", []),
        ("recipients", ["cook"]),
        ("recipients", ["nurse", "device"]),
        ("context", []),
        ("context", {"value": math.nan}),
        ("context", {"value": [{"deep": -math.inf}]}),
        ("context", {"value": "\ud800"}),
        ("context", {"value": "\0"}),
        ("context", {"value": "x" * 32_768}),
        ("context", {"\udc00": 1}),
        ("timestamp", "2026-01-02T03:04:05"),
        ("timestamp", "0001-01-01T00:00:00+01:00"),
        ("patient", "123"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_its_name(field: str, value: object) -> None:
    """For `context` and `recipients` checked by taking their validators out."""
    with pytest.raises(ValidationError) as refused:
        AlertPayload.model_validate(LEAST | {field: value})

    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@given(st.dictionaries(st.text(st.characters()), JSON_VALUES | st.floats() | st.text(st.characters()), max_size=3))
def test_a_context_that_is_accepted_can_be_written_to_the_log(context: dict[str, Any]) -> None:
    """Python's JSON parser also takes NaN and half a character; fails without the validator (checked so)."""
    try:
        payload = AlertPayload.model_validate(LEAST | {"context": context})
    except ValidationError:
        return

    assert decoded(raised(replace(FINDING, context=payload.context)))["context"] == context


def test_an_acknowledgement_may_leave_everything_out() -> None:
    request = AlertAcknowledgmentRequest.model_validate({})

    assert (request.status, request.note) == (AcknowledgeStatus.ACKNOWLEDGED, None)


@pytest.mark.parametrize("status", ["acknowledged", "confirmed", "false_alarm", "resolved"])
def test_an_acknowledgement_has_the_contracts_statuses(status: str) -> None:
    assert AlertAcknowledgmentRequest.model_validate({"status": status}).status == status


def test_a_note_has_at_most_two_thousand_characters() -> None:
    assert NOTE_LENGTH == 2000
    AlertAcknowledgmentRequest.model_validate({"note": "n" * 2000})
    with pytest.raises(ValidationError, match="at most 2000"):
        AlertAcknowledgmentRequest.model_validate({"note": "n" * 2001})


def test_the_legacy_websocket_acknowledges_with_the_contracts_frame() -> None:
    frame = {"event": "ack", "alertId": "a1", "patientId": "123", "status": "false_alarm", "note": "lead off"}
    payload = AlertAckPayload.model_validate(frame)

    assert (payload.alert_id, payload.patient_id) == ("a1", "123")
    assert (payload.status, payload.note) == (AcknowledgeStatus.FALSE_ALARM, "lead off")
    with pytest.raises(ValidationError):
        AlertAckPayload.model_validate(frame | {"event": "nack"})


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("a1b2c3-7", Cursor("a1b2c3", 7)),
        ("a1b2c3-0", Cursor("a1b2c3", 0)),
        (" a1b2c3-7 ", Cursor("a1b2c3", 7)),
        ("a-b-7", Cursor("a-b", 7)),
        ("a-999999999999999999", Cursor("a", 10**18 - 1)),
    ],
)
def test_a_cursor_names_the_log_and_a_position_in_it(text: str, cursor: Cursor) -> None:
    assert Cursor.parse(text) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "-7",
        "a1b2c3",
        "a1b2c3-",
        "a-1.5",
        "a-+1",
        "a-1_0",
        "a-\N{ARABIC-INDIC DIGIT SEVEN}",
        "a-\N{SUPERSCRIPT TWO}",
        "a-x",
        "a-1000000000000000000",
    ],
)
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    """Fails when digits of other scripts, or more than a database holds, are let through (checked with each)."""
    with pytest.raises(NotACursor):
        Cursor.parse(text)


@given(st.from_regex(r"[0-9a-f]{1,32}", fullmatch=True), st.integers(0, 10**18 - 1))
def test_a_cursor_reads_back_as_it_was_written(epoch: str, seq: int) -> None:
    assert Cursor.parse(str(Cursor(epoch, seq))) == Cursor(epoch, seq)


@given(st.text(st.characters()))
def test_whatever_a_client_brings_is_a_cursor_or_is_refused_as_none(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except NotACursor:
        return
    assert cursor.epoch
    assert 0 <= cursor.seq < 10**18
