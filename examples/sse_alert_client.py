#!/usr/bin/env python3
"""Follow Tocsin's alerts from a terminal, and acknowledge them. One file, to run and to copy from.

What a client of an alarm stream has to get right, and where it is done here:

- It moves its cursor only past what it has dealt with, and comes back with `Last-Event-ID`: `AlertClient._take`.
- It moves its cursor on keepalives too (an `id:` and no data), or a quiet night makes it too old: the same place.
- It takes silence for a lost connection: `SILENCE_SECONDS`.
- It waits before it comes back, at least as long as the server asked for, and not in step with others: `Backoff`.
- It stops where trying again cannot help, and says why: `Refused`.

Needs: pip install httpx httpx-sse. Alerts go to stdout, and what happens to the connection to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, ServerSentEvent

SILENCE_SECONDS = 45.0  # The server is never silent for longer than 30 s; 45 s without a byte means that it is gone.
LONGEST_WAIT_SECONDS = 30.0
WORTH_ANOTHER_TRY = {408, 425, 429}  # and every 5xx; any other answer but 200 is final

NAMES = {"spo2": "SpO2", "heart_rate": "HR", "respiratory_rate": "RR", "systolic_bp": "SBP", "temperature": "Temp"}
SYMBOLS = {"high": "***", "medium": "** ", "low": "*  "}
COLOURS = {"high": "31", "medium": "33", "low": "36", "technical": "36"}  # red, yellow, cyan

Alert = Mapping[str, Any]


class Refused(Exception):
    """The server said no, and would say so again."""


class Lost(Exception):
    """The server is not there, or in no state to answer: worth another try."""


@dataclass
class Backoff:
    """How long to stay away: what the server asked for by `retry:`, and then a random part that grows with failures."""

    retry_seconds: float = 1.0
    failures: int = 0
    draw: Callable[[], float] = random.random

    def server_asked(self, milliseconds: int) -> None:
        """Heed `retry:`, but let nobody send us away for long: this is an alarm client."""
        self.retry_seconds = min(max(milliseconds / 1000, 0.0), LONGEST_WAIT_SECONDS)

    def wait_seconds(self) -> float:
        """The wait before the next try: never less than the server asked for, never 30 s more."""
        jitter = min(LONGEST_WAIT_SECONDS, 2.0 ** min(self.failures, 16))
        self.failures += 1
        return self.retry_seconds + self.draw() * jitter


@dataclass
class Cursor:
    """The id of the last event that was dealt with; kept in a file, where one is named, to survive a restart."""

    file: Path | None = None
    value: str = ""

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            kept = self.file.read_text(encoding="utf-8", errors="replace").strip()
            self.value = kept if kept.isascii() and kept.isprintable() else ""

    def advance(self, event_id: str) -> None:
        """Everything up to and including this event has been dealt with."""
        changed = event_id not in ("", self.value)
        self.value = event_id or self.value
        if self.file is not None and changed:  # Moved into place, so that a crash leaves the old one or the new one.
            written = self.file.with_name(self.file.name + ".new")
            written.write_text(event_id + "\n", encoding="utf-8")
            written.replace(self.file)


@dataclass
class AlertClient:
    """Follows one stream of alerts until it is told to stop or is refused."""

    http: httpx.AsyncClient
    path: str
    params: Mapping[str, str]
    show: Callable[[Alert], None]
    say: Callable[[str], None]
    acknowledgement: Mapping[str, str] | None = None
    exit_after: int | None = None
    cursor: Cursor = field(default_factory=Cursor)
    backoff: Backoff = field(default_factory=Backoff)
    silence_seconds: float = SILENCE_SECONDS
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _seen: int = 0

    async def run(self) -> None:
        """Follow the stream across lost connections, until `exit_after` alert events were shown.

        Raises:
            Refused: the server does not let us, and would not if we asked again.
        """
        while True:
            try:
                await self._follow()
                if self._done:
                    return
                lost = "the server ended the stream"
            except httpx.ReadTimeout:
                lost = f"nothing heard for {self.silence_seconds:g} s"
            except (httpx.RequestError, Lost) as error:
                lost = str(error) or type(error).__name__
            seconds = self.backoff.wait_seconds()
            self.say(f"!!! CONNECTION LOST: {lost}. Alerts do not arrive. Trying again in {seconds:.1f} s")
            await self.sleep(seconds)

    @property
    def _done(self) -> bool:
        return self.exit_after is not None and self._seen >= self.exit_after

    async def _follow(self) -> None:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.cursor.value:
            headers["Last-Event-ID"] = self.cursor.value
        timeout = httpx.Timeout(10.0, read=self.silence_seconds)
        async with self.http.stream("GET", self.path, params=self.params, headers=headers, timeout=timeout) as response:
            if response.status_code != httpx.codes.OK:
                await self._refused(response)
            async with aclosing(EventSource(response).aiter_sse()) as events:
                async for event in events:
                    await self._take(event)
                    if self._done:
                        return

    async def _take(self, event: ServerSentEvent) -> None:
        if event.retry is not None:
            self.backoff.server_asked(event.retry)
        match event.event:
            case "message" if event.data:  # A keepalive is a message without data: it only moves the cursor.
                await self._deal_with(read_object(event.data))
            case "stream.opened":
                opened = read_object(event.data)
                why_not = f" (cannot continue: {opened['reason']})" if opened.get("reason") else ""
                self.say(
                    "--- connected: " + ("what was missed" if opened.get("recovered") else f"open alerts{why_not}")
                )
            case "stream.ready":
                self.backoff.failures = 0
                self.say("--- up to date, listening")
            case "stream.closing":
                reason = read_object(event.data).get("reason")
                if reason == "replaced":  # Coming back would push the newer connection out, and so on for ever.
                    raise Refused("another connection has taken the place of this one")
                self.say(f"--- the server is closing the stream: {reason}")
        # Only now: what we were cut off from while dealing with it is sent again. Events of a snapshot have no id,
        # so that being cut off in the middle of one brings the whole of it again.
        self.cursor.advance(event.id)

    async def _deal_with(self, alert: Alert) -> None:
        if "alertId" not in alert:
            return
        self.show(alert)
        self._seen += 1
        if self.acknowledgement is not None and alert.get("state") == "active":
            await self._acknowledge(alert, self.acknowledgement)

    async def _acknowledge(self, alert: Alert, body: Mapping[str, str]) -> None:
        alert_id = str(alert["alertId"])
        path = f"/api/v1/alerts/alerts/{quote(alert_id, safe='')}/acknowledge"
        # Without an answer we leave the stream and come back: it brings the same alert, and we ask again. A repeated
        # acknowledgement is answered as the first one was.
        try:
            response = await self.http.post(path, params={"patient_id": str(alert.get("patientId"))}, json=dict(body))
        except httpx.RequestError as error:
            raise Lost(f"acknowledging {alert_id}: {type(error).__name__}") from error
        if response.is_server_error or response.status_code in WORTH_ANOTHER_TRY:
            raise Lost(f"acknowledging {alert_id}: {explain(response)}")
        self.say(f"--- acknowledged {alert_id}" if response.is_success else f"--- {alert_id}: {explain(response)}")

    async def _refused(self, response: httpx.Response) -> None:
        await response.aread()
        if response.is_server_error or response.status_code in WORTH_ANOTHER_TRY:
            if (seconds := response.headers.get("Retry-After", "")).isdigit():
                self.backoff.server_asked(int(seconds) * 1000)
            raise Lost(explain(response))
        raise Refused(explain(response))


def explain(response: httpx.Response) -> str:
    """The status of an answer, and what the server says about it (RFC 9457)."""
    problem = read_object(response.text)
    detail = problem.get("detail") or problem.get("title") or response.reason_phrase
    return printable(f"{response.status_code} {problem.get('code', '')}: {detail}".replace(" :", ":"))


def read_object(text: str) -> Alert:
    """The JSON object in `text`; empty where it is none, since a client ignores what it does not understand."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def printable(text: str) -> str:
    """Text from elsewhere, such as a note, with nothing left in it that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def describe(alert: Alert) -> str:
    """What is wrong and against which limit: `SpO2 79 < 80 %`; the reasons, where it is not about a limit."""
    kind, limits = str(alert.get("vitalType", "")), alert.get("threshold") or {}
    values = [value for value in alert.get("vitalsWindow") or [] if isinstance(value, int | float)]
    for limit, sign in ((limits.get("min"), "<"), (limits.get("max"), ">")):
        if values and limit is not None and (values[-1] < limit if sign == "<" else values[-1] > limit):
            return f"{NAMES.get(kind, kind)} {values[-1]:g} {sign} {limit:g} {alert.get('unit') or ''}".rstrip()
    return "; ".join(str(reason) for reason in alert.get("reasons") or []) or NAMES.get(kind, kind)


def format_alert(alert: Alert, *, colour: bool) -> str:
    """One line for the terminal. The symbol says as much as the colour, for those who cannot tell colours apart."""
    technical = alert.get("kind") == "technical"
    priority = "technical" if technical else str(alert.get("priority", "low"))
    symbol = "!!!" if technical else SYMBOLS.get(priority, "*  ")
    happened = str(alert.get("event")).removeprefix("alert_").upper()
    if happened == "ACKNOWLEDGED":
        note = f": {alert['note']}" if alert.get("note") else ""
        happened += f" as {alert.get('status')} by {alert.get('acknowledgedBy')}{note}"
    elif happened == "ESCALATED":
        happened += f" to level {alert.get('escalationLevel')}"
    time = str(alert.get("occurredAt") or alert.get("timestamp"))[11:19]
    line = printable(
        f"{time}Z {symbol} patient {alert.get('patientId')}: {describe(alert)}"
        f" — {happened} [{alert.get('tier')}, {alert['alertId']}]"
    )
    return f"\x1b[{COLOURS.get(priority, '36')}m{line}\x1b[0m" if colour else line


def wants_colour(out: TextIO, environment: Mapping[str, str]) -> bool:
    """Colour for a terminal, unless its owner does not want any (no-color.org)."""
    return out.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


EXAMPLES = """examples:
  python examples/sse_alert_client.py --token "$TOKEN" --role nurse --patient-id bed-3
  TOCSIN_TOKEN=... python examples/sse_alert_client.py --caregiver --cursor-file ~/.tocsin-cursor
  ... --role doctor --patient-id bed-3 --acknowledge --status confirmed --note "On my way"

