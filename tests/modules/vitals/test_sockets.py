from __future__ import annotations

import asyncio
import json
import math
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed

from app.core.db import Database
from app.core.metrics import Metrics
from app.core.roles import Role
from app.core.security import Principal
from app.modules.vitals import viewer as viewer_module
from app.modules.vitals.device_socket import MOST_ERRORS_IN_A_ROW
from app.modules.vitals.frames import Waveform
from app.modules.vitals.manager import QUEUE_FRAMES, VitalsViewers
from app.modules.vitals.renditions import Choice
from app.modules.vitals.rights import SocketRights
from app.modules.vitals.samples import Numbers
from app.modules.vitals.viewer_socket import MOST_VIEWER_MESSAGES, ViewerSocket
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, refusal, serving_ward, socket
from tests.modules.vitals.station import PATIENT, Station
from tests.servers import PATIENCE_SECONDS, RunningServer, until

pytestmark = pytest.mark.anyio


def count(server: RunningServer, name: str, **labels: str) -> float:
    return server.services.get(Metrics).registry.get_sample_value(name, labels) or 0


def viewers(server: RunningServer) -> int:
    return server.services.get(VitalsViewers).count()


def wide(number: int) -> Waveform:
    """A frame of many bytes that is recognised by its first sample."""
    samples = Numbers(((float(number), *[0.123456789] * 2000),))
    return Waveform("ecg", 250, ("II",), samples, "mV", datetime.now(UTC))


async def test_who_may_not_is_refused_before_the_socket_opens(server: RunningServer) -> None:
    cases: list[tuple[str, str | None, dict[str, str], tuple[int, str]]] = [
        (MOBILE, None, {"patient_id": "P1"}, (401, "not_signed_in")),
        (MOBILE, "nurse", {"patient_id": "P1"}, (403, "role_not_held")),
        (MOBILE, "admin", {"patient_id": "P1"}, (403, "role_not_held")),
        (MOBILE, "device", {"patient_id": "P9"}, (403, "not_on_care_team")),
        (MOBILE, "device", {"patient_id": "with a space"}, (403, "not_on_care_team")),
        (MOBILE, "device", {}, (400, "patient_id_required")),
        (MOBILE, "patient", {"patient_id": "P1"}, (403, "not_own_record")),
        (FRONTEND, None, {"patient_id": "P1"}, (401, "not_signed_in")),
        (FRONTEND, "outsider", {"patient_id": "P1"}, (403, "not_on_care_team")),
        (FRONTEND, "device", {"patient_id": "P1"}, (403, "not_on_care_team")),
        (FRONTEND, "patient", {"patient_id": "P1"}, (403, "not_on_care_team")),
        (FRONTEND, "nurse", {}, (400, "patient_id_required")),
        (FRONTEND, "admin", {"patient_id": "*"}, (400, "patient_id_required")),
        (FRONTEND, "admin", {"patient_id": "all", "role": "admin"}, (400, "patient_id_required")),
        (FRONTEND, "nurse", {"patient_id": "P1", "role": "doctor"}, (403, "role_not_held")),
        (FRONTEND, "nurse", {"patient_id": "P1", "role": "wizard"}, (403, "invalid_role")),
    ]
    answers = [(path, name, query, await refusal(server, path, name, **query)) for path, name, query, _ in cases]
    assert answers == cases


@pytest.mark.parametrize("carried", ["header", "query", "subprotocol"])
async def test_what_a_device_sends_is_stored_when_its_flush_is_answered(
    server: RunningServer, bed: Bed, carried: str
) -> None:
    async with socket(server, MOBILE, "device", carried=carried, patient_id="P1") as device:
        assert device.connection.subprotocol == ("bearer" if carried == "subprotocol" else None)
        await device.send(bed.reading(), bed.reading(), bed.reading(73, seconds=1))
        assert await device.flush("a") == {"event": "flushed", "id": "a", "frames": 3, "errors": 0}
    history = await server.call("GET", "/api/v1/vitals/history?patient_id=P1", "nurse")
    assert [reading["value"] for reading in history.json()["readings"]] == [73, 72]


async def test_a_browser_needs_an_origin_beside_its_cookie(server: RunningServer) -> None:
    refused = await refusal(server, MOBILE, "patient", carried="cookie", origin="https://elsewhere.example.org")
    assert refused == (403, "origin_not_allowed")
    async with socket(server, MOBILE, "patient", carried="cookie", origin=server.url) as device:
        assert (await device.flush())["frames"] == 0


