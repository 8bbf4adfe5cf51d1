"""What one hears: nothing before somebody has touched the page, then the worst alone, in the rhythm of its priority."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from app.commands.demo.ward import NURSE
from tests.browser.conftest import Screens
from tests.browser.screen import Screen
from tests.browser.ward import Ward

#: Writes down when each oscillator begins, in seconds of the context that plays it, and lets it begin.
_SPY = """
window.pulses = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (when = 0) {
  window.pulses.push(Math.max(when, this.context.currentTime));
  return start.call(this, when);
};
"""


def listening(ward: Ward, screens: Screens) -> Screen:
    screen = screens(ward)
    screen.context.add_init_script(_SPY)
    return screen.enter(NURSE)


def pulses(screen: Screen) -> list[float]:
    found: list[float] = screen.page.evaluate("window.pulses")
    return found


def groups(starts: list[float], apart_seconds: float) -> list[int]:
    """How many pulses follow one another without so long a rest between them."""
    counts = [1]
    for before, after in pairwise(starts):
        if after - before > apart_seconds:
            counts.append(1)
        else:
            counts[-1] += 1
    return counts


def test_sound_is_said_to_be_off_until_the_first_click_and_then_ten_pulses_call(ward: Ward, screens: Screens) -> None:
    screen = listening(ward, screens).go()
    alert_id = ward.raise_alert("critical")
    expect(screen.alarm(alert_id)).to_be_visible()
    expect(screen.sound()).to_have_attribute("data-state", "off")
    off = screen.page.get_by_role("button", name="Sound is off – click to switch it on")
    expect(off).to_be_visible()
    assert pulses(screen) == []

    off.click()
    expect(screen.sound()).to_have_attribute("data-state", "on")
    expect(off).to_have_count(0)
    screen.page.wait_for_function("() => window.pulses.length >= 10")
    burst = pulses(screen)[:10]
    assert groups(burst, 0.3) == [3, 2, 3, 2]
    assert groups(burst, 0.7) == [5, 5]


@pytest.mark.parametrize(("tier", "count"), [("moderate", 3), ("slight", 1)], ids=["medium", "low"])
def test_a_lesser_alarm_calls_with_fewer_pulses(ward: Ward, screens: Screens, tier: str, count: int) -> None:
    screen = listening(ward, screens).go()
    screen.page.locator("h1").click()
    expect(screen.sound()).to_have_attribute("data-state", "on")
    ward.raise_alert(tier)
    screen.page.wait_for_function("() => window.pulses.length > 0")
    # The next burst comes seconds after this one.
    screen.page.wait_for_timeout(1500)
    assert len(pulses(screen)) == count


def test_only_the_worst_is_heard_however_many_there_are(ward: Ward, screens: Screens) -> None:
    screen = listening(ward, screens).go()
    for tier, bed in (("critical", "bed-1"), ("slight", "bed-2"), ("critical", "bed-3"), ("moderate", "bed-4")):
        ward.raise_alert(tier, bed)
    expect(screen.alarms()).to_have_count(4)
    screen.page.locator("h1").click()
    screen.page.wait_for_function("() => window.pulses.length >= 10")
    screen.page.wait_for_timeout(3500)
    assert groups(pulses(screen), 0.3) == [3, 2, 3, 2]


def test_what_somebody_has_taken_on_is_silent(ward: Ward, screens: Screens) -> None:
    screen = listening(ward, screens).go()
    screen.page.locator("h1").click()
    alert_id = ward.raise_alert("slight")
    screen.page.wait_for_function("() => window.pulses.length > 0")
    screen.page.keyboard.press("a")
    screen.page.keyboard.press("Enter")
    expect(screen.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
    before = pulses(screen)
    other = ward.raise_alert("moderate", "bed-2")
    expect(screen.alarm(other)).to_be_visible()
    screen.page.wait_for_function("before => window.pulses.length >= before + 3", arg=len(before))
    assert groups(pulses(screen)[len(before) :], 0.7) == [3]


def test_a_pause_counts_down_and_a_worse_alarm_breaks_it_while_an_equal_one_does_not(
    ward: Ward, screens: Screens
) -> None:
    screen = listening(ward, screens).go()
    screen.page.locator("h1").click()
    first = ward.raise_alert("moderate", "bed-1")
    expect(screen.alarm(first)).to_be_visible()
    screen.page.wait_for_function("() => window.pulses.length >= 3")
    screen.sound().click()
    expect(screen.sound()).to_have_attribute("data-state", "paused")
    shown = screen.sound().inner_text()
    assert 0 < seconds_in(shown) <= 120
    expect(screen.sound()).not_to_have_text(shown)
    assert seconds_in(screen.sound().inner_text()) < seconds_in(shown)

    heard = len(pulses(screen))
    equal = ward.raise_alert("moderate", "bed-2")
    expect(screen.alarm(equal)).to_be_visible()
    screen.page.wait_for_timeout(1500)
    expect(screen.sound()).to_have_attribute("data-state", "paused")
    assert len(pulses(screen)) == heard

    ward.raise_alert("critical", "bed-4")
    expect(screen.sound()).to_have_attribute("data-state", "on")
    screen.page.wait_for_function("before => window.pulses.length >= before + 10", arg=heard)


def test_a_pause_ends_after_two_minutes(ward: Ward, screens: Screens) -> None:
    screen = listening(ward, screens)
    screen.page.clock.install()
    screen.go()
    screen.page.locator("h1").click()
    alert_id = ward.raise_alert("slight")
    expect(screen.alarm(alert_id)).to_be_visible()
    screen.sound().click()
    expect(screen.sound()).to_have_attribute("data-state", "paused")
    screen.page.clock.fast_forward(115_000)
    expect(screen.sound()).to_contain_text("0:0")
    expect(screen.sound()).to_have_attribute("data-state", "paused")
    screen.page.clock.fast_forward(5_000)
    expect(screen.sound()).to_have_attribute("data-state", "on")


def seconds_in(text: str) -> int:
    """`Paused 1:57` as seconds."""
    ((minutes, seconds),) = re.findall(r"(\d+):(\d\d)", text)
    return int(minutes) * 60 + int(seconds)
