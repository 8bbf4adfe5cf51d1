"""Renders results as markdown, to stand in docs/performance.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.results import Result
from bench.tables import as_markdown, checks_table

BEGIN = "<!-- results{}: made by `python -m bench report`; do not edit by hand -->"
END = "<!-- end of results{} -->"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="the results that --json wrote")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put them between the markers of this page")
    parser.add_argument("--section", metavar="NAME", help="its markers of this name, as in `results of NAME`")


def run(options: argparse.Namespace) -> int:
    rendered = render(json.loads(options.path.read_text()))
    if options.into is None:
        print(rendered)
        return 0
    begin, end = (mark.format(f" of {options.section}" if options.section else "") for mark in (BEGIN, END))
    before, found_begin, rest = options.into.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise SystemExit(f"{options.into} lacks the markers {begin} and {end}")
    options.into.write_text(f"{before}{begin}\n\n{rendered}\n\n{end}{after}")
    return 0


def render(document: dict[str, Any]) -> str:
    """The machine, then each scenario with its tables, its targets and what went wrong."""
    machine = "\n".join(f"| {name} | {value} |" for name, value in document["machine"].items())
    parts = ["### The machine", f"| | |\n| --- | --- |\n{machine}"]
    for result in map(Result.from_json, document["results"]):
        parts += [f"### `{result.scenario}`", f"`{_command(result)}`"]
        parts += [f"**FAILED:** {failure}" for failure in result.failures]
        parts += [as_markdown(table) for table in result.tables]
        if result.checks:
            parts.append(as_markdown(checks_table(result.checks)))
        parts += result.notes
    return "\n\n".join(parts)


def _command(result: Result) -> str:
    """What to type for the same again."""
    words = ["python -m bench", result.scenario]
    for name, value in result.options.items():
        shown = ",".join(map(str, value)) or "none" if isinstance(value, list) else value
        words.append(f"--{name.replace('_', '-')} {shown}")
    return " ".join(words)
