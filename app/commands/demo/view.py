"""How the ward looks on a terminal: rendered anew several times a second from the model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.commands.demo.handout import (
    acknowledge_command,
    console_address,
    console_sign_in,
    follow_command,
    on_short_lines,
)
from app.commands.demo.model import MISSING, Link, Number, OpenAlert, WardModel
from app.commands.demo.ward import BEDS, NURSE, PEOPLE

COLUMNS: Final = (
    ("HR", "/min", "heart_rate"),
    ("Pulse", "/min", "pulse"),
    ("SpO2", "%", "spo2"),
    ("RR", "/min", "respiratory_rate"),
    ("Temp", "°C", "temperature"),
)
TITLES: Final = {kind: title for title, _, kind in COLUMNS} | {
    "systolic_bp": "SBP",
    "diastolic_bp": "DBP",
    "mean_bp": "MAP",
}

COLOURS: Final = {"high": "red", "medium": "yellow", "low": "cyan"}
TECHNICAL_COLOUR: Final = "cyan"

#: Times a second that an alarm that nobody has acknowledged changes its look: 2 Hz and 0.5 Hz of flashing.
CHANGES_HZ: Final = {"high": 4, "medium": 1}

NOTICE_SHOWN: Final = timedelta(seconds=20)
SHOWN_ALERTS: Final = 8


def render(model: WardModel, now: datetime, *, url: str, authorization: str) -> RenderableType:
    """The whole screen."""
    alerts = model.open_alerts()
    return Group(
        render_header(model, now),
        Text(),
        render_patients(model, now),
        Text(),
        render_alerts(alerts, now),
        Text(),
        render_footer(alerts, url, authorization),
    )


def render_header(model: WardModel, now: datetime) -> Text:
    """Whether what is below can be relied on."""
    header = Text(no_wrap=True, overflow="ellipsis")
    header.append(" TOCSIN demo ", "bold reverse")
    header.append("  Ctrl-C ends it and removes its data   ")
    since = elapsed(now - (model.link_since or now))
    if model.link is Link.LIVE:
        header.append(f"● LIVE for {since}", "bold green")
    elif model.link is Link.CONNECTING:
        header.append("○ connecting …", "bold yellow")
    else:
        header.append(f" !!! CONNECTION LOST for {since}: WHAT IS BELOW IS OLD ", "bold white on red")
        header.append(f"\n{model.link_detail}", "red")
    if model.noticed_at is not None and now - model.noticed_at < NOTICE_SHOWN:
        header.append(f"\n{model.notice}", "yellow")
    return header


def render_patients(model: WardModel, now: datetime) -> Table:
    """A row for each bed."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Patient")
    for title, unit, _ in COLUMNS:
        table.add_column(f"{title} {unit}", justify="right", min_width=8)
    table.add_column("BP mmHg", justify="right", min_width=12)
    for bed in BEDS:
        numbers = [number_cell(model.number(bed.id, kind, now)) for _, _, kind in COLUMNS]
        table.add_row(f"{bed.name} [dim]{bed.id}[/]", *numbers, pressure_cell(model, bed.id, now))
    return table


def number_cell(number: Number) -> Text:
    """A number, with its age where that matters."""
    if number.text == MISSING:
        return Text(MISSING, "dim")
    if number.age is None:
        return Text(number.text)
    return Text(f"{number.text} ({elapsed(number.age)})", "yellow")


def pressure_cell(model: WardModel, patient_id: str, now: datetime) -> Text:
    """Systolic over diastolic, and the mean."""
    systolic, diastolic, mean = (
        model.number(patient_id, kind, now) for kind in ("systolic_bp", "diastolic_bp", "mean_bp")
    )
    if MISSING in (systolic.text, diastolic.text):
        return Text(MISSING, "dim")
    return number_cell(Number(f"{systolic.text}/{diastolic.text} ({mean.text})", systolic.age))


def render_alerts(alerts: Sequence[OpenAlert], now: datetime) -> RenderableType:
    """The open alerts, worst first, then newest."""
    if not alerts:
        return Text("No open alerts", "green")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "Patient", "Alert", "Tier", "Age", "Owner", "Next step", "Level"):
        table.add_column(title)
    for alert in alerts[:SHOWN_ALERTS]:
        table.add_row(
            Text(alert.symbol, alert_style(alert, now)),
            alert.patient_id,
            Text(alert.message if alert.says_it_all else f"{title_of(alert)} {alert.message}"),
            alert.tier,
            elapsed(alert.age(now)),
            Text(alert.owner or "nobody", "green" if alert.owner else "bold"),
            Text(next_step(alert, now)),
            str(alert.escalation_level),
        )
    if len(alerts) > SHOWN_ALERTS:
        table.add_row("", "", f"and {len(alerts) - SHOWN_ALERTS} more")
    return table


def title_of(alert: OpenAlert) -> str:
    """The vital sign as a ward calls it."""
    return TITLES.get(alert.vital_type, alert.vital_type)


def alert_style(alert: OpenAlert, now: datetime) -> str:
    """The priority's colour; flashing until somebody has acknowledged."""
    colour = TECHNICAL_COLOUR if alert.technical else COLOURS.get(alert.priority, COLOURS["low"])
    changes_hz = CHANGES_HZ.get(alert.priority)
    flashing = alert.state == "active" and changes_hz is not None and int(now.timestamp() * changes_hz) % 2 == 0
    return f"bold {colour} reverse" if flashing else f"bold {colour}"


def next_step(alert: OpenAlert, now: datetime) -> str:
    """The countdown to the next people being told."""
    left = alert.until_escalation(now)
    if left is None:
        return "latched" if alert.signal == "latched" else "–"
    return f"in {elapsed(left)}" if left > timedelta() else f"late by {elapsed(-left)}"


def render_footer(alerts: Sequence[OpenAlert], url: str, authorization: str) -> Text:
    """What a visitor can do."""
    unowned = next(((alert.alert_id, alert.patient_id) for alert in alerts if not alert.owner), ())
    acknowledge = acknowledge_command(url, authorization, *unowned)
    footer = Text(overflow="fold")
    console = console_address(url)
    footer.append("Open the console: ", "bold")
    footer.append(console, f"bold underline link {console}")
    footer.append("\n     and sign in: ", "bold")
    footer.append(console_sign_in() + "\n")
    others = ", ".join(person.email for person in PEOPLE if person != NURSE)
    footer.append(f"With the same password: {others}\n", "dim")
    footer.append("Follow the alerts of a bed:\n", "bold")
    footer.append(on_short_lines(follow_command(url, authorization)) + "\n")
    footer.append("Acknowledge the worst that nobody has:\n", "bold")
    footer.append(on_short_lines(acknowledge))
    return footer


def elapsed(duration: timedelta) -> str:
    """`7 s`, `1:05`, `2:03:04`."""
    seconds = max(int(duration.total_seconds()), 0)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