async def test_frames_that_cannot_be_used_are_told_and_counted_and_the_socket_stays_open(
    server: RunningServer, bed: Bed
) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        unusable: list[Any] = ["{", b"\x82\x00", bed.reading(900), bed.reading(seconds=3600), "x" * 300_000]
        await device.send(unusable[0], unusable[1], bed.reading(), *unusable[2:])
        answers = [await device.next() for _ in unusable]
        assert [(answer["event"], answer["frame"], answer["code"]) for answer in answers] == [
            ("error", 1, "invalid_json"),
            ("error", 2, "invalid_msgpack"),
            ("error", 4, "value_out_of_range"),
            ("error", 5, "timestamp_in_future"),
            ("error", 6, "frame_too_large"),
        ]
        assert await device.flush() == {"event": "flushed", "id": 1, "frames": 1, "errors": 5}
    assert count(server, "tocsin_vitals_frames_refused_total", code="value_out_of_range") == 1


async def test_ten_errors_in_a_row_close_the_socket_and_nine_do_not(server: RunningServer, bed: Bed) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        await device.send(*["{"] * (MOST_ERRORS_IN_A_ROW - 1), bed.reading())
        for _ in range(MOST_ERRORS_IN_A_ROW - 1):
            await device.next()
        assert (await device.flush())["frames"] == 1
        await device.send(*["{"] * MOST_ERRORS_IN_A_ROW)
        for _ in range(MOST_ERRORS_IN_A_ROW):
            assert (await device.next())["code"] == "invalid_json"
        assert await device.closing() == (1008, "too_many_errors")


async def test_a_message_of_two_megabytes_closes_its_own_socket_alone(server: RunningServer, bed: Bed) -> None:
    async with (
        socket(server, MOBILE, "device", patient_id="P1") as device,
        socket(server, MOBILE, "patient") as other,
    ):
        await device.send("x" * 2_000_000)
        assert (await device.closing())[0] == 1009
        await other.send(bed.reading())
        assert (await other.flush())["frames"] == 1


async def test_two_sockets_that_send_the_same_count_once_and_raise_one_alert(server: RunningServer, bed: Bed) -> None:
    async with (
        socket(server, MOBILE, "device", patient_id="P1") as one,
        socket(server, MOBILE, "device", patient_id="P1") as other,
    ):
        for second in range(-40, -10):
            for device in (one, other):
                await device.send(bed.reading(200, seconds=second))
        assert (await one.flush())["frames"] == (await other.flush())["frames"] == 30
    assert count(server, "tocsin_vitals_readings_total", type="heart_rate") == 30
    assert count(server, "tocsin_vitals_duplicates_total") == 30
    alerts = (await server.call("GET", "/api/v1/alerts?patient_id=P1", "nurse")).json()["alerts"]
    assert [alert["condition"] for alert in alerts] == ["heart_rate_high"]


async def test_a_viewer_sees_the_newest_of_each_type_and_then_every_frame(server: RunningServer, bed: Bed) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        consciousness = {"type": "consciousness", "value": "V", "unit": "", "timestamp": bed.time()}
        await device.send(bed.reading(71, seconds=-1), bed.reading(), consciousness)
        await device.flush()
        async with (
            socket(server, FRONTEND, "nurse", patient_id="P1") as nurse,
            socket(server, FRONTEND, "admin", patient_id="P1", role="admin", carried="query") as admin,
        ):
            for viewer in (nurse, admin):
                assert await viewer.next() == {"patientId": "P1", **bed.reading()}
                assert await viewer.next() == {"patientId": "P1", **consciousness}
            await device.send(bed.reading(80.5, seconds=2), bed.ecg(0, 0.25))
            for viewer in (nurse, admin):
                assert await viewer.next() == {"patientId": "P1", **bed.reading(80.5, seconds=2)}
                assert await viewer.next() == {"patientId": "P1", **bed.ecg(0, 0.25)}
    await until(lambda: viewers(server) == 0)


async def test_a_patient_sees_their_own_record_without_naming_it(server: RunningServer, bed: Bed) -> None:
    async with socket(server, MOBILE, "patient") as device:
        await device.send(bed.reading())
        await device.flush()
    for query in ({}, {"patient_id": "P1", "role": "patient"}):
        async with socket(server, FRONTEND, "patient", **query) as viewer:
            assert (await viewer.next())["patientId"] == "P9"


async def test_a_viewer_that_opens_sees_what_was_sent_just_before(server: RunningServer, bed: Bed) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        for value in range(60, 80):
            await device.send(bed.reading(value, seconds=value - 100))
            async with socket(server, FRONTEND, "nurse", patient_id="P1") as viewer:
                with anyio.fail_after(PATIENCE_SECONDS):
                    while (await viewer.next())["value"] != value:
                        pass


