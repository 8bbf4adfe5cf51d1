"""The browser of the machine, headless, driven by Playwright; it reaches nothing but the servers of the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

VARIABLE = "TOCSIN_TEST_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

FLAGS = (
    "--no-sandbox",  # containers and root have none
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=document-user-activation-required",  # as for people: no sound before they have touched the page
)


class NoBrowserError(LookupError):
    """There is no browser to test with."""


def executable() -> str:
    """The browser that the variable names, else one that is on the path.

    Raises:
        NoBrowserError: there is none; the text says what to do.
    """
    named = os.environ.get(VARIABLE)
    for name in (named,) if named else NAMES:
        if found := shutil.which(name):
            return found
    if named:
        raise NoBrowserError(f"there is no browser {named}, which {VARIABLE} names")
    raise NoBrowserError(f"no browser is on the path: install chromium, or name another in {VARIABLE}")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser for as long as the block lasts.

    Raises:
        NoBrowserError: there is none.
    """
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
