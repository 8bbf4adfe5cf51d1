"""The `tocsin` command. What stands behind a part is imported when that part runs, so that help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from app import __version__
from app.commands import admin
from app.commands.demo.command import demo
from app.commands.replay import replay
from app.commands.report.command import report
from app.commands.rules import rules

cli = typer.Typer(
    name="tocsin",
    help="Vital signs in, alerts out, to the right people, with nothing lost on the way.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@cli.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda wanted: _print_version(wanted=wanted), is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@cli.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
def bench(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="MEASUREMENT [OPTIONS]",
            help="Of delivery: fanout, latency, idle, storm, slow or churn. Of vital signs: vitals, viewers, ward, "
            "live or beats. `all` runs every one, and `report` writes them up.",
        ),
    ],
) -> None:
    """Measure the server, alone and against others, in a checkout of the repository.

    Each measurement says with --help what it takes.

    \b
    Examples:
      tocsin bench fanout --subscribers 1000 --rounds 1
      tocsin bench beats --rounds 1 --seconds 30
      tocsin bench storm --help
    """
    from app.commands.bench import bench

    bench(arguments)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Run the server until it gets SIGTERM or Ctrl-C.

    A new database is set up first; one of an older version needs `tocsin migrate`.

    \b
    Examples:
      tocsin serve
      tocsin serve --host 0.0.0.0 --port 80
      TOCSIN_DATA_DIR=/var/lib/tocsin tocsin serve
    """
    from app.commands.serve import serve

    serve(host, port)


@cli.command()
def migrate() -> None:
    """Bring the database to the schema of this version.

    \b
    Examples:
      tocsin migrate
      TOCSIN_DATABASE_URL=postgresql+asyncpg://tocsin@db/tocsin tocsin migrate
    """
    from app.commands.serve import migrate

    migrate()


@cli.command()
def openapi() -> None:
    """Print the description of the HTTP interface as an OpenAPI document in JSON.

    It is that of `/openapi.json`, in the same order each time. No setting, no database and no server is needed.

    \b
    Examples:
      tocsin openapi > openapi.json
      tocsin openapi | diff openapi.json -
    """
    from app.commands.openapi import document

    print(document())


cli.command()(demo)
cli.command()(replay)
cli.command()(admin.token)
cli.add_typer(rules)
cli.add_typer(report)
cli.add_typer(admin.user)
cli.add_typer(admin.patient)
cli.add_typer(admin.care_team)


def main() -> None:
    """The console script."""
    cli()


if __name__ == "__main__":
    main()
