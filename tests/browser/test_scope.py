"""Who sees whom: a screen shows nobody whom its user may not see, also when that has just changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from app.commands.demo.ward import ADMIN, BEDS, NURSE, PATIENT
from tests.browser.conftest import Screens
from tests.browser.ward import Ward


def test_a_patient_sees_only_themselves(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(PATIENT).go()
    own, other = ward.raise_alert("moderate", "bed-1"), ward.raise_alert("critical", "bed-2")
    expect(screen.alarm(own)).to_be_visible()
    expect(screen.page.get_by_test_id("tile")).to_have_count(1)
    expect(screen.tile("bed-1")).to_be_visible()
    expect(screen.alarm(other)).to_have_count(0)
    expect(screen.page.get_by_role("link", name="Admin")).to_have_count(0)
    screen.go("/admin/users")
    expect(screen.page.get_by_text("This is for administrators")).to_be_visible()
    expect(screen.page.locator("body")).not_to_contain_text(ADMIN.email)


@pytest.fixture
def care_team(ward: Ward) -> Iterator[str]:
    """Where the nurse stands on the care team of bed 5; back on it afterwards."""
    path = f"/api/v1/patients/bed-5/care-team/{ward.user_id(NURSE.email)}"
    yield path
    ward.call("PUT", path)


def test_a_patient_whose_care_team_one_leaves_vanishes_with_their_alarms_and_comes_back(
    ward: Ward, screens: Screens, care_team: str
) -> None:
    screen = screens(ward).enter(NURSE).go()
    screen.tolerate("WebSocket connection to .* 403|status of 403 .* /api/v1/vitals/latest")
    alert_id, staying = ward.raise_alert("critical", "bed-5"), ward.raise_alert("slight", "bed-1")
    expect(screen.page.get_by_test_id("tile")).to_have_count(len(BEDS))
    expect(screen.alarm(alert_id)).to_be_visible()
    ward.call("DELETE", care_team)
    expect(screen.tile("bed-5")).to_have_count(0)
    expect(screen.alarm(alert_id)).to_have_count(0)
    expect(screen.alarm(staying)).to_be_visible()
    screen.is_live()
    ward.call("PUT", care_team)
    expect(screen.tile("bed-5")).to_be_visible()
    expect(screen.alarm(alert_id)).to_be_visible()


def test_an_account_that_is_disabled_is_out_at_once(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    screen.tolerate("status of 40[13]|WebSocket connection to .* (403|no valid credentials)")
    path = f"/api/v1/users/{ward.user_id(NURSE.email)}"
    try:
        ward.call("PATCH", path, {"disabled": True})
        expect(screen.page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(screen.page.get_by_test_id("tile")).to_have_count(0)
    finally:
        ward.call("PATCH", path, {"disabled": False})
