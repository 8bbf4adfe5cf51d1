"""Signing in: who gets in, who does not and is told why, and what the screen keeps for the next one."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from app.commands.demo.ward import NURSE, PASSWORD
from tests.browser.conftest import Screens
from tests.browser.screen import PHONE
from tests.browser.ward import Ward


def fill(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def test_a_wrong_password_is_told_and_the_right_one_leads_to_the_ward(ward: Ward, screens: Screens) -> None:
    screen = screens(ward)
    page = screen.page
    page.goto(ward.url)
    fill(page, NURSE.email, "not the password")
    expect(page.get_by_text("The address or the password is wrong.")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    fill(page, NURSE.email, PASSWORD)
    expect(page.get_by_role("heading", name="Ward", level=1)).to_be_visible()
    screen.is_live()
    assert NURSE.email not in page.url


def test_what_is_missing_is_named_and_focused_before_anything_is_sent(ward: Ward, screens: Screens) -> None:
    page = screens(ward, size=PHONE).page
    page.goto(ward.url)
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_label("E-mail").fill(NURSE.email)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter your password.")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()


def test_whoever_is_signed_in_stays_so_through_a_reload_and_leaves_nothing_behind(ward: Ward, screens: Screens) -> None:
    alert_id = ward.raise_alert()
    screen = screens(ward).enter(NURSE).go()
    expect(screen.alarm(alert_id)).to_be_visible()
    screen.page.reload()
    expect(screen.alarm(alert_id)).to_be_visible()

    # A tab whose stream ends with the session may look for its patients before it is told that somebody has left.
    screen.tolerate(r"status of 401 .* /api/v1/patients$")
    another = screen.another_tab()
    screen.page.get_by_role("button", name=NURSE.name).click()
    screen.page.get_by_text("Sign out").click()
    for page in (screen.page, another):
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_text("You have signed out.")).to_be_visible()
        expect(screen.alarms(page)).to_have_count(0)
    stored = screen.page.evaluate("() => JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert "bed-1" not in stored
    assert NURSE.email not in stored
