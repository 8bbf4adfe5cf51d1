"""A server that dies, a network that goes: nobody can overlook it, nothing old passes for new, nothing is missed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from app.commands.demo.ward import NURSE
from tests.browser.conftest import Screens
from tests.browser.screen import Screen
from tests.browser.ward import Ward
from tests.ward import host_of, monitors_of

#: Writes down the id of every event that the page is sent on a stream of alerts, whatever it makes of it.
_COUNT_EVENTS = """
window.eventIds = [];
const ask = window.fetch;
window.fetch = async (...call) => {
  const answer = await ask(...call);
  if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return answer;
  const [mine, theirs] = answer.body.tee();
  void (async () => {
    let text = "";
    try {
      for await (const piece of mine.pipeThrough(new TextDecoderStream())) {
        text += piece;
        const blocks = text.split("\\n\\n");
        text = blocks.pop();
        for (const block of blocks) {
          const id = /^id: ?(.*)$/m.exec(block)?.[1];
          if (id && /^data:/m.test(block) && !/^event:/m.test(block)) window.eventIds.push(id);
        }
      }
    } catch {}
  })();
  return new Response(theirs, { status: answer.status, headers: answer.headers });
};
"""


def shown(screen: Screen) -> dict[str, str | None]:
    """The alarms of the list, by id, with their state."""
    rows = screen.alarms().all()
    found = [(str(row.get_attribute("data-alert-id")), row.get_attribute("data-state")) for row in rows]
    assert len({alert_id for alert_id, _ in found}) == len(found)
    return dict(found)


def open_now(ward: Ward) -> dict[str, Any]:
    return {alert["alertId"]: alert["state"] for alert in ward.open_alerts()}


@pytest.fixture
def screen(mortal_ward: Ward, screens: Screens) -> Screen:
    """A screen whose requests may fail."""
    screen = screens(mortal_ward)
    screen.tolerate("Failed to load resource|WebSocket connection to")
    return screen


def test_a_dead_server_is_an_alarm_of_its_own_and_its_return_brings_all_that_was_missed_once(
    mortal_ward: Ward, screen: Screen
) -> None:
    ward = mortal_ward
    screen.context.add_init_script(_COUNT_EVENTS)
    with monitors_of(host_of(ward.server)):
        before = ward.raise_alert("moderate", "bed-1")
        page = screen.enter(NURSE).go().page
        pulse = screen.tile("bed-4").locator('[data-testid="number"]').first
        expect(pulse).to_have_attribute("data-missing", "false")
        gone = ward.raise_alert("slight", "bed-2")
        expect(screen.alarm(gone)).to_be_visible()

        ward.server.kill()
        alarm = page.get_by_test_id("connection-alarm")
        expect(alarm).to_be_visible()
        expect(alarm.get_by_role("alert")).to_have_text("No connection to the alarms")
        expect(page.get_by_test_id("connection").first).to_have_attribute("data-phase", "lost")
        expect(page).to_have_title("!!! NO CONNECTION")
        expect(alarm).to_be_in_viewport(ratio=1)
        missing = page.locator('[data-testid="number"][data-missing="false"]')
        expect(missing).to_have_count(0)
        expect(pulse).to_contain_text("--")

        ward.server.start()
        ward.resolve(gone, "bed-2")
        during = [ward.raise_alert("critical", "bed-4"), ward.raise_alert("moderate", "bed-5")]
        screen.is_live()
        expect(alarm).to_have_count(0)
        for alert_id in (before, *during):
            expect(screen.alarm(alert_id)).to_be_visible()
        expect(screen.alarm(gone)).to_have_count(0)
        expect(pulse).to_have_attribute("data-missing", "false")
        last = ward.raise_alert("slight", "bed-6")
        expect(screen.alarm(last)).to_be_visible()
    events = page.evaluate("window.eventIds")
    # Those of `gone`, its end, `during` and `last`; what the patients raise themselves comes on top.
    assert len(events) >= 5
    assert len(set(events)) == len(events)
    assert [int(it.rsplit("-", 1)[1]) for it in events] == sorted(int(it.rsplit("-", 1)[1]) for it in events)
    ids = {before, *during, last}
    assert {key: state for key, state in shown(screen).items() if key in ids} == {
        key: state for key, state in open_now(ward).items() if key in ids
    }


def test_an_acknowledgement_that_cannot_be_sent_is_said_to_be_none_and_keeps_its_note(
    mortal_ward: Ward, screen: Screen
) -> None:
    ward = mortal_ward
    alert_id = ward.raise_alert("moderate")
    page = screen.enter(NURSE).go().page
    expect(screen.alarm(alert_id)).to_be_visible()
    ward.server.kill()
    expect(page.get_by_test_id("connection-alarm")).to_be_visible()
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("On my way")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog.get_by_text("the alarm is NOT acknowledged")).to_be_visible()
    expect(screen.alarm(alert_id)).to_have_attribute("data-state", "active")
    ward.server.start()
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog).to_be_hidden()
    expect(screen.alarm(alert_id)).to_have_attribute("data-state", "acknowledged")
    assert ward.alert(alert_id)["note"] == "On my way"


def test_a_screen_without_network_says_that_it_is_the_screen(mortal_ward: Ward, screen: Screen) -> None:
    page = screen.enter(NURSE).go().page
    screen.context.set_offline(True)
    expect(page.get_by_role("alert").filter(has_text="This device is offline")).to_be_visible()
    missed = mortal_ward.raise_alert("critical")
    screen.context.set_offline(False)
    expect(screen.alarm(missed)).to_be_visible()
    screen.is_live()
