"""What the demo shows is what it was told, and never more than it knows."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.commands.demo.handout import acknowledge_command, follow_command, on_one_line, on_short_lines
from app.commands.demo.headless import format_event
from app.commands.demo.model import Link, Number, WardModel
from app.commands.demo.server import demo_environment
from app.commands.demo.view import alert_style, elapsed, next_step, render
from app.commands.demo.ward import NURSE, PASSWORD, PEOPLE

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "http://127.0.0.1:8000"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(alert_id: str = "a1", seconds: float = 0, **fields: Any) -> dict[str, Any]:
    return {
        "event": "alert",
        "alertId": alert_id,
        "tier": "critical",
        "priority": "high",
        "patientId": "bed-3",
        "vitalType": "spo2",
        "vitalsWindow": [86, 82, 79],
        "unit": "%",
        "threshold": {"min": 80},
        "reasons": ["SpO2 below 80"],
        "kind": "physiological",
        "state": "active",
        "signal": "on",
        "escalationLevel": 0,
        "nextEscalationAt": "2026-01-02T03:04:35Z",
        "timestamp": at(seconds).isoformat().replace("+00:00", "Z"),
    } | fields


def vital(value: object, seconds: float = 0, kind: str = "spo2") -> dict[str, Any]:
    timestamp = at(seconds).isoformat().replace("+00:00", "Z")
    return {"patientId": "bed-3", "type": kind, "value": value, "unit": "%", "timestamp": timestamp}


def model_of(*events: dict[str, Any]) -> WardModel:
    model = WardModel()
    model.opened(recovered=False)
    model.ready(START)
    for one in events:
        model.alert(one)
    return model


def screen(model: WardModel, now: datetime = START) -> str:
    written = io.StringIO()
    Console(width=140, file=written).print(render(model, now, url=URL, authorization="@/tmp/nurse.header"))
    return written.getvalue()


def test_the_worst_come_first_and_then_the_newest() -> None:
    model = model_of(
        event("low", priority="low", seconds=9),
        event("high-old", seconds=1),
        event("medium", priority="medium", seconds=8),
        event("high-new", seconds=2),
    )
    assert [alert.alert_id for alert in model.open_alerts()] == ["high-new", "high-old", "medium", "low"]


@pytest.mark.parametrize(
    ("fields", "symbol"),
    [
        ({"priority": "high"}, "***"),
        ({"priority": "medium"}, "**"),
        ({"priority": "low"}, "*"),
        ({"kind": "technical"}, "!!!"),
        ({"priority": "unheard of"}, "*"),
    ],
)
def test_the_priority_can_be_told_without_colour(fields: dict[str, Any], symbol: str) -> None:
    assert model_of(event(**fields)).open_alerts()[0].symbol == symbol


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "79 < 80 %"),
        ({"vitalsWindow": [190.5], "threshold": {"min": 40, "max": 180}, "unit": "/min"}, "190.5 > 180 /min"),
        ({"vitalsWindow": [85]}, "SpO2 below 80"),
        ({"threshold": None, "reasons": ["lead off", "\x1b[2J"]}, "lead off; ?[2J"),
        ({"threshold": None, "reasons": None}, ""),
    ],
)
def test_an_alert_says_what_and_against_which_limit(fields: dict[str, Any], message: str) -> None:
    assert model_of(event(**fields)).open_alerts()[0].message == message


SILENT: dict[str, Any] = {
    "kind": "technical", "vitalType": "device", "priority": "medium", "tier": "moderate",
    "vitalsWindow": [], "threshold": None, "unit": None, "reasons": ["device silent since 2026-01-02T03:04:05Z"],
}  # fmt: skip


def test_a_technical_alert_is_cyan_with_a_symbol_of_its_own_and_says_what_is_wrong_once() -> None:
    model = model_of(event(**SILENT))
    (alert,) = model.open_alerts()
    assert "cyan" in alert_style(alert, START)
    assert "!!!  bed-3    device silent since 2026-01-02T03:04:05Z" in screen(model)
    battery = event(kind="technical", vitalType="battery", vitalsWindow=[9], threshold={"min": 15})
    assert "battery 9 < 15" in screen(model_of(battery))


def test_whoever_acknowledged_owns_it_through_later_updates() -> None:
    taken = event(
        event="alert_acknowledged",
        state="acknowledged",
        acknowledgedBy="nurse",
        acknowledgedByUser="u1",
        acknowledgedByName="Nurse",
        nextEscalationAt=None,
    )
    model = model_of(event(), taken, event(event="alert_updated", state="acknowledged", nextEscalationAt=None))
    (alert,) = model.open_alerts()
    assert (alert.owner, alert.state, alert.until_escalation(START)) == ("Nurse (nurse)", "acknowledged", None)


def test_an_alert_that_is_active_again_has_no_owner() -> None:
    taken = event(state="acknowledged", acknowledgedBy="nurse", acknowledgedByUser="u1")
    model = model_of(event(), taken, event(event="alert_updated"))
    assert model.open_alerts()[0].owner == ""


def test_a_resolved_alert_is_gone_even_when_it_was_never_seen_open() -> None:
    model = model_of(
        event(), event("a2"), event(event="alert_resolved", state="resolved"), event("a9", state="resolved")
    )
    assert [alert.alert_id for alert in model.open_alerts()] == ["a2"]


def test_the_age_counts_from_when_it_was_raised_and_not_from_the_last_event() -> None:
    model = model_of(event(seconds=0), event(event="alert_escalated", seconds=30, escalationLevel=1))
    (alert,) = model.open_alerts()
    assert (alert.age(at(45)), alert.escalation_level) == (timedelta(seconds=45), 1)


def test_a_snapshot_removes_what_was_resolved_while_we_were_away() -> None:
    model = model_of(event("gone"), event("stays"))
    model.lost("nothing heard for 45 s", at(50))
    model.opened(recovered=False)
    model.alert(event("stays"))
    assert len(model.open_alerts()) == 2
    model.ready(at(60))
    assert [alert.alert_id for alert in model.open_alerts()] == ["stays"]


def test_a_recovered_stream_removes_nothing() -> None:
    model = model_of(event("stays"))
    model.lost("nothing heard for 45 s", at(50))
    model.opened(recovered=True)
    model.ready(at(60))
    assert [alert.alert_id for alert in model.open_alerts()] == ["stays"]


def test_a_lost_connection_is_unmistakable_and_timed_from_its_first_failure() -> None:
    model = model_of(event())
    model.lost("connection refused", at(10))
    model.lost("still refused", at(20))
    assert (model.link, model.link_since) == (Link.LOST, at(10))
    shown = screen(model, at(70))
    assert "!!! CONNECTION LOST for 1:00: WHAT IS BELOW IS OLD" in shown
    assert "still refused" in shown
    assert "LIVE" not in shown


def test_a_number_shows_its_age_when_old_and_is_missing_when_too_old() -> None:
    model = WardModel()
    assert model.number("bed-3", "spo2", START) == Number("--")
    model.vital(vital(96.0))
    assert model.number("bed-3", "spo2", at(2)) == Number("96")
    assert model.number("bed-3", "spo2", at(12)) == Number("96", timedelta(seconds=12))
    assert model.number("bed-3", "spo2", at(31)) == Number("--")


def test_what_is_measured_now_and_then_holds_for_longer() -> None:
    model = WardModel()
    model.vital(vital(36.8, kind="temperature"))
    assert model.number("bed-3", "temperature", at(60)) == Number("36.8")
    assert model.number("bed-3", "temperature", at(120)) == Number("36.8", timedelta(seconds=120))


def test_a_number_that_comes_late_does_not_replace_a_newer_one() -> None:
    model = WardModel()
    model.vital(vital(90, seconds=5))
    model.vital(vital(96, seconds=1))
    assert model.number("bed-3", "spo2", at(5)).text == "90"


@pytest.mark.parametrize(
    "frame", [{}, vital(None), vital("96"), {**vital(96), "timestamp": "yesterday"}, {"event": "gap"}]
)
def test_a_frame_that_is_no_numeric_changes_nothing(frame: dict[str, Any]) -> None:
    model = WardModel()
    model.vital(frame)
    assert model.number("bed-3", "spo2", START).text == "--"


def test_the_countdown_runs_and_says_when_it_is_late() -> None:
    (alert,) = model_of(event()).open_alerts()
    assert next_step(alert, at(0)) == "in 30 s"
    assert next_step(alert, at(95)) == "late by 1:05"


@pytest.mark.parametrize(("priority", "changes"), [("high", 4), ("medium", 1), ("low", 0)])
def test_an_alarm_flashes_at_the_rate_of_its_priority(priority: str, changes: int) -> None:
    (alert,) = model_of(event(priority=priority)).open_alerts()
    looks = [alert_style(alert, at(tick / 16)) for tick in range(17)]
    assert sum(before != after for before, after in pairwise(looks)) == changes


def test_an_acknowledged_alarm_does_not_flash() -> None:
    (alert,) = model_of(event(state="acknowledged", acknowledgedBy="nurse")).open_alerts()
    assert len({alert_style(alert, at(tick / 16)) for tick in range(17)}) == 1


def test_the_screen_shows_the_numbers_the_alert_and_its_owner() -> None:
    model = model_of(event())
    model.vital(vital(82))
    shown = screen(model, at(2))
    for part in ("● LIVE", "Bed 3", "82", "***", "SpO2 79 < 80 %", "nobody", "in 28 s", "--", "nurse@demo.example"):
        assert part in shown
    assert "/alerts/alerts/a1/acknowledge?patient_id=bed-3" in shown


def test_the_first_thing_to_do_is_to_open_the_console() -> None:
    shown = screen(model_of()).splitlines()
    at = shown.index(f"Open the console: {URL}/")
    assert shown[at + 1].strip() == f"and sign in: {NURSE.email}, password {PASSWORD}"
    assert all(person.email in "".join(shown[at:]) for person in PEOPLE)


def test_a_quiet_ward_says_so() -> None:
    assert "No open alerts" in screen(model_of())


def test_commands_are_whole_on_one_line_and_cut_as_a_shell_allows_on_several() -> None:
    for command in (follow_command(URL, "@/tmp/h"), acknowledge_command(URL, "@/tmp/h")):
        assert on_short_lines(command).replace(" \\\n    ", " ") == on_one_line(command)
    assert on_one_line(follow_command(URL, "@/tmp/h")).startswith("curl -N -H @/tmp/h '")


def test_a_line_of_the_headless_demo_says_who_what_and_how_bad() -> None:
    clock = START.astimezone().strftime("%H:%M:%S")
    assert format_event(event()) == f"{clock} *** bed-3 spo2 79 < 80 %: alert, critical, a1"
    taken = event(event="alert_acknowledged", acknowledgedBy="nurse")
    line = format_event(event(**SILENT))
    assert line == f"{clock} !!! bed-3 device silent since 2026-01-02T03:04:05Z: alert, moderate, a1"
    assert format_event(taken) == f"{clock} *** bed-3 spo2 79 < 80 %: acknowledged by nurse, critical, a1"


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0 s"), (7, "7 s"), (65, "1:05"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert elapsed(timedelta(seconds=seconds)) == text


def test_the_demo_inherits_no_setting_of_a_real_server(tmp_path: Path) -> None:
    inherited = {"TOCSIN_DATABASE_URL": "postgresql+asyncpg://ward", "PATH": "/bin", "PYTHONPATH": "/elsewhere"}
    environment = demo_environment(inherited, tmp_path)
    assert {name for name in environment if name.startswith("TOCSIN_")} == {"TOCSIN_ENV", "TOCSIN_DATA_DIR"}
    assert (environment["TOCSIN_DATA_DIR"], environment["PATH"]) == (str(tmp_path), "/bin")
    assert environment["PYTHONPATH"].endswith("/elsewhere")
