"""Messages that are handed over as they arrive are those that uvicorn and its library would have read."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.speedups import apply_mask

from app.core.direct import DirectReceiver, LendingSocketProtocol, receive_directly
from app.core.websocket_frames import Message

MOST_BYTES = 70_000

#: Looks like the beginning of a frame itself.
MASK = b"\x82\x81\x7f\x80"

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: ward\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class Sent(bytes):
    """Bytes that a failing test shows the beginning of."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes: {self[:16].hex(' ')}>"

    def __add__(self, other: Any) -> Sent:
        return Sent(super().__add__(other))


def frame(first: int, payload: bytes = b"", *, is_masked: bool = True, size: int | None = None) -> Sent:
    """A frame as a client writes it; one that lies about its size where it is given."""
    size = len(payload) if size is None else size
    bit = 0x80 if is_masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, bit | 127)) + struct.pack("!Q", size)
    return Sent(head + (MASK + apply_mask(payload, MASK) if is_masked else payload))


class Line(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reads = True
        self._is_closing = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Talk:
    """One WebSocket whose application writes down what it is given.

    Args:
        directly: the messages are handed over; otherwise they come the ASGI way.
    """

    def __init__(self, *, directly: bool) -> None:
        self.messages: list[Message] = []
        self.ended: list[tuple[int, str | None]] = []
        self.receiver: DirectReceiver | None = None
        self._directly = directly
        self.may_begin = asyncio.Event()
        config = Config(
            self._app, interface="asgi3", log_config=None, ws_max_size=MOST_BYTES, ws_per_message_deflate=False
        )
        config.load()
        self.line = Line()
        self.protocol = LendingSocketProtocol(config, ServerState(), {})
        self.line.set_protocol(self.protocol)
        self.protocol.connection_made(self.line)
        self.send(HANDSHAKE)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.line.written.clear()
        await self.may_begin.wait()
        if self._directly:
            self.receiver = receive_directly(scope, self.messages.append)
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                self.ended.append((event["code"], event.get("reason")))
                return
            assert self.receiver is None
            self.messages.append(event["bytes"] if event.get("text") is None else event["text"])

    def send(self, data: bytes) -> None:
        """Have this arrive."""
        self.line.protocol.data_received(data)

    async def settle(self) -> None:
        """Let the application do all that it can do now."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def hang_up(self) -> None:
        self.line.protocol.connection_lost(None)
        await self.settle()


async def hear(chunks: Iterable[bytes], *, directly: bool, early: int = 0) -> Talk:
    """What becomes of these chunks; the first ones come before the application listens."""
    talk = Talk(directly=directly)
    await talk.settle()
    for number, chunk in enumerate(chunks):
        if number == early:
            talk.may_begin.set()
            await talk.settle()
        if not talk.line.is_closing():
            talk.send(chunk)
            if not directly:
                await talk.settle()
            while talk.receiver is not None and not talk.line.reads and not talk.line.is_closing():
                await asyncio.sleep(0)
    talk.may_begin.set()
    await talk.settle()
    await talk.hang_up()
    return talk


_SIZES = st.sampled_from([0, 1, 2, 124, 125, 126, 127, 300, 65_535, 65_536, MOST_BYTES])
_MESSAGES = st.builds(
    lambda is_text, size, salt: frame(0x81 if is_text else 0x82, (b"%d" % salt * size)[:size]),
    st.booleans(),
    _SIZES | st.integers(0, 40),
    st.integers(0, 9),
)
_CONTROL = st.sampled_from([frame(0x89, b"ping"), frame(0x8A, b"pong"), frame(0x89)])
_FRAGMENTS = st.sampled_from(
    [
        frame(0x01, b"one ") + frame(0x89, b"between") + frame(0x80, b"two"),
        frame(0x02, b"") + frame(0x00, b"x") + frame(0x80),
        frame(0x01, "ä".encode()[:1]) + frame(0x80, "ä".encode()[1:]),
    ]
)
_PIECES = st.lists(_MESSAGES | _CONTROL | _FRAGMENTS, max_size=8)
VIOLATIONS = [
    frame(0x82, b"x" * (MOST_BYTES + 1)),
    frame(0x82, b"x", size=1 << 62),
    frame(0x81, b"\xff"),
    frame(0x82, b"not masked", is_masked=False),
    frame(0xC2, b"a reserved bit"),
    frame(0x83, b"a kind that there is not"),
    frame(0x80, b"goes on with nothing"),
    frame(0x01, b"begun") + frame(0x82, b"and another one in it"),
    frame(0x01, b"x" * 40_000) + frame(0x80, b"x" * 40_000),
    frame(0x89, b"x" * 126),
    frame(0x09, b"ping in parts"),
    frame(0x88, struct.pack("!H", 1000) + b"bye"),
    frame(0x88),
    frame(0x88, b"\x00"),
]


def cut(frames: Sequence[bytes], places: Iterable[tuple[int, int]]) -> list[bytes]:
    """The frames joined, and cut again at these places: so many bytes behind the beginning of one of them."""
    data = b"".join(frames)
    begins = list(accumulate((len(it) for it in frames), initial=0))
    cuts = {min(begins[number % len(begins)] + offset, len(data)) for number, offset in places}
    edges = sorted({0, len(data)} | cuts)
    return [data[begin:end] for begin, end in pairwise(edges)]


_PLACES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 24) | st.integers(0, 70_000)), max_size=12)


@settings(deadline=None)
@given(_PIECES, st.none() | st.sampled_from(VIOLATIONS), _PIECES, _PLACES, st.integers(0, 3))
@example([frame(0x82, b"a")], frame(0x88), [], [(0, at) for at in range(20)], 0)
@example([frame(0x01, b"one ") + frame(0x80, b"two")], None, [], [(0, 2)], 0)
@example([], frame(0x01, b"begun") + frame(0x82, b"and another one in it"), [], [(0, 11)], 0)
def test_however_the_bytes_arrive_the_messages_are_those_that_the_library_reads(
    before: list[bytes], violation: bytes | None, after: list[bytes], places: list[tuple[int, int]], early: int
) -> None:
    compare([*before, *([] if violation is None else [violation]), *after], places, early, is_clean=violation is None)


@pytest.mark.parametrize("violation", VIOLATIONS, ids=repr)
def test_what_a_client_may_not_send_ends_its_connection_as_the_library_ends_it(violation: bytes) -> None:
    frames = [frame(0x82, b"before"), violation, frame(0x82, b"behind")]
    for offset in range(24):
        compare(frames, [(1, 0), (1, offset), (2, 0)], 0, is_clean=False)


def compare(frames: list[bytes], places: list[tuple[int, int]], early: int, *, is_clean: bool) -> None:
    logging.disable(logging.CRITICAL)
    try:
        read = asyncio.run(hear(frames, directly=False))
        taken = asyncio.run(hear(cut(frames, places), directly=True, early=early))
    finally:
        logging.disable(logging.NOTSET)
    assert taken.ended[0][0] == read.ended[0][0]
    ours, theirs = (b"".join(talk.line.written) for talk in (taken, read))
    if is_clean:
        assert (taken.messages, ours) == (read.messages, theirs)
    else:
        # Of what uvicorn finds in the same read as a violation it takes nothing, and answers pings behind it.
        assert taken.messages == read.messages[: len(taken.messages)]
        assert ours.rpartition(b"\x88")[2] == theirs.rpartition(b"\x88")[2]


async def begun() -> Talk:
    talk = Talk(directly=True)
    await talk.settle()
    talk.may_begin.set()
    await talk.settle()
    return talk


def test_a_message_that_arrives_byte_by_byte_is_copied_once_and_taken_at_its_last_byte() -> None:
    async def send() -> None:
        talk = await begun()
        message = b"x" * 60_000
        data = frame(0x82, message)
        for at in range(len(data)):
            assert talk.messages == []
            talk.send(data[at : at + 1])
        assert talk.messages == [message]
        await talk.hang_up()

    asyncio.run(send())


def test_messages_in_one_read_are_taken_in_it_and_reading_goes_on() -> None:
    async def send() -> None:
        talk = await begun()
        talk.send(frame(0x82, b"one") + frame(0x89) + frame(0x81, b"two") + frame(0x82, b"three"))
        assert talk.receiver is not None
        assert not talk.receiver._is_library_reading
        talk.send(frame(0x82, b"four"))
        assert talk.messages == [b"one", "two", b"three", b"four"]
        assert talk.line.reads
        assert talk.protocol.queue.empty()
        await talk.hang_up()

    asyncio.run(send())


@pytest.mark.parametrize("last", [frame(0x82, b"x"), frame(0x01, b"x") + frame(0x80, b"y")])
def test_a_connection_that_is_held_stays_so_whoever_reads_until_it_is_released(last: bytes) -> None:
    async def send() -> None:
        talk = await begun()
        assert talk.receiver is not None
        talk.receiver.pause()
        talk.send(last)
        reads = [talk.line.reads]
        talk.receiver.resume()
        reads.append(talk.line.reads)
        assert reads == [False, True]
        await talk.hang_up()
        talk.receiver.pause()
        talk.receiver.resume()

    asyncio.run(send())


@pytest.mark.parametrize("is_held", [True, False], ids=["held back", "sending"])
def test_a_peer_whose_answer_to_a_ping_may_not_have_been_read_is_not_given_up(is_held: bool) -> None:
    """Fails at the first assertion where uvicorn's own timeout decides (checked so)."""

    async def send() -> None:
        talk = await begun()
        protocol = talk.protocol
        assert talk.receiver is not None
        protocol.send_keepalive_ping()
        if is_held:
            talk.receiver.pause()
            talk.receiver.was_active()
            protocol.keepalive_timeout()
            talk.receiver.resume()
        else:
            talk.send(frame(0x82, b"x"))
        protocol.keepalive_timeout()
        assert not talk.line.is_closing()
        assert protocol.pending_ping_payload is not None
        talk.send(frame(0x8A, protocol.pending_ping_payload))
        # Asked for the next time.
        assert protocol.ping_timer
        talk.receiver.was_active()
        protocol.send_keepalive_ping()
        protocol.keepalive_timeout()
        assert talk.line.is_closing()
        await talk.hang_up()

    asyncio.run(send())


def test_after_a_closing_frame_of_ours_nothing_is_taken_and_the_answer_to_it_ends_the_connection() -> None:
    async def send() -> None:
        talk = await begun()
        talk.send(frame(0x82, b"in time") + frame(0x82, b"in part")[:-2])
        await talk.protocol.send({"type": "websocket.close", "code": 1008})
        talk.send(frame(0x82, b"in part")[-2:] + frame(0x82, b"late"))
        was_closing = talk.line.is_closing()
        talk.send(frame(0x88, struct.pack("!H", 1008)))
        assert talk.messages == [b"in time"]
        assert (was_closing, talk.line.is_closing()) == (False, True)
        await talk.hang_up()

    asyncio.run(send())
