"""`tocsin replay`: play a recording to a running server, through the socket that a bedside device would use.

What does the work is imported when the command runs, so that `tocsin --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.ending import end

TOKEN_VARIABLE = "TOCSIN_TOKEN"


def replay(
    file: Annotated[Path, typer.Argument(help="A BIDMC numerics CSV.", show_default=False)],
    *,
    patient: Annotated[str, typer.Option("--patient", metavar="ID", help="Whom to send for.", show_default=False)],
    speed: Annotated[
        str, typer.Option("--speed", metavar="1|10|max", help="How much faster than it was recorded.")
    ] = "1",
    url: Annotated[str, typer.Option("--url", help="Where the server is.")] = "http://127.0.0.1:8000",
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="JWT",
            envvar=TOKEN_VARIABLE,
            help="Of a device on the care team, or of the patient.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Play a recording to a running server, as the bedside device would have sent it.

    Ends when the server has stored and ruled on every reading.

    \b
    Examples:
      tocsin replay bidmc_49_Numerics.csv --patient bed-3 --token "$(tocsin token device@example.org)"
      TOCSIN_TOKEN=... tocsin replay bidmc_01_Numerics.csv --patient bed-1 --speed 10
    """
    from app.commands.connection import CommandError
    from app.commands.playback import play_file

    if not token.strip():
        end(f"no token: give --token, or set {TOKEN_VARIABLE} to what `tocsin token EMAIL` prints", status=2)
    try:
        print(play_file(file, patient=patient, url=url, token=token.strip(), speed=speed))
    except CommandError as error:
        end(str(error), status=1)
