"""The pages that are tested, and the snippets in them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.servers import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in this language."""
    return [text for found, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]
