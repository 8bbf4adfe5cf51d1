"""What the console costs and how fast it is, on this machine: `make figures`, or `python -m tests.browser.figures`.

Sizes as they go over the wire; frames and processor time of a ward of eight patients with three curves each; the time
from the request that raises an alert until it is on the screen; and what axe finds on each page.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from app.commands.demo.ward import NURSE
from app.core.console import FOLDER
from tests.browser.accessibility import examine
from tests.browser.chromium import NoBrowserError, running_browser
from tests.browser.full_ward import PATIENTS, ward_of_eight
from tests.browser.places import PLACES, Place
from tests.browser.screen import DESK, WARD_SCREEN, Screen, screen_on
from tests.browser.ward import Ward, furnish_into
from tests.servers import ROOT

_COUNT_FRAMES = """
async (seconds) => {
  const began = performance.now();
  const gaps = [];
  for (let before = began; before - began < seconds * 1000; ) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - before);
    before = now;
  }
  gaps.sort((one, other) => one - other);
  const passed = gaps.reduce((sum, it) => sum + it, 0);
  return { fps: (gaps.length * 1000) / passed, p99: gaps[Math.floor(gaps.length * 0.99)] };
}
"""

#: When each alert was first on the screen, in milliseconds of the epoch: after the frame in which its row was drawn.
_NOTE_ALARMS = """
() => {
  window.shownAt = {};
  const look = () => {
    for (const row of document.querySelectorAll("[data-testid='alarm-list'] [data-alert-id]")) {
      const id = row.dataset.alertId;
      if (id in window.shownAt) continue;
      window.shownAt[id] = 0;
      requestAnimationFrame(() => setTimeout(() => { window.shownAt[id] = Date.now(); }));
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there as well")
    parser.add_argument("--seconds", type=float, default=10, help="how long frames are counted (10)")
    parser.add_argument("--raises", type=int, default=50, help="how many alerts are raised (50)")
    options = parser.parse_args()
    try:
        figures = measured(options.seconds, options.raises)
    except NoBrowserError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(as_text(figures))
    return 0


def measured(seconds: float, raises: int) -> dict[str, Any]:
    """Everything, by what it is about."""
    figures: dict[str, Any] = {"sizes": sizes()}
    with wards() as ward, running_browser() as browser:
        figures["browser"] = browser.version
        figures["ward"] = smoothness(browser, ward, seconds)
        figures["fromRaiseToScreen"] = delays(browser, ward, raises)
        figures["axe"] = findings(browser, ward)
    return figures


@contextmanager
def wards() -> Iterator[Ward]:
    with tempfile.TemporaryDirectory(prefix="tocsin-figures-") as folder:
        furnished = Path(folder, "furnished")
        furnish_into(furnished)
        with ward_of_eight(furnished, Path(folder, "data")) as ward:
            yield ward


def sizes() -> dict[str, Any]:
    """Bytes over the wire, gzipped as the server does it."""
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    first = {FOLDER / path for path in re.findall(r'(?:src|href)="/(assets/[^"]+)"', page)}
    packed = {path: len(gzip.compress(path.read_bytes())) for path in (FOLDER / "assets").iterdir()}
    command = [
        str(ROOT / "web" / "with-node"),
        "npm",
        "--prefix",
        str(ROOT / "web"),
        "run",
        "-s",
        "size",
        "-w",
        "client",
    ]
    client = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (size, limit) = map(int, re.findall(r"everything +(\d+) bytes, of at most (\d+)", client)[0])
    return {
        "consoleScript": sum(size for path, size in packed.items() if path in first and path.suffix == ".js"),
        "consoleStyle": sum(size for path, size in packed.items() if path in first and path.suffix == ".css"),
        "consoleLater": sum(size for path, size in packed.items() if path not in first),
        "client": size,
        "clientLimit": limit,
    }


def smoothness(browser: Browser, ward: Ward, seconds: float) -> dict[str, Any]:
    """Frames in a second in the ward view, counted from outside and by the console itself, and what they cost."""
    with screen_on(browser, ward.url, size=WARD_SCREEN) as screen:
        page = screen.enter(NURSE).go().page
        page.wait_for_function(f"() => document.querySelectorAll('[data-signal=true]').length >= {len(PATIENTS)}")
        page.wait_for_timeout(3000)
        before = processor_seconds(browser)
        began = time.monotonic()
        counted: dict[str, float] = page.evaluate(_COUNT_FRAMES, seconds)
        passed = time.monotonic() - began
        after = processor_seconds(browser)
        own = page.evaluate("() => ({ ...document.documentElement.dataset })")
    return {
        "patients": len(PATIENTS),
        "fps": round(counted["fps"], 1),
        "slowestPercentMs": round(counted["p99"], 1),
        "fpsByTheConsole": int(own["fps"]),
        "curves": int(own["curves"]),
        "rendererCpuPercent": round(100 * (after["renderer"] - before["renderer"]) / passed),
        "browserCpuPercent": round(100 * (sum(after.values()) - sum(before.values())) / passed),
    }


def processor_seconds(browser: Browser) -> dict[str, float]:
    """What each kind of process of the browser has used."""
    session = browser.new_browser_cdp_session()
    used: dict[str, float] = {"renderer": 0.0}
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        used[process["type"]] = used.get(process["type"], 0.0) + process["cpuTime"]
    session.detach()
    return used


def delays(browser: Browser, ward: Ward, raises: int) -> dict[str, Any]:
    """From before the request that raises an alert until after the frame that shows it, in milliseconds."""
    with screen_on(browser, ward.url, size=DESK) as screen:
        page = screen.enter(NURSE).go().page
        page.evaluate(_NOTE_ALARMS)
        took = []
        for number in range(raises):
            raised_at = time.time() * 1000
            alert_id = ward.raise_alert("moderate", "bed-1", condition=f"figure_{number}")
            page.wait_for_function("id => window.shownAt[id] > 0", arg=alert_id)
            took.append(page.evaluate("id => window.shownAt[id]", alert_id) - raised_at)
            ward.resolve(alert_id)
    took.sort()
    return {
        "raises": raises,
        "p50Ms": round(took[len(took) // 2], 1),
        "p99Ms": round(took[min(len(took) - 1, int(len(took) * 0.99))], 1),
        "mostMs": round(took[-1], 1),
    }


def findings(browser: Browser, ward: Ward) -> list[dict[str, Any]]:
    """What axe says of each page, in both looks."""
    found = []
    for place in PLACES:
        for scheme in ("dark", "light"):
            with screen_on(browser, ward.url, scheme=scheme) as screen:
                found.append({"page": place.name, "look": scheme} | _examined(screen, place))
    return found


def _examined(screen: Screen, place: Place) -> dict[str, int]:
    place.open(screen)
    results = examine(screen.page)
    return {what: len(results[what]) for what in ("violations", "incomplete", "passes")}


def as_text(figures: dict[str, Any]) -> str:
    """The same for people."""
    size, ward, delay = figures["sizes"], figures["ward"], figures["fromRaiseToScreen"]
    rows = [
        ("client, gzipped", f"{size['client']} bytes, of at most {size['clientLimit']}"),
        ("console at first, gzipped", f"{size['consoleScript']} bytes of script, {size['consoleStyle']} of style"),
        ("console later on, gzipped", f"{size['consoleLater']} bytes"),
        (
            f"ward of {ward['patients']}, {ward['curves']} curves",
            f"{ward['fps']:g} frames/s ({ward['fpsByTheConsole']} by its own count), 99 of 100 within "
            f"{ward['slowestPercentMs']:g} ms; renderer {ward['rendererCpuPercent']} % of a core, "
            f"browser in all {ward['browserCpuPercent']} %",
        ),
        (
            f"raised to shown, {delay['raises']} times",
            f"p50 {delay['p50Ms']:g} ms, p99 {delay['p99Ms']:g} ms, most {delay['mostMs']:g} ms",
        ),
        *(
            (f"axe, {it['page']}, {it['look']}", f"{it['violations']} violations, {it['passes']} rules passed")
            for it in figures["axe"]
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"Chromium {figures['browser']}, headless", *(f"{name:{width}}  {text}" for name, text in rows)])


if __name__ == "__main__":
    raise SystemExit(main())
