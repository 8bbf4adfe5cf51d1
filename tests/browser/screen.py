"""A page of the console as somebody has it before them; whatever it complains of fails the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from app.commands.demo.ward import PASSWORD, Person
from tests.servers import PATIENCE_SECONDS

PHONE = (390, 844)
DESK = (1280, 800)
WARD_SCREEN = (1920, 1080)

expect.set_options(timeout=PATIENCE_SECONDS * 1000)

# Whoever drives a browser from outside touches its pages with each look at them, by what the browser counts; they are
# not told, so that they take themselves for untouched until somebody clicks.
_UNTOUCHED = """
Object.defineProperty(Navigator.prototype, "userActivation", { value: { hasBeenActive: false, isActive: false } });
"""

#: What the policy forbids is said to the console, and so fails the test.
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""

#: A page that nobody is signed in on asks, and is told so with a status that browsers call an error. Neither is a
#: socket one that somebody has no more use for before it is open.
_EXPECTED = re.compile(
    r"status of 401 .* /api/v1/(users/me|login/cookie|refresh-token)$|closed before the connection is established"
)


class Screen:
    """One browser window with the console, in a profile of its own.

    Attributes:
        faults: what the page has complained of, and what it has asked of others than its server.
        tolerated: what of that is meant to happen in this test.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.faults: list[str] = []
        self.tolerated: re.Pattern[str] | None = None
        context.add_init_script(_UNTOUCHED)
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._asked)
        self.page = context.new_page()

    def enter(self, person: Person) -> Screen:
        """Sign in without the form."""
        answer = self.context.request.post(
            f"{self.url}/api/v1/login/cookie",
            data={"email": person.email, "password": PASSWORD},
            headers={"Origin": self.url},
        )
        assert answer.ok, answer.text()
        return self

    def go(self, path: str = "/") -> Screen:
        """Open a page of the console, and wait until its alarms are live."""
        self.page.goto(f"{self.url}/#{path}")
        self.is_live()
        return self

    def is_live(self) -> None:
        expect(self.page.get_by_test_id("connection").first).to_have_attribute("data-phase", "live")

    def another_tab(self, path: str = "/") -> Page:
        """A second tab of the same browser."""
        page = self.context.new_page()
        page.goto(f"{self.url}/#{path}")
        expect(page.get_by_test_id("connection").first).to_have_attribute("data-phase", "live")
        return page

    def alarm(self, alert_id: str, page: Page | None = None) -> Locator:
        """The row of an alert in the list of alarms."""
        return self.alarms(page).and_((page or self.page).locator(f'[data-alert-id="{alert_id}"]'))

    def alarms(self, page: Page | None = None) -> Locator:
        """Every row of the list of alarms."""
        return (page or self.page).get_by_test_id("alarm-list").get_by_test_id("alarm")

    def tile(self, bed: str) -> Locator:
        return self.page.locator(f'[data-testid="tile"][data-patient-id="{bed}"]')

    def sound(self) -> Locator:
        return self.page.get_by_test_id("sound").first

    def tolerate(self, pattern: str) -> None:
        """What matches is meant to happen."""
        self.tolerated = re.compile(pattern)

    def assert_faultless(self) -> None:
        meant = [_EXPECTED, *([self.tolerated] if self.tolerated else [])]
        faults = [fault for fault in self.faults if not any(pattern.search(fault) for pattern in meant)]
        assert not faults, "\n".join(faults)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            path = urlsplit(message.location.get("url", "")).path
            self.faults.append(f"{message.text} {path}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"asked somebody else: {request.url}")


Scheme = Literal["dark", "light"]


@contextmanager
def screen_on(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESK,
    scheme: Scheme = "dark",
    language: str = "en-GB",
    still: bool = False,
    **options: Any,
) -> Iterator[Screen]:
    """A window of a browser that has never been here; faultless until the end of the block.

    Args:
        still: whoever sits there wants nothing to move.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale=language,
        reduced_motion="reduce" if still else "no-preference",
        **options,
    )
    screen = Screen(context, url)
    try:
        yield screen
        screen.assert_faultless()
    finally:
        context.close()
