"""Strips on real servers: a device sends a curve, a reading raises an alert, and the curve is there to look at."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import anyio
import anyio.lowlevel
import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect

from app.core.clock import Clock
from app.core.roles import Role
from app.core.timestamps import from_rfc3339, to_rfc3339
from app.modules.strips.service import SETTLING, StripService
from app.modules.strips.strip import AFTER
from tests.modules.strips.curves import RATE, counts, pack
from tests.modules.vitals.bedside import MOBILE, Socket, serving_ward, socket
from tests.modules.ward import SetClock
from tests.servers import RunningServer, code_of, server_process

pytestmark = pytest.mark.anyio

SCALE = 0.005
FRAME = 50


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
async def server(tmp_path: Path, clock: SetClock) -> AsyncIterator[RunningServer]:
    """A ward whose time stands still until the test moves it."""
    async with serving_ward(tmp_path, clock=clock) as running:
        yield running


class Monitor:
    """A device that has two leads and a pleth, and sends them in frames of 0.2 s up to the present."""

    def __init__(self, connection: Socket, began_at: datetime) -> None:
        self._socket = connection
        self._began_at = began_at
        self._sent = 0

    async def send_until(self, now: datetime) -> None:
        """Send every frame whose last sample has been taken."""
        due = int((now - self._began_at).total_seconds() * RATE)
        while self._sent + FRAME <= due:
            timestamp = to_rfc3339(self._began_at + timedelta(seconds=self._sent / RATE))
            samples = b"".join(pack(counts(self._sent, FRAME, lead)) for lead in range(2))
            ecg = {"type": "ecg", "sampleRate": RATE, "leads": ["II", "V"], "unit": "mV", "scale": SCALE}
            values = [count / 10 for count in counts(self._sent, FRAME, 2)]
            pleth = {"type": "pleth", "sampleRate": RATE, "samples": values, "timestamp": timestamp}
            await self._socket.send(
                msgspec.msgpack.encode({**ecg, "samples": samples, "timestamp": timestamp}), json.dumps(pleth)
            )
            self._sent += FRAME
        await self._socket.flush()

    async def alarm(self, now: datetime) -> None:
        """Send a reading that is an alarm by itself."""
        await self._socket.send({"type": "spo2", "value": 70, "unit": "%", "timestamp": to_rfc3339(now)})
        await self._socket.flush()


async def only_alert(server: RunningServer) -> str:
    page = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "admin")).json()["alerts"]
    (alert_id,) = (alert["alertId"] for alert in page)
    assert isinstance(alert_id, str)
    return alert_id


async def get_strip(
    server: RunningServer, alert_id: str, who: str | None = "nurse", form: str | None = None, **kwargs: Any
) -> httpx.Response:
    query = "" if form is None else f"?format={form}"
    return await server.call("GET", f"/api/v1/alerts/{alert_id}/strip{query}", who, **kwargs)


async def until_stored(server: RunningServer, alert_id: str) -> dict[str, Any]:
    """The strip, as soon as there is one."""
    with anyio.fail_after(20):
        while (response := await get_strip(server, alert_id)).status_code == 404:
            assert code_of(response) == (404, "no_strip")
            assert response.headers["retry-after"] == "1"
    document: dict[str, Any] = response.json()
    return document


async def alarmed(server: RunningServer, clock: SetClock, device: Socket) -> tuple[Monitor, str]:
    """A monitor that has been sending for 12 s, and an alert at this moment."""
    monitor = Monitor(device, clock.now() - timedelta(seconds=12))
    await monitor.send_until(clock.now())
    await monitor.alarm(clock.now())
    return monitor, await only_alert(server)


async def complete(server: RunningServer, clock: SetClock, monitor: Monitor) -> None:
    """Let the seconds after the alert pass."""
    clock.advance(AFTER + SETTLING)
    await monitor.send_until(clock.now())
    await all_stored(server)


async def all_stored(server: RunningServer) -> None:
    """What is due now is stored, be it by the worker or by us."""
    strips = server.services.get(StripService)
    with anyio.fail_after(20):
        while len(strips):
            assert await strips.store_due()
            await anyio.lowlevel.checkpoint()


def expected(document: dict[str, Any], alert_at: datetime, *, until: float) -> None:
    """The document has exactly what the monitor sent from 10 s before the alert on, of every lead."""
    assert (from_rfc3339(document["alertAt"]) - alert_at).total_seconds() == 0
    assert from_rfc3339(document["start"]) == alert_at - timedelta(seconds=10)
    assert from_rfc3339(document["end"]) == alert_at + timedelta(seconds=until)
    shape = [(trace["type"], trace["lead"], trace["unit"]) for trace in document["waveforms"]]
    assert shape == [("ecg", "II", "mV"), ("ecg", "V", "mV"), ("pleth", None, "")]
    for lead, (trace, worth) in enumerate(zip(document["waveforms"], (SCALE, SCALE, 0.1), strict=True)):
        (segment,) = trace["segments"]
        assert segment["sampleRate"] == RATE
        assert segment["timestamp"] == segment["deviceTimestamp"] == document["start"]
        sent = counts(500, int((10 + until) * RATE), lead)
        assert samples_of(segment) == pytest.approx([count * worth for count in sent], abs=1e-9)


def samples_of(segment: dict[str, Any]) -> Sequence[float]:
    """The samples of either form."""
    if "scale" not in segment:
        samples: list[float] = segment["samples"]
        return samples
    scale, offset = segment["scale"], segment["offset"]
    return [count * scale + offset for count in memoryview(segment["samples"]).cast("h")]


@asynccontextmanager
async def websocket(url: str, token: str) -> AsyncIterator[Socket]:
    """A device of P1 at a server in another process."""
    address = url.replace("http", "ws", 1) + MOBILE + "?patient_id=P1"
    async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as connection:
        yield Socket(connection)


async def test_the_strip_of_an_alert_is_what_the_device_sent_in_each_form(
    server: RunningServer, clock: SetClock
) -> None:
    alert_at = clock.now()
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        monitor, alert_id = await alarmed(server, clock, device)
        begun = await until_stored(server, alert_id)
        assert begun["complete"] is False
        expected(begun, alert_at, until=0)
        await complete(server, clock, monitor)

    as_json = await get_strip(server, alert_id)
    assert as_json.headers["content-type"] == "application/json"
    assert (as_json.json()["alertId"], as_json.json()["patientId"], as_json.json()["complete"]) == (
        alert_id,
        "P1",
        True,
    )
    expected(as_json.json(), alert_at, until=5)

    binary = await get_strip(server, alert_id, form="binary")
    assert binary.headers["content-type"] == "application/msgpack"
    expected(msgspec.msgpack.decode(binary.content), alert_at, until=5)

    svg = await get_strip(server, alert_id, form="svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.headers["content-disposition"] == f'inline; filename="strip-{alert_id}.svg"'
    assert "default-src 'none'" in svg.headers["content-security-policy"]
    drawn = ElementTree.fromstring(svg.content)
    assert (drawn.attrib["role"], drawn.attrib["width"]) == ("img", "410mm")
    assert "*** spo2_low: spo2 below 80" in svg.text
    assert sum("transform" in path.attrib for path in drawn.iter("{http://www.w3.org/2000/svg}path")) == 3


async def test_seven_real_seconds_complete_a_strip(tmp_path: Path) -> None:
    async with serving_ward(tmp_path) as server, socket(server, MOBILE, "device", patient_id="P1") as device:
        now = server.services.get(Clock).now
        began_at = now() - timedelta(seconds=12)
        monitor = Monitor(device, began_at)
        await monitor.send_until(now())
        await monitor.alarm(now())
        alert_id = await only_alert(server)
        document = await until_stored(server, alert_id)
        with anyio.fail_after(20):
            while not document["complete"]:
                await monitor.send_until(now())
                document = (await get_strip(server, alert_id)).json()
        for lead, trace in enumerate(document["waveforms"]):
            (segment,) = trace["segments"]
            assert len(segment["samples"]) == pytest.approx(15 * RATE, abs=1)
            first = round((from_rfc3339(segment["deviceTimestamp"]) - began_at).total_seconds() * RATE)
            sent = counts(first, len(segment["samples"]), lead)
            assert segment["samples"] == pytest.approx([count * (SCALE if lead < 2 else 0.1) for count in sent])


async def test_a_kill_right_after_the_alert_leaves_the_seconds_before_it(tmp_path: Path) -> None:
    """Fails when the strip is written only once it is complete (checked so)."""
    async with serving_ward(tmp_path) as server:
        headers, tokens = server.bearer("nurse"), server.tokens
    with server_process(tmp_path) as process:
        now = datetime.now(UTC)
        async with websocket(process.url, tokens["device"]) as device:
            monitor = Monitor(device, now - timedelta(seconds=12))
            await monitor.send_until(now)
            await monitor.alarm(now)
            async with httpx.AsyncClient(base_url=process.url, headers=headers) as http:
                (alert,) = (await http.get("/api/v1/alerts?patient_id=P1")).json()["alerts"]
                address = f"/api/v1/alerts/{alert['alertId']}/strip"
                with anyio.fail_after(20):
                    while (before := await http.get(address)).status_code != 200:
                        pass
            process.kill()
        process.start()
        async with httpx.AsyncClient(base_url=process.url, headers=headers) as http:
            after = await http.get(address)
    assert after.json() == before.json()
    assert after.json()["complete"] is False
    (segment,) = after.json()["waveforms"][0]["segments"]
    # What has come by then: between the last frame and the alert a busy machine takes its time.
    assert 8 * RATE < len(segment["samples"]) <= 10 * RATE + FRAME


async def test_the_header_chooses_the_form_and_the_query_overrules_it(server: RunningServer, clock: SetClock) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        _, alert_id = await alarmed(server, clock, device)
        await until_stored(server, alert_id)
    for accept, form in (
        ("image/svg+xml", "image/svg+xml"),
        ("application/msgpack, application/json;q=0.5", "application/msgpack"),
        ("application/json;q=0.5, image/svg+xml;q=0.9", "image/svg+xml"),
        ("image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"),
        ("text/html", "application/json"),
        ("image/svg+xml;q=0", "application/json"),
        ("image/svg+xml;q=high,,;", "application/json"),
        ("*/*", "application/json"),
    ):
        response = await get_strip(server, alert_id, headers={"Accept": accept})
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, form), accept
        assert "Accept" in response.headers["vary"]
        overruled = await get_strip(server, alert_id, form="binary", headers={"Accept": accept})
        assert overruled.headers["content-type"] == "application/msgpack"
    assert code_of(await get_strip(server, alert_id, form="png")) == (422, "validation_error")


async def test_who_may_not_see_the_alert_sees_no_strip(server: RunningServer, clock: SetClock) -> None:
    """Fails when the strip is looked up without the alert (checked so)."""
    await server.user("doctor", Role.DOCTOR)
    await server.grant("P1", "doctor")
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        monitor = Monitor(device, clock.now() - timedelta(seconds=12))
        await monitor.send_until(clock.now())
        alert_id = (await server.raise_alert(recipients=["nurse"])).json()["alertId"]
        await until_stored(server, alert_id)
    for who, answer in (
        (None, (401, "not_signed_in")),
        ("outsider", (404, "unknown_alert")),
        ("patient", (404, "unknown_alert")),
        ("device", (404, "unknown_alert")),
        ("doctor", (404, "unknown_alert")),  # on the care team, but not told of this alert
    ):
        assert code_of(await get_strip(server, alert_id, who)) == answer, who
        alert = await server.call("GET", f"/api/v1/alerts/{alert_id}", who)
        assert code_of(alert) == answer, who
    for who in ("nurse", "admin"):
        assert (await get_strip(server, alert_id, who)).status_code == 200


async def test_an_alert_without_waveforms_has_no_strip_and_says_why(server: RunningServer, clock: SetClock) -> None:
    alert_id = (await server.raise_alert()).json()["alertId"]
    new = await get_strip(server, alert_id)
    assert (code_of(new), new.headers["retry-after"]) == ((404, "no_strip"), "1")
    clock.advance(AFTER + SETTLING)
    await all_stored(server)
    never = await get_strip(server, alert_id)
    assert code_of(never) == (404, "no_strip")
    assert "no waveform of this patient was coming in" in never.json()["detail"]
    assert "retry-after" not in never.headers
    assert code_of(await get_strip(server, "no-such")) == (404, "unknown_alert")


async def test_what_happens_to_an_alert_later_changes_nothing_in_its_strip(
    server: RunningServer, clock: SetClock
) -> None:
    """Fails when every event of the log is taken for a new alert (checked so)."""
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        monitor, alert_id = await alarmed(server, clock, device)
        await complete(server, clock, monitor)
        strip = (await get_strip(server, alert_id)).json()
        clock.advance(timedelta(seconds=40))
        await monitor.send_until(clock.now())
        await monitor.alarm(clock.now())
        acknowledged = await server.call("POST", f"/api/v1/alerts/alerts/{alert_id}/acknowledge", "nurse")
        assert acknowledged.status_code == 200
        clock.advance(AFTER + SETTLING)
        await all_stored(server)
    assert (await get_strip(server, alert_id)).json() == strip


async def test_the_description_tells_the_three_forms(server: RunningServer) -> None:
    document = (await server.http.get("/openapi.json")).json()
    operation = document["paths"]["/api/v1/alerts/{alert_id}/strip"]["get"]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"application/json", "application/msgpack", "image/svg+xml"}
    assert content["application/json"]["schema"]["$ref"].endswith("/StripView")
    assert operation["responses"]["404"]["description"] == "`unknown_alert`, `no_strip`"
