"""The client library in a page of somebody else's, by way of the browser's own `EventSource`, which Node lacks."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from app.commands.demo.ward import NURSE
from tests.browser.conftest import Screens
from tests.browser.ward import Ward

_LIBRARY = Path(__file__).resolve().parents[2] / "web" / "client" / "dist" / "index.js"

_FOLLOW = """
async () => {
  const { createAlertStream } = await import("/library.js");
  window.events = [];
  window.stream = createAlertStream({ auth: "cookie", role: "nurse", patientId: "bed-1", transport: "eventsource" });
  stream.on("event", ({ event, alertId }) => events.push(`${event} ${alertId}`));
}
"""


def follow(page: Page, url: str) -> None:
    """Have a page that is none of the console's follow the alerts of whoever is signed in."""
    page.route("**/library.js", lambda route: route.fulfill(path=_LIBRARY, content_type="text/javascript"))
    page.goto(f"{url}/healthz")
    page.evaluate(_FOLLOW)
    page.wait_for_function("stream.state.phase === 'live'")


def test_over_eventsource_a_page_misses_nothing_of_a_server_that_was_killed_and_hears_nothing_twice(
    mortal_ward: Ward, screens: Screens
) -> None:
    screen = screens(mortal_ward).enter(NURSE)
    screen.tolerate("ERR_|alerts/stream")
    first = mortal_ward.raise_alert(condition="first")
    follow(screen.page, mortal_ward.url)
    second = mortal_ward.raise_alert(condition="second")
    screen.page.wait_for_function("(id) => stream.alerts.has(id)", arg=second)

    mortal_ward.server.kill()
    screen.page.wait_for_function("stream.state.phase === 'lost'")
    mortal_ward.server.start()
    mortal_ward.resolve(first)
    third = mortal_ward.raise_alert(condition="third")
    screen.page.wait_for_function("(id) => stream.state.phase === 'live' && stream.alerts.has(id)", arg=third)

    told = [f"alert {first}", f"alert {second}", f"alert_resolved {first}", f"alert {third}"]
    assert screen.page.evaluate("events") == told
    assert set(screen.page.evaluate("[...stream.alerts.keys()]")) == {second, third}


def test_over_eventsource_a_page_learns_why_it_is_refused_and_stays_away(ward: Ward, screens: Screens) -> None:
    screen = screens(ward).enter(NURSE)
    screen.tolerate("status of 401")
    follow(screen.page, ward.url)
    answer = screen.context.request.post(f"{ward.url}/api/v1/logout", headers={"Origin": ward.url})
    assert answer.ok
    screen.page.wait_for_function("stream.state.phase === 'stopped'")
    assert screen.page.evaluate("stream.state.status") == 401
    assert ward.open_streams() == 0
