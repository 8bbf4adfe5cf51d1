"""Connections that are read beside their transports, on both event loops, with real sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest
import structlog.testing
import uvloop

from app.core.direct.reading import AT_ONCE, READ_BYTES, Reading, SocketReader
from tests.servers import until

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

#: Closing with this option resets the connection.
_RESET = struct.pack("ii", 1, 0)


class Listener(asyncio.Protocol):
    """Reads one connection beside its transport, and writes down what it is told."""

    def __init__(self, reader: SocketReader) -> None:
        self.reader = reader
        self.data: list[bytes] = []
        self.was_ended = False
        self.lost = asyncio.get_running_loop().create_future()
        self.fails = False
        self.then: Callable[[], object] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        reading = self.reader.begin(self.transport, self)
        assert reading is not None
        self.reading: Reading = reading

    def data_received(self, data: bytes) -> None:
        if self.fails:
            raise RuntimeError("of its own")
        self.data.append(data)
        self.then()

    def nothing_more_comes(self) -> None:
        self.was_ended = True
        self.reading.leave_to_transport()

    def break_off(self) -> None:
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.reading.stop()
        self.lost.set_result(error)


class Room:
    """Connections, each with its far end."""

    def __init__(self) -> None:
        self.reader = SocketReader()
        self.ends: list[socket.socket] = []
        self.listeners: list[Listener] = []

    async def open(self) -> tuple[socket.socket, Listener]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            far = socket.create_connection(server.getsockname())
            near, _ = server.accept()
        listener = Listener(self.reader)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: listener, near)
        listener.begin()
        self.ends.append(far)
        self.listeners.append(listener)
        return far, listener

    async def close(self) -> None:
        for end in self.ends:
            end.close()
        for listener in self.listeners:
            listener.reading.leave_to_transport()
            await asyncio.wait_for(listener.lost, 10)
        assert len(self.reader) == 0


async def _turns() -> None:
    """Let the event loop go round a few times."""
    for _ in range(20):
        await asyncio.sleep(0)


Play = Callable[[Room], Awaitable[None]]


@pytest.fixture(params=sorted(LOOPS))
def play(request: pytest.FixtureRequest) -> Callable[[Play], None]:
    """Runs a test in a room on one of the loops; nothing is left open at its end."""

    async def run(part: Play) -> None:
        room = Room()
        try:
            await part(room)
        finally:
            await room.close()

    def on_loop(part: Play) -> None:
        coroutine: Coroutine[Any, Any, None] = run(part)
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(coroutine)

    return on_loop


def test_what_arrives_is_taken_in_order_and_in_pieces(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        far, listener = await room.open()
        sent = bytes(range(256)) * 200
        far.sendall(sent)
        await until(lambda: sum(map(len, listener.data)) == len(sent))
        assert b"".join(listener.data) == sent
        assert max(map(len, listener.data)) <= READ_BYTES

    play(part)


def test_many_are_read_and_who_sends_much_holds_up_nobody(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        flood, flooded = await room.open()
        flood.setblocking(False)
        others = [await room.open() for _ in range(2 * AT_ONCE)]
        flood.send(bytes(1 << 20))
        for far, _ in others:
            far.sendall(b"little")
        await until(lambda: all(listener.data == [b"little"] for _, listener in others))
        assert flooded.data

    play(part)


def test_a_connection_that_is_paused_is_not_read_until_it_is_resumed(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        (far, listener), (other, beside) = await room.open(), await room.open()
        for _ in range(2):
            listener.reading.pause_reading()
        far.sendall(b"first")
        other.sendall(b"meanwhile")
        await until(lambda: beside.data)
        assert listener.data == []
        for _ in range(2):
            listener.reading.resume_reading()
        far.sendall(b"second")
        await until(lambda: b"".join(listener.data) == b"firstsecond")

    play(part)


def test_all_that_has_arrived_is_read_at_once_and_the_rest_together(play: Callable[[Play], None]) -> None:
    """The next look is an hour later, so that what is read at all is read at once."""

    async def part(room: Room) -> None:
        room.reader = SocketReader(coalesce_seconds=3600)
        (much, flooded), *others = [await room.open() for _ in range(2 * AT_ONCE)]
        much.sendall(bytes(3 * READ_BYTES - 1))
        for far, _ in others:
            far.sendall(b"first")
        await until(lambda: all(listener.data == [b"first"] for _, listener in others))
        await until(lambda: sum(map(len, flooded.data)) == 3 * READ_BYTES - 1)
        for far, _ in others:
            far.sendall(b"second")
        await _turns()
        assert all(listener.data == [b"first"] for _, listener in others)

    play(part)


def test_many_that_send_little_are_all_read_at_once(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        room.reader = SocketReader(coalesce_seconds=3600)
        ends = [await room.open() for _ in range(3 * AT_ONCE)]
        for far, _ in ends:
            far.sendall(b"little")
        await until(lambda: all(listener.data == [b"little"] for _, listener in ends))

    play(part)


def test_after_a_quiet_time_what_arrives_is_read(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        room.reader = SocketReader(coalesce_seconds=0)
        far, listener = await room.open()
        for _ in range(3):
            listener.data.clear()
            far.sendall(b"word")
            await until(lambda: listener.data)
            await _turns()

    play(part)


def test_when_the_last_one_is_gone_nothing_is_looked_at(play: Callable[[Play], None]) -> None:
    """Neither where it goes between two looks, nor where it goes in its own turn."""

    async def part(room: Room) -> None:
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        room.reader = SocketReader(coalesce_seconds=0)
        far, listener = await room.open()
        loop, reading = asyncio.get_running_loop(), listener.reading
        for leave in (reading.pause_reading, lambda: loop.call_soon(reading.pause_reading)):
            listener.data, listener.then = [], leave
            far.sendall(b"word")
            await until(lambda: listener.data)
            await _turns()
            reading.resume_reading()
        assert faults == []

    play(part)


@pytest.mark.parametrize("is_reset", [False, True])
def test_the_end_of_a_connection_is_found_by_its_transport(play: Callable[[Play], None], is_reset: bool) -> None:
    """Also where it came while the connection was paused."""

    async def part(room: Room) -> None:
        (far, listener), (paused, late) = await room.open(), await room.open()
        late.reading.pause_reading()
        for end in (far, paused):
            end.sendall(b"last words")
            if is_reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()
        await asyncio.wait_for(listener.lost, 10)
        assert is_reset or listener.data == [b"last words"]
        assert listener.was_ended
        assert not late.was_ended
        late.reading.resume_reading()
        await asyncio.wait_for(late.lost, 10)

    play(part)


def test_a_connection_that_is_closed_here_is_read_no_more_and_its_number_is_free(
    play: Callable[[Play], None],
) -> None:
    async def part(room: Room) -> None:
        for round_ in range(20):
            far, listener = await room.open()
            far.sendall(b"%d" % round_)
            await until(lambda: room.listeners[-1].data)
            assert listener.data == [b"%d" % round_]
            listener.transport.abort() if round_ % 2 else listener.transport.close()
            await asyncio.wait_for(listener.lost, 10)
            assert len(room.reader) == 0

    play(part)


def test_a_receiver_that_fails_loses_its_connection_and_the_others_go_on(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        (far, listener), (other, beside) = await room.open(), await room.open()
        listener.fails = True
        far.sendall(b"x")
        other.sendall(b"y")
        with structlog.testing.capture_logs() as logs:
            await asyncio.wait_for(listener.lost, 10)
        assert [line["event"] for line in logs] == ["direct.receiving_failed"]
        other.sendall(b"z")
        await until(lambda: b"".join(beside.data) == b"yz")

    play(part)


def test_who_cannot_even_be_broken_off_holds_up_nobody(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        def cannot() -> None:
            raise RuntimeError("not even that")

        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        (far, listener), (other, beside) = await room.open(), await room.open()
        listener.fails, listener.break_off = True, cannot  # type: ignore[method-assign]
        with structlog.testing.capture_logs():
            far.sendall(b"x")
            await until(lambda: told)
        other.sendall(b"y")
        await until(lambda: beside.data == [b"y"])
        listener.transport.abort()

    play(part)


def test_the_last_one_may_leave_and_come_back_while_it_is_read(play: Callable[[Play], None]) -> None:
    async def part(room: Room) -> None:
        far, listener = await room.open()

        def leave_and_return() -> None:
            listener.reading.pause_reading()
            listener.reading.resume_reading()

        listener.then = leave_and_return
        for number in range(1, 20):
            far.sendall(b"x")
            await until(lambda: len(listener.data) == number)  # noqa: B023
        listener.then = lambda: None

    play(part)
