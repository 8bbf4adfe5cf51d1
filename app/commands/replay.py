"""`tocsin replay`: play recordings to a running server, through the socket that a bedside device would use.

What does the work is imported when the command runs, so that `tocsin --help` answers at once.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from app.commands.ending import end

TOKEN_VARIABLE = "TOCSIN_TOKEN"


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="A BIDMC numerics CSV, a BIDMC signals CSV (both may be .gz), or a WFDB record (100 or 100.hea).",
            show_default=False,
        ),
    ],
    *,
    patients: Annotated[
        list[str],
        typer.Option(
            "--patient",
            metavar="ID",
            help="Whom to send for: one patient for all files, or one for each file in the same order.",
            show_default=False,
        ),
    ],
    speed: Annotated[
        str,
        typer.Option(
            "--speed", metavar="1|10|max", help="How much faster than it was recorded: any number above 0, or max."
        ),
    ] = "1",
    from_seconds: Annotated[
        float, typer.Option("--from", metavar="SECONDS", min=0, help="Begin so far into the recording.")
    ] = 0.0,
    duration_seconds: Annotated[
        float | None,
        typer.Option("--duration", metavar="SECONDS", min=0, help="Play no more than this of it.", show_default=False),
    ] = None,
    frame_ms: Annotated[
        int, typer.Option("--frame-ms", metavar="MS", min=10, max=2000, help="How long a waveform frame is.")
    ] = 50,
    url: Annotated[str, typer.Option("--url", help="Where the server is.")] = "http://127.0.0.1:8000",
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="JWT",
            envvar=TOKEN_VARIABLE,
            help="Of a device on the care teams, or of the patient.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Play recordings to a running server, as bedside devices would have sent them.

    Files of the same patient play together, several patients at once.
    Ends when the server has taken every frame, and stored and ruled on every
    reading.

    Readings are stamped with the time at which they are sent, at any speed, so
    that they are judged like fresh ones. Waveforms keep their true rate: at
    speed 1 they are taken now; faster, they are laid into the past so that they
    end about now, and rules that pass over old readings pass over what is found
    in them.

    ECG leads, PLETH and RESP are sent; other signals are named and left out.
    Where samples are missing there is a gap.

    \b
    Examples:
      tocsin replay bidmc_49_Numerics.csv --patient bed-3 --token "$(tocsin token device@example.org)"
      TOCSIN_TOKEN=... tocsin replay bidmc_01_Numerics.csv --patient bed-1 --speed 10
      tocsin replay bidmc_01_Numerics.csv bidmc_01_Signals.csv.gz --patient bed-1
      tocsin replay mitdb/100 a103l.hea --patient bed-1 --patient bed-2 --from 60 --duration 120
    """
    from app.commands.connection import CommandError
    from app.commands.playback import play_files
    from app.commands.sources import Cut

    if not token.strip():
        end(f"no token: give --token, or set {TOKEN_VARIABLE} to what `tocsin token EMAIL` prints", status=2)
    cut = Cut(from_seconds, inf if duration_seconds is None else duration_seconds, frame_ms / 1000)
    try:
        print(play_files(files, patients=patients, url=url, token=token.strip(), speed=speed, cut=cut))
    except CommandError as error:
        end(str(error), status=1)