async def test_a_viewer_that_talks_too_much_is_sent_away(server: RunningServer) -> None:
    async with socket(server, FRONTEND, "nurse", patient_id="P1") as viewer:
        await viewer.send(*["hello"] * MOST_VIEWER_MESSAGES)
        assert await viewer.closing() == (1008, "too_many_messages")


async def test_a_viewer_that_reads_nothing_holds_up_nobody_and_loses_the_oldest(
    server: RunningServer, bed: Bed
) -> None:
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1") as stuck,
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await until(lambda: viewers(server) == 1)
        wide = [0.123456789] * 4000
        frames = 0
        with anyio.fail_after(PATIENCE_SECONDS):
            while count(server, "tocsin_viewer_frames_dropped_total") == 0:
                await device.send(bed.ecg(*wide, seconds=frames / 1000))
                frames += 1
                if frames % 20 == 0:
                    assert (await device.flush())["frames"] == frames
        await server.revoke("P1", "nurse")
        await until(lambda: viewers(server) == 0)
        stuck.connection.transport.abort()


async def test_a_viewer_that_stops_reading_is_cut_off_and_others_see_every_frame(
    impatient: RunningServer, bed: Bed
) -> None:
    async with (
        socket(impatient, FRONTEND, "nurse", patient_id="P1") as stuck,
        socket(impatient, FRONTEND, "admin", patient_id="P1", role="admin") as other,
        socket(impatient, MOBILE, "device", patient_id="P1") as device,
    ):
        await until(lambda: viewers(impatient) == 2)
        stuck.connection.transport.pause_reading()
        frames = 0
        with anyio.fail_after(PATIENCE_SECONDS):
            while viewers(impatient) == 2:
                frame = bed.ecg(*[0.123456789] * 4000, seconds=frames / 1000)
                await device.send(frame)
                assert (await other.next())["timestamp"] == frame["timestamp"]
                frames += 1
        await device.send(bed.reading(seconds=1 + frames / 1000))
        assert (await other.next())["value"] == 72
        stuck.connection.transport.abort()


async def test_the_connection_of_a_viewer_that_does_not_take_the_closing_frame_is_gone_at_once(
    server: RunningServer, bed: Bed
) -> None:
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1") as stuck,
        socket(server, MOBILE, "device", patient_id="P1") as device,
    ):
        await until(lambda: viewers(server) == 1)
        connections = len(server.server.server_state.connections)
        stuck.connection.transport.pause_reading()
        frames = 0
        while count(server, "tocsin_viewer_frames_dropped_total") == 0:
            await device.send(bed.ecg(*[0.123456789] * 4000, seconds=frames / 1000))
            frames += 1
        await server.revoke("P1", "nurse")
        await until(lambda: viewers(server) == 0, within_seconds=1)
        await until(lambda: len(server.server.server_state.connections) == connections - 1, within_seconds=1)
        stuck.connection.transport.abort()


@pytest.mark.parametrize("direct", [True, False])
async def test_many_viewers_see_the_same_frames_in_order(tmp_path: Path, bed: Bed, direct: bool) -> None:
    async with serving_ward(tmp_path, direct=direct) as server, AsyncExitStack() as opened:
        watching = [
            await opened.enter_async_context(socket(server, FRONTEND, "nurse", patient_id="P1")) for _ in range(20)
        ]
        device = await opened.enter_async_context(socket(server, MOBILE, "device", patient_id="P1"))
        await until(lambda: viewers(server) == len(watching))
        # From 125 and from 65,536 bytes on, a frame gives its length in another way (RFC 6455, 5.2).
        frames = [bed.ecg(*[0.25] * samples, seconds=samples / 1000) for samples in (1, 2, 3, 50, 4000)]
        frames.append(bed.ecg(*[0.123456789012345] * 4000, seconds=5))
        await device.send(*frames)
        for viewer in watching:
            assert [await viewer.next() for _ in frames] == [{"patientId": "P1", **frame} for frame in frames]


