"""Putting the demo together: a server, the ward in it, monitors that send, and somebody who watches."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from app.commands.connection import CommandError
from app.commands.demo.devices import run_monitors
from app.commands.demo.feeds import AlertFeed, follow_vitals
from app.commands.demo.handout import (
    acknowledge_command,
    authorization_header,
    console_address,
    console_sign_in,
    follow_command,
    on_one_line,
    sign_ins,
)
from app.commands.demo.headless import Lines
from app.commands.demo.model import WardModel
from app.commands.demo.server import DemoServer, require_free_port, running_server
from app.commands.demo.together import run_together
from app.commands.demo.view import render
from app.commands.demo.ward import ADMIN, BEDS, NURSE, Tokens, furnish
from app.commands.readings import now

REDRAW_HZ: Final = 8

Show = Callable[[DemoServer, Tokens], Coroutine[Any, Any, None]]


def run(port: int, *, headless: bool) -> None:
    """Run the demo until SIGINT or SIGTERM; without a terminal it is headless in any case.

    Raises:
        CommandError: the server did not start, refused the ward, or ended by itself.
    """
    screen = Console()
    show = show_lines if headless or not screen.is_terminal else partial(show_view, screen=screen)
    asyncio.run(run_until_signal(run_demo(port, show)))


async def run_demo(port: int, show: Show) -> None:
    """Run until cancelled; whatever ends it, the server is stopped and its folder removed.

    Raises:
        CommandError: the server did not start, refused the ward, or ended by itself.
    """
    require_free_port(port)
    print(f"starting Tocsin on port {port} …", flush=True)
    async with running_server(port) as server:
        try:
            await furnish(server)
        except CommandError as error:
            raise CommandError(str(error), error.details or server.last_words()) from None
        tokens = Tokens(server)
        await run_together(server.watch(), show(server, tokens))


async def show_lines(server: DemoServer, tokens: Tokens) -> None:
    """Print where everything is, and then what happens."""
    header = f"'{authorization_header(await tokens.of(NURSE))}'"
    say = partial(print, flush=True)
    say("Tocsin demo (Ctrl-C ends it and removes its data)")
    for line in sign_ins():
        say(f"  {line}")
    say("follow the alerts of a bed:", on_one_line(follow_command(server.url, header)), sep="\n")
    say("acknowledge one:", on_one_line(acknowledge_command(server.url, header)), sep="\n")
    say(f"\nopen the console: {console_address(server.url)}\n     and sign in: {console_sign_in()}\n")
    lines = Lines(say)
    await run_together(
        AlertFeed(server.url, partial(tokens.of, ADMIN), lines).follow(),
        run_monitors(server, tokens=tokens, notice=lambda text: lines.heed(text, now())),
    )


async def show_view(server: DemoServer, tokens: Tokens, *, screen: Console) -> None:
    """Draw the ward until cancelled."""
    # A file keeps the token, of several hundred characters, out of the way of what has to be copied.
    header = server.folder / "nurse.header"
    header.write_text(authorization_header(await tokens.of(NURSE)) + "\n", encoding="utf-8")
    model = WardModel()
    token = partial(tokens.of, ADMIN)

    async def draw() -> None:
        with Live(console=screen, screen=True, auto_refresh=False) as live:
            while True:
                live.update(render(model, now(), url=server.url, authorization=f"@{header}"), refresh=True)
                await asyncio.sleep(1 / REDRAW_HZ)

    await run_together(
        draw(),
        AlertFeed(server.url, token, model).follow(),
        *(follow_vitals(bed.id, url=server.url, token=token, watcher=model) for bed in BEDS),
        run_monitors(server, tokens=tokens, notice=lambda text: model.heed(text, now())),
    )


async def run_until_signal(body: Coroutine[Any, Any, None]) -> None:
    """Run it until it ends, or SIGINT or SIGTERM asks it to; being asked is no failure."""
    task = asyncio.ensure_future(body)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
