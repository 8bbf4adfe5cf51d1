"""Tabs of one browser share a connection, and none of them misses anything when another one closes."""

from __future__ import annotations

from playwright.sync_api import expect

from app.commands.demo.ward import NURSE
from tests.browser.conftest import Screens
from tests.browser.ward import DOCTOR, Ward


def test_two_tabs_share_one_connection_and_another_browser_has_its_own(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    assert ward.open_streams() == 1
    second = screen.another_tab()
    third = screen.another_tab("/history")
    assert ward.open_streams() == 1
    screens(ward).enter(DOCTOR).go()
    assert ward.open_streams() == 2
    alert_id = ward.raise_alert()
    for page in (screen.page, second, third):
        expect(screen.alarm(alert_id, page)).to_be_visible()


def test_when_the_tab_with_the_connection_closes_another_goes_on_without_loss(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    second = screen.another_tab()
    alerts = []
    for number in range(12):
        alerts.append(ward.raise_alert("moderate", f"bed-{number % 6 + 1}", condition=f"number_{number}"))
        if number == 5:
            screen.page.close()
    ward.resolve(alerts[0], "bed-1")
    expect(screen.alarms(second)).to_have_count(11)
    for alert_id in alerts[1:]:
        expect(screen.alarm(alert_id, second)).to_be_visible()
    expect(second.get_by_test_id("connection").first).to_have_attribute("data-phase", "live")
    assert ward.open_streams() == 1


def test_what_one_tab_acknowledges_is_taken_on_in_the_other(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    second = screen.another_tab()
    alert_id = ward.raise_alert("critical")
    expect(screen.alarm(alert_id, second)).to_have_attribute("data-state", "active")
    second.keyboard.press("a")
    second.keyboard.press("Enter")
    for page in (screen.page, second):
        expect(screen.alarm(alert_id, page)).to_have_attribute("data-state", "acknowledged")
