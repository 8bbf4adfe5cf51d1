"""The client's side of WebSocket, against the library that reads and writes the server's."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from bench.websocket import BINARY, PING, TEXT, BrokenFrameError, FrameReader, masked, opening

SIZES = (0, 1, 125, 126, 65_535, 65_536)


def opened() -> ServerProtocol:
    """A server that has taken our handshake."""
    server = ServerProtocol()
    server.receive_data(opening("127.0.0.1:1", "/devices?patient_id=P1"))
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    server.data_to_send()
    assert server.handshake_exc is None
    return server


@pytest.mark.parametrize("size", SIZES)
def test_a_server_reads_what_is_masked(size: int) -> None:
    server = opened()
    server.receive_data(masked(BINARY, b"x" * size))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.data) == (Opcode.BINARY, b"x" * size)


def test_no_two_messages_have_the_same_mask() -> None:
    assert len({masked(TEXT, b"the same") for _ in range(20)}) == 20


@pytest.mark.parametrize("size", SIZES)
def test_what_a_server_sends_is_read_in_pieces_of_any_size(size: int) -> None:
    server = opened()
    server.send_text(b"y" * size)
    server.send_ping(b"there?")
    wire = b"".join(server.data_to_send())
    for piece_bytes in (1 if size < 1000 else 997, 1000, len(wire)):
        reader, frames = FrameReader(), []
        for at in range(0, len(wire), piece_bytes):
            frames += reader.feed(wire[at : at + piece_bytes])
        assert frames == [(TEXT, b"y" * size), (PING, b"there?")]
        assert reader.is_between_frames


@pytest.mark.parametrize("wire", [b"\x01\x01x", b"\xc1\x01x", masked(TEXT, b"x")], ids=["split", "extended", "masked"])
def test_frames_that_a_server_must_not_send_are_refused(wire: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        FrameReader().feed(wire)