exit codes: 0 ended by Ctrl-C or --exit-after, 1 refused by the server, 2 wrong arguments"""


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        description="Follow Tocsin's alerts.", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--token", default=os.environ.get("TOCSIN_TOKEN", ""), help="a JWT (or the environment variable TOCSIN_TOKEN)")
    add("--role", help="the role to watch in, such as nurse")
    add("--patient-id", help="whom to watch; * for everybody, as an admin")
    add("--caregiver", action="store_true", help="watch every patient on whose care team you stand")
    add("--url", default="http://127.0.0.1:8000", help="where the server is (default: %(default)s)")
    add("--acknowledge", action="store_true", help="acknowledge each active alert that comes")
    add("--status", choices=["acknowledged", "confirmed", "false_alarm", "resolved"], help="what to acknowledge it as")
    add("--note", help="a note to acknowledge it with")
    add("--cursor-file", type=Path, help="keep the position of this stream here, to miss nothing across restarts")
    add("--exit-after", type=int, metavar="N", help="end after N alert events")
    options = parser.parse_args(arguments)
    if not options.token or not options.token.isascii() or not options.token.isprintable():
        parser.error("no usable token: give --token or set TOCSIN_TOKEN, for example to $(tocsin token EMAIL)")
    if not options.url.startswith(("http://", "https://")):
        parser.error("--url must start with http:// or https://")
    if not options.caregiver and not options.role:
        parser.error("say whom to watch: --role ROLE --patient-id ID, or --caregiver")
    return options


async def watch(options: argparse.Namespace) -> None:
    """Do what the command line says."""
    colour = wants_colour(sys.stdout, os.environ)
    scope = {"role": options.role, "patient_id": options.patient_id}
    body = {"status": options.status, "note": options.note}
    headers = {"Authorization": f"Bearer {options.token}"}
    async with httpx.AsyncClient(base_url=options.url, headers=headers, timeout=10) as http:
        client = AlertClient(
            http,
            "/api/v1/caregivers/alerts/stream" if options.caregiver else "/api/v1/alerts/stream",
            {} if options.caregiver else {name: value for name, value in scope.items() if value},
            show=lambda alert: print(format_alert(alert, colour=colour), flush=True),
            say=lambda line: print(printable(line), file=sys.stderr, flush=True),
            acknowledgement={name: value for name, value in body.items() if value} if options.acknowledge else None,
            exit_after=options.exit_after,
            cursor=Cursor(options.cursor_file),
        )
        await client.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C; the exit code."""
    try:
        asyncio.run(watch(read_arguments(arguments)))
    except KeyboardInterrupt:
        print("--- stopped", file=sys.stderr)
    except Refused as refusal:
        print(f"stopped, the server refuses: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:  # The cursor's file cannot be written, or nobody reads our output any more.
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
