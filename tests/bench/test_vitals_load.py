"""The devices and viewers of the benchmark against a tiny ward, which misbehaves on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bench.deadline import Deadline
from bench.devices import Devices
from bench.ecg import FRAME_SECONDS, ECGFrames, made_up_counts
from bench.load import OpeningError
from bench.viewers import Viewers
from bench.websocket import TEXT, masked, opening
from bench.wire import Poll

DEVICES = 3
VIEWERS = 4
FRAMES = 6


@dataclass
class TinyWard:
    """Counts what each device sends, and hands it on to every viewer.

    Attributes:
        forgets: so many frames of each device count for nothing.
        answers: what each device is told with its first frame.
        cuts_off: after so many frames of a device, its connection is closed.
        dismisses: every viewer is closed as soon as it is greeted.
        exceptional: which frames the first viewer gets in place of each, by its number.
    """

    forgets: int = 0
    answers: str | None = None
    cuts_off: int | None = None
    dismisses: bool = False
    exceptional: dict[int, list[int]] = field(default_factory=dict)
    viewers: list[ServerConnection] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        try:
            if connection.request.path == "/viewers":
                with self.turn:
                    self.viewers.append(connection)
                connection.send('{"event":"hello"}')
                if not self.dismisses:
                    connection.recv()
            else:
                self._serve_device(connection)
        except ConnectionClosed:
            pass

    def _serve_device(self, connection: ServerConnection) -> None:
        taken = 0
        for message in connection:
            text = str(message)
            if "flush" in text:
                told = {"event": "flushed", "frames": taken - self.forgets, "errors": 0}
                connection.send(json.dumps(told))
                continue
            taken += 1
            if taken == 1 and self.answers is not None:
                connection.send(self.answers)
            with self.turn:
                self._relay(text)
            if taken == self.cuts_off:
                return

    def _relay(self, text: str) -> None:
        number = len(self.frames)
        self.frames.append(text)
        for at, viewer in enumerate(self.viewers):
            numbers = [number] if at else self.exceptional.get(number, [number])
            for one in numbers:
                viewer.send(self.frames[one])


@contextmanager
def served(ward: TinyWard) -> Iterator[tuple[str, int]]:
    """The ward's address, while the block lasts."""
    with serve(ward.handle, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield _address(server)
        finally:
            server.shutdown()
            thread.join(10)


def _address(server: Server) -> tuple[str, int]:
    address: tuple[str, int] = server.socket.getsockname()
    return address


@contextmanager
def streamed(ward: TinyWard, *, devices: int = DEVICES, viewers: int = 0) -> Iterator[tuple[Devices, Viewers]]:
    """Devices that have sent a few frames, and viewers who have had time to get them."""
    frames = ECGFrames(made_up_counts())
    poll = Poll()
    sending = Devices(poll, lambda number, at, _: masked(TEXT, frames.as_viewers_see_it("P1", number, at)))
    watching = Viewers(poll, sending.sent_at_ns)
    with served(ward) as address:
        try:
            watching.connect(address, [opening("tiny", "/viewers")] * viewers)
            sending.connect(address, [opening("tiny", "/devices")] * devices)
            deadline = Deadline(10, "welcoming the viewers")
            while len(ward.viewers) < viewers:
                poll.pump(0.01)
                deadline.check()
            sending.stream(FRAMES * FRAME_SECONDS)
            watching.wait_for(sending.number - 1, within_seconds=0.5)
            yield sending, watching
        finally:
            sending.close()
            watching.close()
            poll.close()


def test_every_frame_that_was_accepted_is_counted() -> None:
    with streamed(TinyWard()) as (devices, _):
        tally = devices.flush()
        assert (tally.accepted, tally.refused) == (devices.sent, 0) == (DEVICES * FRAMES, 0)
        assert devices.verdict(tally) == []


def test_a_frame_that_was_not_accepted_is_noticed() -> None:
    with streamed(TinyWard(forgets=1)) as (devices, _):
        assert devices.verdict(devices.flush()) == [
            f"{DEVICES * (FRAMES - 1)} of {DEVICES * FRAMES} frames were accepted"
        ]


def test_what_a_server_complains_of_is_a_fault() -> None:
    complaint = '{"event":"error","code":"wrong_type"}'
    with streamed(TinyWard(answers=complaint)) as (devices, _):
        assert devices.verdict(devices.flush()) == [f"the server says: {complaint}"]


def test_being_asked_to_slow_down_is_counted() -> None:
    with streamed(TinyWard(answers='{"event":"slow_down"}')) as (devices, _):
        devices.flush()
        assert devices.told["slow_down"] == DEVICES


def test_a_device_that_is_cut_off_is_noticed() -> None:
    with streamed(TinyWard(cuts_off=2), devices=1) as (devices, _):
        tally = devices.flush()
        assert any("was cut off: closed with 1000" in fault for fault in devices.verdict(tally))


def test_viewers_who_get_every_frame_once_are_in_order() -> None:
    with streamed(TinyWard(), devices=1, viewers=VIEWERS) as (devices, viewers):
        assert viewers.verdict(devices.number - 1) == []
        assert viewers.received == len(viewers.latencies_ns) == VIEWERS * FRAMES
        assert all(0 < latency < 5e9 for latency in viewers.latencies_ns)


@pytest.mark.parametrize(
    ("exceptional", "fault"),
    [
        ({2: []}, "lost"),
        ({FRAMES - 1: []}, "lost"),
        ({2: [2, 2]}, "doubled"),
        ({3: [3, 1]}, "doubled"),
        ({2: [], 3: [3, 2]}, "reordered"),
    ],
)
def test_a_viewer_who_gets_anything_else_is_noticed(exceptional: dict[int, list[int]], fault: str) -> None:
    with streamed(TinyWard(exceptional=exceptional), devices=1, viewers=VIEWERS) as (devices, viewers):
        assert viewers.verdict(devices.number - 1) == [f"1 frames {fault}"]


def test_viewers_who_get_nothing_are_noticed() -> None:
    nothing: dict[int, list[int]] = {number: [] for number in range(FRAMES)}
    with streamed(TinyWard(exceptional=nothing), devices=1, viewers=1) as (devices, viewers):
        assert viewers.verdict(devices.number - 1) == [f"{FRAMES} frames lost"]


def test_a_viewer_who_is_cut_off_is_noticed() -> None:
    with streamed(TinyWard(dismisses=True), devices=0, viewers=2) as (_, viewers):
        deadline = Deadline(10, "cutting off the viewers")
        while len(viewers.problems) < 2:
            viewers.wait_for(0, within_seconds=0.1)
            deadline.check()
        assert sorted(viewers.problems) == [f"viewer {index} was cut off: closed with 1000 " for index in range(2)]


def test_a_handshake_that_is_refused_says_what_was_answered() -> None:
    poll = Poll()
    devices = Devices(poll, lambda number, at, group: b"")
    with served(TinyWard()) as address, pytest.raises(OpeningError, match="426"):
        devices.connect(address, [b"GET / HTTP/1.1\r\nHost: tiny\r\n\r\n"])
    poll.close()
