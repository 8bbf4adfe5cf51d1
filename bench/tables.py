"""PURE: tables for a terminal and for markdown; the first column is text, the others are numbers."""

from __future__ import annotations

from bench.results import Check, Result, Table


def checks_table(checks: list[Check]) -> Table:
    rows = [(check.claim, check.target, check.measured, check.verdict) for check in checks]
    return Table("Against the targets", ("claim", "target", "measured", ""), rows)


def as_text(table: Table) -> str:
    """With columns set out by spaces."""
    lines = [list(table.columns), *(list(row) for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    shown = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([table.title, *("  " + line.rstrip() for line in shown)])


def as_markdown(table: Table) -> str:
    """As a markdown table under its title."""
    rule = ["---", *("---:" for _ in table.columns[1:])]
    lines = [table.columns, rule, *table.rows]
    return "\n".join([f"**{table.title}**", "", *("| " + " | ".join(line) + " |" for line in lines)])


def result_as_text(result: Result) -> str:
    """Everything a scenario found, for a terminal."""
    parts = [as_text(table) for table in result.tables]
    if result.checks:
        parts.append(as_text(checks_table(result.checks)))
    parts += [f"note: {note}" for note in result.notes]
    parts += [f"FAILED: {failure}" for failure in result.failures]
    return "\n\n".join(parts)
