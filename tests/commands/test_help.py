"""What `--help` shows can be typed as it stands there, and the README leaves no command out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from app.cli import cli
from tests.docs.pages import README

TOCSIN = typer.main.get_group(cli)

#: A call of ours: from the `tocsin` that begins a line or a part of one, to where a shell would end its words.
_CALL = re.compile(r"""(?:^ +|&& |\$\()(?:[A-Z_]+=\S+ )*tocsin ((?:"[^"]*"|[^\n|<>&)"])*)""", re.MULTILINE)


def commands(group: TyperGroup, path: str) -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, with what one types."""
    for name, part in group.commands.items():
        if isinstance(part, TyperGroup):
            yield from commands(part, f"{path} {name}")
        else:
            assert isinstance(part, TyperCommand)
            yield f"{path} {name}", part


COMMANDS = dict(commands(TOCSIN, "tocsin"))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_examples_of_a_command_are_words_that_it_understands(path: str) -> None:
    shown = (COMMANDS[path].help or "").partition("Example")[2]
    calls = [call.strip() for call in _CALL.findall(shown)]
    assert any(f"tocsin {call}".startswith(path) for call in calls)
    for call in calls:
        name = max((it for it in COMMANDS if f"tocsin {call} ".startswith(f"{it} ")), key=len)
        words = shlex.split(f"tocsin {call}")[len(name.split()) :]
        COMMANDS[name].make_context(name, words)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_readme_lists_every_command(path: str) -> None:
    text = README.read_text(encoding="utf-8").replace(
        "care-team add\\|remove", "care-team add` `tocsin care-team remove"
    )
    assert re.search(rf"`{path}\b", text)
