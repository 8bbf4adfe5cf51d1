"""Takes the pictures of the README: `make screenshots`. It waits until the demo's ward has the worst of alarms."""

from __future__ import annotations

import argparse
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from httpx_sse import connect_sse
from PIL import Image
from playwright.sync_api import Browser, expect

from app.commands.demo.ward import NURSE, PASSWORD
from tests.browser.chromium import running_browser
from tests.browser.screen import DESK, PHONE, WARD_SCREEN, Scheme, Screen, screen_on
from tests.browser.ward import Ward, furnish_into, ward_on
from tests.servers import ROOT
from tests.ward import host_of, monitors_of

#: A stream says at least each 30 s that it is there.
SILENCE_SECONDS = 60

#: All that flashes is lit, as it is for half of the time.
_LIT = "() => { for (const it of document.getAnimations()) { it.pause(); it.currentTime = 0; } }"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images", metavar="FOLDER")
    into: Path = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-screenshots-") as folder:
        furnished = Path(folder, "furnished")
        furnish_into(furnished)
        with (
            ward_on(furnished, Path(folder, "data"), env="demo") as ward,
            monitors_of(host_of(ward.server)),
            running_browser() as browser,
        ):
            wait_for_the_worst(ward)
            take(browser, ward, into)
    return 0


def wait_for_the_worst(ward: Ward) -> None:
    """Return when an alarm of high priority is open: the saturation in bed 3 falls below 80 % in the fifth minute.

    All others but the newest have somebody who cares by then.
    """
    print("waiting for an alarm of high priority", flush=True)
    query = {"role": "admin"}
    with connect_sse(ward.http, "GET", "/api/v1/alerts/stream", params=query, timeout=SILENCE_SECONDS) as stream:
        for message in stream.iter_sse():
            alert = message.json() if message.event == "message" and message.data else {}
            if alert.get("priority") == "high":
                return
            if alert.get("patientId") == "bed-5" and alert["state"] == "active":
                answer(ward, alert["alertId"], "bed-5", "Seen, blood gas taken")
    raise SystemExit("the server has ended the stream before an alarm of high priority came")


def answer(ward: Ward, alert_id: str, bed: str, note: str) -> None:
    """The nurse takes it on."""
    form = {"username": NURSE.email, "password": PASSWORD}
    token = ward.http.post("/api/v1/login/access-token", data=form).raise_for_status().json()["access_token"]
    path = f"/api/v1/alerts/alerts/{alert_id}/acknowledge"
    headers = {"Authorization": f"Bearer {token}"}
    ward.call("POST", path, {"note": note}, params={"patient_id": bed}, headers=headers)


def take(browser: Browser, ward: Ward, into: Path) -> None:
    """Write every picture."""
    views: list[tuple[str, str, tuple[int, int], Scheme]] = [
        ("ward", "/", WARD_SCREEN, "dark"),
        ("patient", "/patients/bed-3", (DESK[0], 1000), "dark"),
        ("phone", "/", PHONE, "dark"),
        ("ward-light", "/", WARD_SCREEN, "light"),
    ]
    for name, path, size, scheme in views:
        # A telephone has two pixels and more for each.
        mobile = {"device_scale_factor": 2, "is_mobile": True, "has_touch": True}
        options: dict[str, Any] = mobile if name == "phone" else {}
        with screen_on(browser, ward.url, size=size, scheme=scheme, **options) as screen:
            screen.enter(NURSE).go(path)
            settle(screen)
            picture = small(screen.page.screenshot())
            (into / f"{name}.png").write_bytes(picture)
            print(f"{into / name}.png: {len(picture) // 1000} kB", flush=True)


def settle(screen: Screen) -> None:
    """The sound is on, the curves fill their width, and what flashes is lit."""
    page = screen.page
    page.get_by_role("button", name="Sound is off – click to switch it on").click()
    expect(page.locator('[data-testid="number"][data-sign="spo2"]').first).to_have_attribute("data-missing", "false")
    expect(page.get_by_test_id("spinner")).to_have_count(0)
    page.wait_for_timeout(9_000)
    page.evaluate(_LIT)


def small(picture: bytes) -> bytes:
    """The same picture with 256 colours, which are more than the console has."""
    with Image.open(BytesIO(picture)) as image:
        packed = BytesIO()
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
