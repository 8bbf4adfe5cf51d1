from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.core.direct import as_chunk
from app.core.sinks import unframed
from app.core.websocket_frames import as_text_frame
from app.modules.alerts.encoding import (
    Closing,
    ClosingReason,
    EventStreamEncoding,
    Keepalive,
    Opened,
    SocketEncoding,
    Wire,
)
from app.modules.alerts.schemas import Cursor, LogEntry

SSE, SOCKET = EventStreamEncoding(retry_ms=1000), SocketEncoding()


def entry(payload: bytes = b'{"event":"alert"}') -> LogEntry:
    return LogEntry(
        epoch="a1b2c3",
        seq=7,
        alert_id="a",
        patient_id="P1",
        event="alert",
        audience=1,
        payload=payload,
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (Wire(SSE, unframed), b'id: a1b2c3-7\ndata: {"event":"alert"}\n\n'),
        (Wire(SSE, as_chunk), b'26\r\nid: a1b2c3-7\ndata: {"event":"alert"}\n\n\r\n'),
        (Wire(SOCKET, unframed), b'{"event":"alert"}'),
        (Wire(SOCKET, as_text_frame), b'\x81\x11{"event":"alert"}'),
    ],
    ids=["event stream", "chunk", "text", "frame"],
)
def test_an_event_becomes_the_bytes_of_its_wire_once_however_many_read_it(wire: Wire, frame: bytes) -> None:
    """Fails when `Wire.event` makes the frame anew each time."""
    event = entry()

    assert wire.event(event) == frame
    assert wire.event(event) is wire.event(event)


def test_an_entry_without_line_breaks_of_its_own_is_one_data_line_whatever_its_reasons() -> None:
    message = SSE.event(entry(b'{"reasons":["one\\ndata: forged\\n\\nid: 999","two\\r\\r"]}'))

    assert message.count(b"\n") == 3
    assert b"\r" not in message


def test_a_snapshot_has_no_id_so_that_a_client_cut_off_in_it_gets_all_of_it_again() -> None:
    assert SSE.snapshot(entry()) == b'data: {"event":"alert"}\n\n'


def test_a_keepalive_carries_the_position_only_where_there_is_one() -> None:
    assert SSE.message(Keepalive(Cursor("e", 5))) == b"id: e-5\n: keepalive\n\n"
    assert SSE.message(Keepalive(None)) == b": keepalive\n\n"


def test_each_client_is_asked_to_come_back_at_another_time() -> None:
    opened = {SSE.message(Opened(Cursor("e", 5), True, None)) for _ in range(50)}
    closing = {SSE.message(Closing(ClosingReason.DRAINING)) for _ in range(50)}

    assert len(opened) > 10
    assert len(closing) > 10


def test_the_legacy_socket_says_nothing_about_itself() -> None:
    assert Wire(SOCKET, as_text_frame).message(Keepalive(None)) == b""


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_535, b"\x81\x7e\xff\xff"),
     (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00")],
)  # fmt: skip
def test_a_text_frame_says_its_length_in_as_many_bytes_as_it_needs(size: int, head: bytes) -> None:
    assert as_text_frame(b"x" * size) == head + b"x" * size