@pytest.mark.parametrize("direct", [True, False])
async def test_no_frame_that_waits_goes_out_after_the_right_has_ended(
    tmp_path: Path, bed: Bed, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine frames would be skipped for being late, and fewer of them wait than are counted on below.
    monkeypatch.setattr(viewer_module, "LATE_SECONDS", math.inf)
    async with (
        serving_ward(tmp_path, direct=direct) as server,
        socket(server, MOBILE, "device", patient_id="P1") as device,
        socket(server, FRONTEND, "nurse", patient_id="P1") as viewer,
    ):
        await device.send(bed.reading())
        assert (await viewer.next())["value"] == 72
        viewer.connection.transport.pause_reading()
        published = 0

        async def publish() -> float:
            nonlocal published
            published += 1
            server.services.get(VitalsViewers).publish("P1", wide(published))
            await anyio.lowlevel.checkpoint()
            return count(server, "tocsin_viewer_frames_dropped_total")

        while await publish() == 0:
            pass
        await viewer.send(*["hello"] * MOST_VIEWER_MESSAGES)
        # A viewer that loses no more frames is none any more; its connection waits for the closing frame.
        dropped = 0.0
        while (now_dropped := await publish()) > dropped:
            dropped = now_dropped
        assert viewers(server) == 1
        viewer.connection.transport.resume_reading()
        last = ""
        with anyio.fail_after(PATIENCE_SECONDS), suppress(ConnectionClosed):
            while True:
                last = str(await viewer.connection.recv())
        # The last one came too late, and so did all those that were skipped before it.
        assert 0 < json.loads(last)["samples"][0] <= published - 1 - QUEUE_FRAMES - (not direct)


@pytest.mark.parametrize(("path", "name"), [(MOBILE, "device"), (FRONTEND, "nurse")])
async def test_a_revoked_grant_closes_the_socket_within_a_second(server: RunningServer, path: str, name: str) -> None:
    async with socket(server, path, name, patient_id="P1") as opened:
        await server.revoke("P1", name)
        assert await opened.closing(within_seconds=1) == (1008, "access_changed")


async def test_nothing_that_a_device_sends_after_its_grant_was_revoked_is_taken(
    server: RunningServer, bed: Bed
) -> None:
    async with socket(server, MOBILE, "device", patient_id="P1") as device:
        await device.send(bed.reading())
        await device.flush()
        await server.revoke("P1", "device")
        assert await device.closing(within_seconds=1) == (1008, "access_changed")
        with pytest.raises(ConnectionClosed):
            await device.send(bed.reading(99, seconds=1))
    latest = await server.call("GET", "/api/v1/vitals/latest?patient_id=P1", "nurse")
    assert [reading["value"] for reading in latest.json()["readings"]] == [72]


@pytest.mark.parametrize(("path", "name"), [(MOBILE, "device"), (FRONTEND, "nurse")])
async def test_an_expired_token_closes_the_socket(server: RunningServer, path: str, name: str) -> None:
    server.tokens[name] = await server.token(name, timedelta(seconds=5))
    async with socket(server, path, name, patient_id="P1") as opened:
        assert await opened.closing(within_seconds=10) == (1008, "token_expired")


async def test_a_viewer_that_leaves_is_noticed_without_a_frame(server: RunningServer) -> None:
    async with socket(server, FRONTEND, "nurse", patient_id="P1"):
        await until(lambda: viewers(server) == 1)
    await until(lambda: viewers(server) == 0)


async def test_no_open_socket_holds_a_database_connection(server: RunningServer, bed: Bed) -> None:
    async with (
        socket(server, MOBILE, "device", patient_id="P1") as device,
        socket(server, FRONTEND, "nurse", patient_id="P1") as viewer,
    ):
        await device.send(bed.reading())
        await device.flush()
        await viewer.next()
        await until(lambda: server.services.get(Database).checked_out() == 0)


async def test_over_plain_asgi_a_frame_on_its_way_stays_where_it_is_when_the_right_ends(station: Station) -> None:
    ward = station.ward
    await ward.user("nurse", Role.NURSE)
    sent: list[str] = []

    async def receive() -> Message:
        if sent:
            await anyio.sleep_forever()
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message.get("text") or message["type"])

    async def its_patient(_principal: Principal) -> str:
        return PATIENT

    websocket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    await websocket.accept()
    await station.service.record(PATIENT, [station.reading()])
    rights = SocketRights(ward.access, ward.auth, ward.clock)
    async with (
        rights.held(await ward.principal("nurse"), its_patient) as right,
        anyio.create_task_group() as tasks,
    ):
        viewer = ViewerSocket(websocket, right, station.service, station.viewers, Choice())
        tasks.start_soon(right.bound, websocket, viewer.run)
        await until(lambda: len(sent) == 2)
        station.viewers.publish(PATIENT, station.reading(73, seconds=1))
        await until(lambda: len(sent) == 3)
        # The sink is given the frame in the loop's next turn, and the right ends before it is carried on.
        station.viewers.publish(PATIENT, station.reading(74, seconds=2))
        asyncio.get_running_loop().call_soon(right.end, "access_changed")
    assert [json.loads(sent[2])["value"], *sent[3:]] == [73, "websocket.close"]
