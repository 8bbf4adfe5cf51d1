"""`tocsin report alarm-load`: how many alarms a rules file would have raised, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.ending import end

report = typer.Typer(name="report", help="Reports on recordings.", no_args_is_help=True)


@report.callback()
def _options() -> None:
    pass


@report.command("alarm-load")
def alarm_load(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Recorded numerics, or folders of them.", show_default=False)
    ],
    *,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="The rules file; the shipped rules when left out.", show_default=False),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="A second rules file, for a comparison side by side.", show_default=False),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every alarm, one a line, to this file.", show_default=False)
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw a chart into this file.", show_default=False)] = None,
) -> None:
    """Play recordings through rules, and count the alarms per patient-hour.

    A recording is a BIDMC numerics CSV. It is judged by its own time, as if it had been measured live; nobody
    acknowledges. An alarm is each time that a condition begins, and lasts until it is gone or the recording ends.

    \b
    Examples:
      tocsin report alarm-load recordings/
      tocsin report alarm-load recordings/ --rules ward.json --against old-ward.json --svg load.svg --csv alarms.csv
    """
    from app.commands.connection import CommandError
    from app.commands.report.alarm_load import compare
    from app.modules.alerts.rules.file import RulesFileError

    try:
        compare(paths, rules=rules, against=against, csv_file=csv, svg_file=svg)
    except (CommandError, RulesFileError) as error:
        end(str(error), status=1)
    except OSError as error:
        end(f"{error.filename}: {error.strerror}", status=1)
