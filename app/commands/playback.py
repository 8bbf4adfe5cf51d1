"""Playing a recording to a server, and showing on a terminal how it goes."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.commands.connection import MOBILE_SOCKET, CommandError, websocket_address
from app.commands.player import Player
from app.commands.recordings import Row, read_recording

SHOWN_REFUSALS = 3


def play_file(file: Path, *, patient: str, url: str, token: str, speed: str) -> str:
    """Play the recording in a file, and sum up in one line.

    Raises:
        CommandError: the file or the speed is none, or the server is not there, refuses, or was lost for good.
    """
    seconds_per_second = read_speed(speed)
    rows = list(read_recording(file))
    if not rows:
        raise CommandError(f"{file.name} holds no readings")
    return asyncio.run(play(rows, patient=patient, url=url, token=token, speed=seconds_per_second))


def read_speed(text: str) -> float:
    """How many seconds of the recording pass in one of ours; infinitely many for `max`.

    Raises:
        CommandError: it is neither a number above zero nor `max`.
    """
    if text.strip().lower() == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (speed > 0 and math.isfinite(speed)):
        raise CommandError(f"--speed is {text!r}: give a number above zero, such as 1 or 10, or max")
    return speed


async def play(rows: list[Row], *, patient: str, url: str, token: str, speed: float) -> str:
    """Send every reading, wait until the server has ruled on all of them, and sum up in one line.

    Raises:
        CommandError: the server is not there, refuses, or was lost and did not come back.
    """
    address = websocket_address(url, MOBILE_SOCKET, patient_id=patient)
    started = time.monotonic()
    with _progress(rows, patient) as display:
        player = Player(rows, address=address, token=token, speed=speed, observer=display)
        await player.play()
    seconds = time.monotonic() - started
    return f"{len(rows):,} rows, {player.sent:,} readings sent, {player.refused:,} refused, {seconds:.1f} s"


class Display:
    """What the person at the terminal sees on stderr while a recording plays."""

    def __init__(self, console: Console, progress: Progress | None, total: int) -> None:
        self._console = console
        self._progress = progress
        self._task = progress.add_task("", total=total) if progress else None
        self._refusals = 0

    def played(self, rows: int) -> None:
        """So many rows have been sent."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=rows)

    def refused(self, frame: object, code: object, detail: object) -> None:
        """The server could not use a frame: the first few are shown, the rest only counted."""
        self._refusals += 1
        if self._refusals <= SHOWN_REFUSALS:
            self._say(f"frame {frame} refused ({code}): {detail}")
        elif self._refusals == SHOWN_REFUSALS + 1:
            self._say("more frames were refused; the sum follows at the end")

    def lost(self, why: str, wait_seconds: float) -> None:
        """The connection is gone, and will be tried again."""
        self._say(f"{why}; trying again in {wait_seconds:.1f} s")

    def _say(self, line: str) -> None:
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)


@contextmanager
def _progress(rows: list[Row], patient: str) -> Iterator[Display]:
    """A bar on a terminal; elsewhere, such as in a log, one plain line."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        readings = sum(len(row.readings) for row in rows)
        print(f"sending {len(rows):,} rows, {readings:,} readings, for patient {patient}", file=sys.stderr)
        yield Display(console, None, len(rows))
        return
    columns = (
        TextColumn(f"[bold]{patient}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Display(console, progress, len(rows))
