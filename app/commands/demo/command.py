"""`tocsin demo` itself. What does the work is imported when it runs, so that `tocsin --help` answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.commands.ending import end


def demo(
    *,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the demo's server listens.")] = 8000,
    headless: Annotated[
        bool, typer.Option("--headless", help="Print plain lines, one for each alert event, instead of the view.")
    ] = False,
) -> None:
    """Run a ward of six made-up patients, and show their alerts live.

    Starts a server of its own with a fresh data folder, prints who can sign in, and runs until Ctrl-C; then all of
    it is gone. Within half a minute the patient in bed 3 gets worse.

    \b
    Examples:
      tocsin demo
      tocsin demo --port 8001 --headless
    """
    from app.commands.connection import CommandError
    from app.commands.demo.stage import run

    try:
        run(port, headless=headless)
    except CommandError as error:
        if error.details:
            print(error.details, file=sys.stderr)
        end(str(error), status=1)
