"""axe-core on a page, by the rules of WCAG 2.2 A and AA."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.servers import ROOT

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# What flashes is looked at while it is lit, and what moves in its place.
_RUN = """
async (tags) => {
  for (const animation of document.getAnimations()) { animation.pause(); animation.currentTime = 0; }
  try {
    return await axe.run(document, { runOnly: { type: "tag", values: tags } });
  } finally {
    for (const animation of document.getAnimations()) animation.play();
  }
}
"""


def examine(page: Page) -> dict[str, Any]:
    """What axe has found: `violations`, `passes` and `incomplete`."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(_RUN, TAGS)
    return found


def violations(page: Page) -> list[str]:
    """Each violation with where it is."""
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in examine(page)["violations"]
        for node in rule["nodes"]
    ]
