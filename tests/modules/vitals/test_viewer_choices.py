"""What viewers choose, and what they get for it."""

from __future__ import annotations

import socket as socket_module
import struct

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from app.modules.vitals.manager import VitalsViewers
from app.modules.vitals.viewer_socket import MOST_UNSENT_BYTES
from tests.modules.vitals.bedside import FRONTEND, MOBILE, Bed, counted, socket, unpacked
from tests.servers import RunningServer, until

pytestmark = pytest.mark.anyio


async def test_a_viewer_gets_the_form_and_the_rate_that_it_asks_for(either: RunningServer, bed: Bed) -> None:
    async with (
        socket(either, MOBILE, "device", patient_id="P1") as device,
        socket(either, FRONTEND, "nurse", patient_id="P1") as in_text,
        socket(either, FRONTEND, "nurse", patient_id="P1", format="binary") as in_binary,
        socket(either, FRONTEND, "nurse", patient_id="P1", format="json", max_hz="125") as thin,
    ):
        await until(lambda: either.services.get(VitalsViewers).count() == 3)
        await device.send(counted(bed, [0, 570, 3, 4]), bed.ecg(0.25, 0.5, seconds=1))
        assert await in_text.next() == {"patientId": "P1", **bed.ecg(0, 0.57, 0.003, 0.004)}
        assert await in_text.next() == {"patientId": "P1", **bed.ecg(0.25, 0.5, seconds=1)}
        assert await unpacked(in_binary) == {
            "patientId": "P1", **bed.ecg(), "samples": struct.pack("<4h", 0, 570, 3, 4), "scale": 0.001, "offset": 0,
        }  # fmt: skip
        quantised = await unpacked(in_binary)
        low, high = struct.unpack("<2h", quantised["samples"])
        assert low * quantised["scale"] + quantised["offset"] == pytest.approx(0.25)
        assert high * quantised["scale"] + quantised["offset"] == pytest.approx(0.5)
        assert await thin.next() == {"patientId": "P1", **bed.ecg(0.57, 0.003), "sampleRate": 125}


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", "xml"), ("max_hz", "0"), ("max_hz", "2001"), ("max_hz", "nan"), ("max_hz", "fast"), ("beats", "maybe")],
)
async def test_a_choice_that_there_is_not_is_refused_with_its_field(
    server: RunningServer, field: str, value: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with socket(server, FRONTEND, "nurse", patient_id="P1", **{field: value}):
            pass
    problem = msgspec.json.decode(caught.value.response.body or b"")
    assert (problem["status"], problem["code"]) == (422, "validation_error")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.skipif(not hasattr(socket_module, "TCP_NOTSENT_LOWAT"), reason="an option of Linux and macOS")
async def test_the_kernel_holds_little_for_a_viewer_and_as_much_as_it_likes_for_an_alert_socket(
    server: RunningServer,
) -> None:
    alerts = "/api/v1/alerts/ws"
    async with (
        socket(server, FRONTEND, "nurse", patient_id="P1") as viewer,
        socket(server, alerts, "nurse", patient_id="P1", role="nurse") as listener,
    ):
        await until(lambda: server.services.get(VitalsViewers).count() == 1)
        await until(lambda: server.manager.open_count() == 1)
        held = {}
        for protocol in server.server.server_state.connections:
            theirs = protocol.transport.get_extra_info("peername")
            held[theirs] = protocol.transport.get_extra_info("socket").getsockopt(
                socket_module.IPPROTO_TCP, socket_module.TCP_NOTSENT_LOWAT
            )
        ours, default = (held[it.connection.local_address] for it in (viewer, listener))
    assert ours == MOST_UNSENT_BYTES
    assert default != MOST_UNSENT_BYTES
