"""The ward with its monitors: curves that move, numbers that are new, and a patient who gets worse."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from app.commands.demo.ward import BEDS, NURSE
from tests.browser.conftest import Screens
from tests.browser.screen import WARD_SCREEN
from tests.browser.ward import Ward


def test_a_patient_gets_worse_and_nobody_can_overlook_it(busy_ward: Ward, screens: Screens) -> None:
    screen = screens(busy_ward, size=WARD_SCREEN).enter(NURSE).go()
    expect(screen.page.get_by_test_id("tile")).to_have_count(len(BEDS))
    for bed in BEDS:
        tile = screen.tile(bed.id)
        rate = tile.locator('[data-testid="number"][data-sign="hr"], [data-testid="number"]').first
        expect(rate).to_have_attribute("data-missing", "false")
        curve = tile.get_by_test_id("ecg")
        expect(curve).to_have_attribute("data-signal", "true")
        assert curve.screenshot() != curve.screenshot()

    row = screen.alarms().filter(has_text=re.compile(r"SpO₂ \d\d < 90"))
    expect(row).to_be_visible(timeout=60_000)
    expect(row.get_by_role("link", name="Bed 3")).to_be_visible()
    expect(screen.tile("bed-3")).to_have_attribute("data-state", "active")
    # The numbers of the tile itself are below the limit, and it says so.
    expect(screen.tile("bed-3").locator('[data-sign="spo2"]')).to_contain_text("**")


def test_the_curves_are_counted_frame_by_frame(busy_ward: Ward, screens: Screens) -> None:
    page = screens(busy_ward, size=WARD_SCREEN).enter(NURSE).go().page
    page.wait_for_function("() => Number(document.documentElement.dataset.curves) >= 6")
    page.wait_for_function("() => Number(document.documentElement.dataset.fps) > 0")
