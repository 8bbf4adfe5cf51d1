"""The alarm load of recordings, shown as a table, as CSV and as a chart."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from app.commands.connection import CommandError
from app.commands.recordings import read_recording
from app.commands.report.alarms import Played, play
from app.commands.report.chart import draw
from app.commands.report.load import SHORT_SECONDS, Load, conditions_of, csv_rows, summary, table_rows
from app.commands.wording import counted
from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.file import load_rules
from app.modules.vitals.signs import NUMERICS

#: How the recordings of a folder are called, and maybe `.gz` after it.
PATTERN: Final = "*Numerics.csv"

#: Rate, number, and how many were short, one below the other; two sets of rules have room on 80 columns.
_CELLS: Final = "{:>6}{:>7}{:>6}"


def compare(
    paths: Sequence[Path], *, rules: Path | None, against: Path | None, csv_file: Path | None, svg_file: Path | None
) -> None:
    """Play every recording through one or two sets of rules, and show what they make of it.

    Raises:
        CommandError: there is no recording, or one cannot be read.
        RulesFileError: rules cannot be used.
        OSError: a file cannot be written.
    """
    books = [_named(rules)] + ([] if against is None else [_named(against)])
    loads = measure(list(_found(paths)), books)
    console = Console(highlight=False)
    console.print(_title(loads), soft_wrap=True)
    console.print(_table(loads))
    for load in loads:
        console.print(summary(load), soft_wrap=True)
    if left_out := sum(it.left_out for it in loads[0].played):
        console.print(f"{counted(left_out, 'value')} left out that no patient has, as a server does", soft_wrap=True)
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(csv_rows(loads))
        console.print(f"every alarm: {csv_file}", soft_wrap=True)
    if svg_file is not None:
        svg_file.write_text(draw(_title(loads), conditions_of(loads), loads, short_seconds=SHORT_SECONDS), "utf-8")
        console.print(f"chart: {svg_file}", soft_wrap=True)


def measure(recordings: Sequence[Path], books: Sequence[tuple[str, RuleBook]]) -> list[Load]:
    """The load of each book of rules, with a bar on a terminal while it is counted.

    Raises:
        CommandError: a recording cannot be read.
    """
    played: list[list[Played]] = [[] for _ in books]
    bar = Console(stderr=True)
    for path in track(recordings, "playing", console=bar, transient=True, disable=not bar.is_terminal):
        rows = list(read_recording(path))
        for (_, book), results in zip(books, played, strict=True):
            results.append(play(_patient(path), rows, book))
    return [Load(name, results) for (name, _), results in zip(books, played, strict=True)]


def _patient(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv").removesuffix("_Numerics")


def _named(path: Path | None) -> tuple[str, RuleBook]:
    return (path.name if path else "shipped rules"), load_rules(path, signs=NUMERICS)


def _found(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        inside = sorted([*path.glob(PATTERN), *path.glob(f"{PATTERN}.gz")]) if path.is_dir() else [path]
        if not inside:
            raise CommandError(f"{path} holds no recording: its files would be called {PATTERN}")
        yield from inside


def _title(loads: Sequence[Load]) -> str:
    return f"alarms per patient-hour ({counted(len(loads[0].played), 'patient')}, {loads[0].hours:.2f} hours)"


def _table(loads: Sequence[Load]) -> Table:
    table = Table()
    table.add_column("condition", overflow="fold")
    table.add_column("tier", no_wrap=True)
    for load in loads:
        heading = Text(load.name, overflow="fold").append(
            "\n" + _CELLS.format("per h", "alarms", f"<{SHORT_SECONDS:g} s")
        )
        table.add_column(heading, width=len(_CELLS.format("", "", "")))
    *each, last = table_rows(loads)
    for condition, tier, cells in each:
        table.add_row(condition, tier, *(_CELLS.format(*cell) for cell in cells))
    table.add_section()
    table.add_row(last[0], last[1], *(_CELLS.format(*cell) for cell in last[2]))
    return table
