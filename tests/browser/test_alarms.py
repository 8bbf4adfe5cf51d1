"""Alarms on the screen: they cannot be overlooked, they say what and against which limit, and two keys take them on."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Locator, expect

from app.commands.demo.ward import NURSE
from tests.browser.conftest import Screens
from tests.browser.ward import DOCTOR, Ward
from tests.servers import PATIENCE_SECONDS

#: How many times a second the band changes and changes back: the browser keeps to it, however busy the machine is.
_RATE = """
(band) => band.getAnimations().map((it) => 1000 / it.effect.getComputedTiming().duration)
"""

#: The colour that stands for the alarm of an element, as browsers write colours.
_LOOK = """
(element) => {
  const sample = element.appendChild(document.createElement("i"));
  sample.style.color = "var(--look-fill)";
  const { color } = getComputedStyle(sample);
  sample.remove();
  return color;
}
"""


def rates_hz(band: Locator) -> list[float]:
    """The rate of each flash that runs on the band."""
    rates: list[float] = band.evaluate(_RATE)
    return rates


def wait_for_another_look(symbol: Locator) -> None:
    """Return when one sees something else there than before, and fail when that does not happen."""
    first, until = symbol.screenshot(), time.monotonic() + PATIENCE_SECONDS
    while symbol.screenshot() == first:
        assert time.monotonic() < until, "it looks the same all the time"


def wait_for_one_look(symbol: Locator, *, for_seconds: float) -> None:
    """Return when nothing has changed there for so long, and fail when that does not happen."""
    until = time.monotonic() + PATIENCE_SECONDS
    look, since = symbol.screenshot(), time.monotonic()
    while time.monotonic() < since + for_seconds:
        assert time.monotonic() < until, "it goes on changing"
        if (now := symbol.screenshot()) != look:
            look, since = now, time.monotonic()


@pytest.mark.parametrize(
    ("tier", "slowest_hz", "fastest_hz"), [("critical", 1.4, 2.8), ("moderate", 0.4, 0.8)], ids=["high", "medium"]
)
def test_an_alarm_flashes_at_the_rate_of_its_priority_until_somebody_takes_it_on(
    ward: Ward, screens: Screens, tier: str, slowest_hz: float, fastest_hz: float
) -> None:
    screen = screens(ward).enter(NURSE).go()
    alert_id = ward.raise_alert(tier)
    band = screen.alarm(alert_id).locator(".alarm-band")
    expect(band).to_be_visible()
    assert [slowest_hz <= rate <= fastest_hz for rate in rates_hz(band)] == [True]
    wait_for_another_look(band.locator(".alarm-symbol"))

    screen.page.keyboard.press("a")
    screen.page.keyboard.press("Enter")
    expect(screen.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
    screen.page.mouse.move(0, 0)
    assert rates_hz(band) == []
    wait_for_one_look(band.locator(".alarm-symbol"), for_seconds=1 / slowest_hz)


def test_a_low_priority_alarm_is_steady(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    band = screen.alarm(ward.raise_alert("slight")).locator(".alarm-band")
    expect(band).to_be_visible()
    assert rates_hz(band) == []


@pytest.mark.parametrize(
    ("tier", "symbol", "words"),
    [("critical", "***", "High priority"), ("moderate", "**", "Medium priority"), ("slight", "*", "Low priority")],
)
def test_an_alarm_says_its_priority_what_it_is_and_the_limit_in_list_tile_and_title(
    ward: Ward, screens: Screens, tier: str, symbol: str, words: str
) -> None:
    screen = screens(ward).enter(NURSE).go()
    row = screen.alarm(ward.raise_alert(tier))
    for place in (row, screen.tile("bed-1")):
        expect(place.locator(".alarm-symbol").first).to_have_text(symbol)
        expect(place).to_contain_text(f"{words}: SpO₂ 82 < 90")
    expect(row).to_contain_text("nobody")
    # By the bed, since browsers keep titles: no name of a patient belongs there.
    expect(screen.page).to_have_title(f"(1) {symbol} SpO₂ 82 < 90 % · bed-1")


@pytest.mark.parametrize("still", [False, True], ids=["moving", "still"])
@pytest.mark.parametrize("tier", ["critical", "moderate", "slight"])
def test_a_tile_is_framed_in_the_colour_of_its_alarm_also_when_somebody_has_it(
    ward: Ward, screens: Screens, tier: str, *, still: bool
) -> None:
    screen = screens(ward, still=still).enter(NURSE).go()
    ward.raise_alert(tier)
    tile = screen.tile("bed-1")
    expect(tile).to_have_attribute("data-state", "active")
    colour = tile.evaluate(_LOOK)
    # It flashes, and has that colour while it is lit.
    tile.evaluate("tile => tile.getAnimations().forEach((one) => { one.pause(); one.currentTime = 0; })")
    expect(tile).to_have_css("border-top-color", colour)
    screen.page.keyboard.press("a")
    screen.page.keyboard.press("Enter")
    expect(tile).to_have_attribute("data-state", "acknowledged")
    expect(tile).to_have_css("border-top-color", colour)


def test_two_keys_take_an_alarm_on_and_every_other_window_shows_the_owner(ward: Ward, screens: Screens) -> None:
    nurse, doctor = screens(ward).enter(NURSE).go(), screens(ward).enter(DOCTOR).go()
    alert_id = ward.raise_alert("critical")
    for screen in (nurse, doctor):
        expect(screen.alarm(alert_id)).to_have_attribute("data-state", "active")

    nurse.page.keyboard.press("a")
    nurse.page.keyboard.press("Enter")

    for screen in (nurse, doctor):
        expect(screen.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
        expect(screen.alarm(alert_id)).to_contain_text("Owner: Nurse")
    alert = ward.alert(alert_id)
    assert (alert["state"], alert["acknowledgedByName"], alert["status"]) == (
        "acknowledged",
        NURSE.name,
        "acknowledged",
    )


def test_j_and_k_choose_an_alarm_and_a_note_and_a_status_go_with_it(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    worse, other = ward.raise_alert("critical"), ward.raise_alert("slight")
    keyboard = screen.page.keyboard
    expect(screen.alarm(other)).to_be_visible()
    expect(screen.alarm(worse)).to_be_visible()
    for key, chosen in (("j", worse), ("j", other), ("k", worse), ("j", other)):
        keyboard.press(key)
        expect(screen.alarm(chosen).locator(":focus")).to_have_count(1)
    keyboard.press("a")
    dialog = screen.page.get_by_role("dialog", name="Acknowledge alarm")
    dialog.get_by_label("False alarm").check()
    dialog.get_by_label("Note").fill("The finger clip had slipped")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_be_hidden()
    expect(screen.alarm(other)).to_have_attribute("data-state", "acknowledged")
    expect(screen.alarm(other)).to_contain_text("The finger clip had slipped")
    alert = ward.alert(other)
    assert (alert["status"], alert["note"]) == ("false_alarm", "The finger clip had slipped")
    assert ward.alert(worse)["state"] == "active"


def test_the_mouse_takes_an_alarm_on_from_its_tile_in_two_clicks(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    alert_id = ward.raise_alert("moderate", "bed-4")
    screen.tile("bed-4").get_by_role("button", name="Acknowledge").click()
    screen.page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(screen.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
    expect(screen.tile("bed-4").get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_whoever_comes_second_is_told_who_was_first(ward: Ward, screens: Screens) -> None:
    nurse, doctor = screens(ward).enter(NURSE).go(), screens(ward).enter(DOCTOR).go()
    doctor.tolerate("status of 409")
    alert_id = ward.raise_alert("moderate")
    expect(doctor.alarm(alert_id)).to_be_visible()
    doctor.page.keyboard.press("a")
    dialog = doctor.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(nurse.alarm(alert_id)).to_be_visible()
    nurse.page.keyboard.press("a")
    nurse.page.keyboard.press("Enter")
    expect(doctor.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(doctor.page.get_by_text("Nurse was first")).to_be_visible()
    assert ward.alert(alert_id)["acknowledgedByName"] == NURSE.name


def test_the_worst_stands_first_then_the_newest_and_what_is_over_is_gone(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    low = ward.raise_alert("slight", "bed-1")
    high = ward.raise_alert("critical", "bed-2")
    older = ward.raise_alert("moderate", "bed-3")
    newer = ward.raise_alert("moderate", "bed-4")
    expect(screen.alarms()).to_have_count(4)
    rows = screen.alarms()
    order = [row.get_attribute("data-alert-id") for row in rows.all()]
    assert order == [high, newer, older, low]
    ward.resolve(high, "bed-2")
    expect(rows).to_have_count(3)
    expect(screen.tile("bed-2")).not_to_contain_text("SpO₂ 82 < 90")


def test_the_countdown_to_the_next_step_runs_and_names_it_late_or_done(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE).go()
    row = screen.alarm(ward.raise_alert("moderate"))
    expect(row).to_contain_text("next step in")
    first = row.inner_text()
    expect(row).not_to_have_text(first)
    expect(row).to_contain_text("next step in")
