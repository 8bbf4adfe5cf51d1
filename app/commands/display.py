"""What the person at the terminal sees on stderr while recordings play."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.commands.recordings import Row
from app.commands.sources import Step

SHOWN_REFUSALS = 3

#: A terminal has room for so many bars; more patients share one.
MOST_BARS = 12


class Screen:
    """Lines and bars for all patients."""

    def __init__(self, console: Console, progress: Progress | None, *, patients: int) -> None:
        self._console = console
        self._progress = progress
        self._is_one_patient = patients == 1
        self._tasks: dict[str, TaskID] = {}
        self._was_slowed_down = False
        self._refusals = 0

    def add_bar(self, title: str, seconds: float, patients: Sequence[str]) -> None:
        """A bar that these patients share, for so many seconds of their recordings."""
        if self._progress is not None:
            task = self._progress.add_task(title, total=seconds)
            self._tasks.update(dict.fromkeys(patients, task))

    def bed(self, patient: str) -> Bed:
        """What one patient's player tells."""
        return Bed(self, "" if self._is_one_patient else f"{patient}: ", patient)

    def advance(self, patient: str, seconds: float) -> None:
        """So many more seconds of a recording have been played."""
        if self._progress is not None:
            self._progress.advance(self._tasks[patient], seconds)

    def refused(self, line: str) -> None:
        """The server could not use a frame: the first few are shown, the rest only counted."""
        self._refusals += 1
        if self._refusals <= SHOWN_REFUSALS:
            self.say(line)
        elif self._refusals == SHOWN_REFUSALS + 1:
            self.say("more frames were refused; the sum follows at the end")

    def slowed_down(self) -> None:
        """The server cannot keep up; it is said once."""
        if not self._was_slowed_down:
            self._was_slowed_down = True
            self.say("the server asks to slow down")

    def say(self, line: str) -> None:
        """Print a line, above the bars."""
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)


class Bed:
    """The observer of one patient's player."""

    def __init__(self, screen: Screen, prefix: str, patient: str) -> None:
        self._screen = screen
        self._prefix = prefix
        self._patient = patient
        self._seconds = 0.0

    def played(self, seconds: float) -> None:
        """The recording has come so far."""
        self._screen.advance(self._patient, seconds - self._seconds)
        self._seconds = seconds

    def refused(self, frame: object, code: object, detail: object) -> None:
        """The server could not use a frame."""
        self._screen.refused(f"{self._prefix}frame {frame} refused ({code}): {detail}")

    def slowed_down(self) -> None:
        """The server has asked for less."""
        self._screen.slowed_down()

    def lost(self, why: str, wait_seconds: float) -> None:
        """The connection is gone, and will be tried again."""
        self._screen.say(f"{self._prefix}{why}; trying again in {wait_seconds:.1f} s")


@contextmanager
def on_stderr(beds: Mapping[str, Sequence[Step]]) -> Iterator[Screen]:
    """Bars on a terminal; elsewhere, such as in a log, one plain line for each patient."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        for patient, steps in beds.items():
            print(f"sending {_describe(steps)}, for patient {patient}", file=sys.stderr)
        yield Screen(console, None, patients=len(beds))
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        screen = Screen(console, progress, patients=len(beds))
        lengths = {patient: steps[-1].offset_seconds - steps[0].offset_seconds for patient, steps in beds.items()}
        if len(beds) > MOST_BARS:
            screen.add_bar(f"{len(beds)} patients", sum(lengths.values()), list(beds))
        else:
            for patient, seconds in lengths.items():
                screen.add_bar(patient, seconds, [patient])
        yield screen


def _describe(steps: Sequence[Step]) -> str:
    rows = [step for step in steps if isinstance(step, Row)]
    parts = []
    if rows:
        parts.append(f"{len(rows):,} rows, {sum(len(row.readings) for row in rows):,} readings")
    if len(rows) < len(steps):
        parts.append(f"{len(steps) - len(rows):,} waveform frames")
    return ", ".join(parts)
