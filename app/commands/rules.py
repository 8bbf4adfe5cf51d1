"""`tocsin rules`: looking at a rules file before a ward is judged by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from app.commands.ending import end
from app.commands.wording import counted

rules = typer.Typer(name="rules", help="Check a rules file, and say what one may hold.", no_args_is_help=True)


@rules.command()
def check(file: Annotated[Path, typer.Argument(help="The file that TOCSIN_RULES_FILE will name.")]) -> None:
    """Say of every mistake in a rules file where it stands and what would be right.

    The exit status is 0 where there is none, and 1 where there is one. A running server takes a file up on SIGHUP,
    or by `POST /api/v1/rules/reload`.

    \b
    Examples:
      tocsin rules check ward.json
      tocsin rules check ward.json && kill -HUP "$(pgrep -f 'tocsin serve')"
    """
    from app.modules.alerts.rules.file import RulesFileError, parse_rules, read_text
    from app.modules.vitals.signs import NUMERICS

    try:
        text = read_text(file)
    except RulesFileError as error:
        end(str(error), status=1)
    try:
        book = parse_rules(text, signs=NUMERICS)
    except RulesFileError as error:
        for mistake in error.mistakes:
            typer.echo(f"{file}: {mistake}", err=True)
        end(f"{file} has {counted(len(error.mistakes), 'mistake')}", status=1)
    levels = sum(len(condition.levels) for condition in book.conditions)
    print(f"{file} is in order: {counted(len(book.conditions), 'condition')}, {counted(levels, 'level')}")


@rules.command()
def schema() -> None:
    """Print the JSON Schema of rules files, for an editor that completes and checks them.

    \b
    Examples:
      tocsin rules schema > alert-rules.schema.json
    """
    from app.modules.alerts.rules.file import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
