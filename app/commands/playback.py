"""Playing recordings to a server, for one patient or several at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.commands.connection import MOBILE_SOCKET, CommandError, websocket_address
from app.commands.display import on_stderr
from app.commands.player import Player, Tally
from app.commands.sources import Cut, Step, assign, notices, play_together, read_file


def play_files(files: Sequence[Path], *, patients: Sequence[str], url: str, token: str, speed: str, cut: Cut) -> str:
    """Play the recordings in files, and sum up in one line.

    Raises:
        CommandError: a file or the speed is none, or the server is not there, refuses, or was lost for good.
    """
    seconds_per_second = read_speed(speed)
    recordings = {patient: [read_file(path) for path in paths] for patient, paths in assign(files, patients).items()}
    beds = {patient: play_together(found, cut) for patient, found in recordings.items()}
    for patient, steps in beds.items():
        if not steps:
            names = " and ".join(recording.name for recording in recordings[patient])
            raise CommandError(f"{names}: there is nothing to play, or nothing in that stretch")
    return asyncio.run(play_beds(beds, url=url, token=token, speed=seconds_per_second, notices=notices(recordings)))


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


async def play(steps: Sequence[Step], *, patient: str, url: str, token: str, speed: float) -> str:
    """Play to one patient, and sum up in one line.

    Raises:
        CommandError: the server is not there, refuses, or was lost and did not come back.
    """
    return await play_beds({patient: steps}, url=url, token=token, speed=speed)


async def play_beds(
    beds: Mapping[str, Sequence[Step]], *, url: str, token: str, speed: float, notices: Sequence[str] = ()
) -> str:
    """Play to each patient at once, wait until the server has taken and ruled on everything, and sum up in one line.

    Raises:
        CommandError: for one of them the server is not there, refuses, or was lost and did not come back; the
            others have ended then, too.
    """
    started = time.monotonic()
    with on_stderr(beds) as screen:
        for notice in notices:
            screen.say(notice)
        addresses = {patient: websocket_address(url, MOBILE_SOCKET, patient_id=patient) for patient in beds}
        players = {
            patient: Player(steps, address=addresses[patient], token=token, speed=speed, observer=screen.bed(patient))
            for patient, steps in beds.items()
        }
        await _play_all(players)
    tally = sum((player.tally for player in players.values()), Tally())
    return _sum_up(tally, patients=len(beds), seconds=time.monotonic() - started)


async def _play_all(players: Mapping[str, Player]) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            for patient, player in players.items():
                tasks.create_task(_play_one(player, "" if len(players) == 1 else f"{patient}: "))
    except* CommandError as failed:
        first = failed.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def _play_one(player: Player, prefix: str) -> None:
    try:
        await player.play()
    except CommandError as error:
        raise CommandError(f"{prefix}{error}") from error


def _sum_up(tally: Tally, *, patients: int, seconds: float) -> str:
    parts = [] if patients == 1 else [f"{patients} patients"]
    if tally.rows:
        parts.append(f"{tally.rows:,} rows, {tally.readings:,} readings sent")
    if tally.waveforms:
        parts.append(f"{tally.waveforms:,} waveform frames with {tally.samples:,} samples sent")
    return ", ".join([*parts, f"{tally.refused:,} refused", f"{seconds:.1f} s"])
