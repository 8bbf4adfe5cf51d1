"""Puts the web console into packages, where it is built: what Node makes is not kept in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "web/console/dist"


class ConsoleHook(BuildHookInterface[Any]):
    """The wheel carries the console as `app/_console`, the sdist where it was built, an editable install not at all."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        folder = Path(self.root, BUILT)
        if (folder / "index.html").is_file():
            build_data["force_include"][str(folder)] = "app/_console" if self.target_name == "wheel" else BUILT
        else:
            self.app.display_warning(f"no web console is built in {BUILT}: this {self.target_name} goes without it")
