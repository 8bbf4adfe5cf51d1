"""Every page: for those who see, hear or move otherwise, on every screen, in light and dark, and without a fault."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.commands.demo.ward import NURSE
from tests.browser.accessibility import violations
from tests.browser.conftest import Screens
from tests.browser.places import PATIENT, PLACES, WARD, Place
from tests.browser.screen import DESK, PHONE, WARD_SCREEN, Scheme
from tests.browser.ward import Ward

#: What reaches out of the window at a side, or is cut off although it is text that somebody has to read.
_SPILT = """
() => {
  const { clientWidth: width, scrollWidth } = document.documentElement;
  const spilt = scrollWidth > width ? [`the page is ${scrollWidth} wide`] : [];
  const scrolls = (element) => {
    for (let it = element.parentElement; it; it = it.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(it).overflowX)) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("h1, h2, h3, a, button, input, select, [data-testid='number'] dd")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.classList.contains("visually-hidden") || scrolls(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width <= 1 || box.bottom < 0) continue;
    if (box.left < -1 || box.right > width + 1) spilt.push(`${element.tagName} ${element.textContent.slice(0, 40)}`);
    const style = getComputedStyle(element);
    const isCut = element.scrollWidth > element.clientWidth + 1 && style.overflowX !== "visible";
    if (isCut && element.tagName !== "INPUT" && style.textOverflow !== "ellipsis") {
      spilt.push(`cut: ${element.tagName} ${element.textContent.slice(0, 40)}`);
    }
  }
  return spilt;
}
"""


def with_alarms(ward: Ward) -> None:
    """An alarm of each priority, one of them taken on."""
    ward.raise_alert("critical", "bed-3")
    ward.raise_alert("moderate", "bed-2")
    taken = ward.raise_alert("slight", "bed-4")
    path = f"/api/v1/alerts/alerts/{taken}/acknowledge"
    ward.call("POST", path, {"note": "On my way"}, params={"patient_id": "bed-4"})


every_place = pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])


#: Every size, and both themes; the colours of one theme are the same at each size.
_LOOKS: tuple[tuple[tuple[int, int], Scheme], ...] = ((WARD_SCREEN, "dark"), (PHONE, "dark"), (DESK, "light"))


@every_place
def test_on_every_screen_no_rule_of_wcag_2_2_aa_is_broken_and_nothing_is_cut_off(
    ward: Ward, screens: Screens, place: Place
) -> None:
    with_alarms(ward)
    screen = screens(ward)
    place.open(screen)
    for (width, height), scheme in _LOOKS:
        screen.page.set_viewport_size({"width": width, "height": height})
        screen.page.emulate_media(color_scheme=scheme)
        assert (width, screen.page.evaluate(_SPILT)) == (width, [])
        assert (width, scheme, violations(screen.page)) == (width, scheme, [])


@pytest.mark.parametrize("place", [WARD, PATIENT], ids=["ward", "patient"])
def test_for_those_who_want_it_nothing_moves(ward: Ward, screens: Screens, place: Place) -> None:
    with_alarms(ward)
    screen = screens(ward, still=True)
    place.open(screen)
    expect(screen.alarms()).to_have_count(3)
    assert screen.page.evaluate("document.getAnimations().filter((it) => it.playState === 'running').length") == 0
    moving = screens(ward)
    place.open(moving)
    assert moving.page.evaluate("document.getAnimations().filter((it) => it.playState === 'running').length") > 0


def test_on_a_ward_screen_every_tile_and_the_worst_alarms_are_in_view_without_scrolling(
    ward: Ward, screens: Screens
) -> None:
    with_alarms(ward)
    screen = screens(ward, size=WARD_SCREEN)
    WARD.open(screen)
    screen.page.get_by_role("button", name="Sound is off – click to switch it on").click()
    for part in (*screen.page.get_by_test_id("tile").all(), *screen.alarms().all()):
        expect(part).to_be_in_viewport(ratio=1)


def test_on_a_telephone_the_worst_alarm_is_in_view_and_a_thumb_takes_it_on(ward: Ward, screens: Screens) -> None:
    with_alarms(ward)
    screen = screens(ward, size=PHONE, has_touch=True, is_mobile=True)
    WARD.open(screen)
    worst = screen.alarms().and_(screen.page.locator('[data-priority="high"]'))
    expect(worst).to_be_in_viewport()
    button = worst.get_by_role("button", name="Acknowledge")
    box = button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    button.tap()
    screen.page.get_by_role("dialog").get_by_role("button", name="Acknowledge").tap()
    expect(worst).to_have_attribute("data-state", "acknowledged")


def test_a_german_browser_finds_it_in_german_and_one_may_choose(ward: Ward, screens: Screens) -> None:
    foyer = screens(ward, language="de-AT").page
    foyer.goto(ward.url)
    expect(foyer.get_by_role("button", name="Anmelden", exact=True)).to_be_visible()
    expect(foyer.locator("html")).to_have_attribute("lang", "de")
    foyer.get_by_label("Sprache").select_option(label="English")
    expect(foyer.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(foyer.locator("html")).to_have_attribute("lang", "en")

    with_alarms(ward)
    page = screens(ward, language="de-DE").enter(NURSE).go().page
    expect(page.get_by_role("button", name="Quittieren").first).to_be_visible()
    expect(page.get_by_text("Hohe Priorität").first).to_be_attached()
    for word in ("Acknowledge", "priority", "next step", "nobody", "Sound"):
        expect(page.locator("#root")).not_to_contain_text(word)
