"""The pages of the console, and what has to be there before one looks at them."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import expect

from app.commands.demo.ward import ADMIN, NURSE, Person
from tests.browser.screen import Screen


@dataclass(frozen=True)
class Place:
    """A page.

    Attributes:
        person: who looks; nobody for the page to sign in on.
        heading: its first heading.
    """

    path: str
    heading: str
    person: Person | None = NURSE

    @property
    def name(self) -> str:
        return self.path.strip("/") or ("ward" if self.person else "sign-in")

    def open(self, screen: Screen) -> None:
        """Go there, and wait until it has come to rest."""
        if self.person is None:
            screen.page.goto(screen.url)
        else:
            screen.enter(self.person).go(self.path)
        expect(screen.page.get_by_role("heading", level=1, name=self.heading)).to_be_visible()
        expect(screen.page.get_by_test_id("spinner")).to_have_count(0)


SIGN_IN = Place("/", "Sign in", None)
WARD = Place("/", "Ward")
PATIENT = Place("/patients/bed-3", "Bed 3")
PARTS_OF_PATIENT = [Place(f"/patients/bed-3?show={part}", "Bed 3") for part in ("alarms", "limits")]
HISTORY = Place("/history", "History")
ADMINISTRATION = [
    Place(f"/admin/{part}", "Administration", ADMIN) for part in ("system", "users", "patients", "care-teams", "rules")
]
PLACES = [SIGN_IN, WARD, PATIENT, *PARTS_OF_PATIENT, HISTORY, *ADMINISTRATION]
