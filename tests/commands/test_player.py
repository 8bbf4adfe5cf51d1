"""A recording arrives once and in full, against a socket that refuses, complains and breaks off."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from app.commands.connection import CommandError, websocket_address
from app.commands.playback import read_speed
from app.commands.player import FLUSH_EVERY_FRAMES, FLUSH_EVERY_WAVEFORMS, SLOW_DOWN_SECONDS, Player, Tally
from app.commands.recordings import Row
from app.commands.signals import Lead, Signal
from app.commands.sources import Cut, Recording, Step, play_together
from app.core.timestamps import from_rfc3339
from app.modules.vitals.decoding import decode_msgpack
from app.modules.vitals.frames import Waveform

pytestmark = pytest.mark.anyio

ROWS = [Row(second, {"heart_rate": 80 + second, "spo2": 97.5}) for second in range(50)]


@dataclass
class Observed:
    seconds: float = 0
    slow_downs: int = 0
    refusals: list[tuple[object, object, object]] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def played(self, seconds: float) -> None:
        self.seconds = seconds

    def slowed_down(self) -> None:
        self.slow_downs += 1

    def refused(self, frame: object, code: object, detail: object) -> None:
        self.refusals.append((frame, code, detail))

    def lost(self, why: str, wait_seconds: float) -> None:
        self.losses.append(why)


@dataclass
class MobileSocket:
    """The server's side of the contract, which may be told to break off, to refuse values, or to end for good."""

    refuses: Callable[[dict[str, Any]], bool] = lambda frame: False
    break_off_after: list[int] = field(default_factory=list)
    close_with: tuple[int, str] | None = None
    asks_to_slow_down_at: int | None = None
    connections: list[list[dict[str, Any]]] = field(default_factory=list)
    flushes: list[int] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.authorizations.append(socket.request.headers.get("Authorization"))
        frames: list[dict[str, Any]] = []
        self.connections.append(frames)
        limit = self.break_off_after.pop(0) if self.break_off_after else None
        errors = 0
        async for message in socket:
            frame = json.loads(message) if isinstance(message, str) else msgspec.msgpack.decode(message)
            if frame.get("event") == "flush":
                self.flushes.append(len(frames))
                answer = {"event": "flushed", "id": frame["id"], "frames": len(frames), "errors": errors}
                await socket.send(json.dumps(answer))
                continue
            frames.append(frame)
            if self.refuses(frame):
                errors += 1
                complaint = {"event": "error", "code": "out_of_range", "detail": "no such value", "frame": len(frames)}
                await socket.send(json.dumps(complaint))
            if len(frames) == self.asks_to_slow_down_at:
                await socket.send(json.dumps({"event": "slow_down"}))
            if self.close_with is not None:
                await socket.close(*self.close_with)
            if len(frames) == limit:
                socket.transport.abort()
                return

    @property
    def readings(self) -> list[tuple[str, str]]:
        return [(frame["type"], frame["timestamp"]) for frames in self.connections for frame in frames]


@asynccontextmanager
async def listening(
    handler: Callable[[ServerConnection], Coroutine[Any, Any, None]],
    refusal: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, process_request=refusal, max_queue=None) as server:
        yield websocket_address(address_of(server), "/vitals", patient_id="bed-3")


def address_of(server: Server) -> str:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return f"http://127.0.0.1:{port}"


def player(address: str, observed: Observed, rows: Sequence[Step] = ROWS, speed: float = math.inf) -> Player:
    return Player(rows, address=address, token="t", speed=speed, observer=observed, backoff=lambda failures: 0.0)


async def test_every_reading_arrives_signed_in_and_is_confirmed() -> None:
    socket, observed = MobileSocket(), Observed()
    async with listening(socket) as address:
        playing = player(address, observed)
        await playing.play()
    (frames,) = socket.connections
    assert [(frame["type"], frame["value"]) for frame in frames[:2]] == [("heart_rate", 80), ("spo2", 97.5)]
    assert [frame["unit"] for frame in frames[:2]] == ["/min", "%"]
    assert (len(frames), socket.flushes, playing.tally, observed.seconds) == (100, [100], Tally(50, 100), 49)
    assert socket.authorizations == ["Bearer t"]


async def test_times_rise_with_each_row_and_are_shared_within_one() -> None:
    socket = MobileSocket()
    async with listening(socket) as address:
        await player(address, Observed()).play()
    times = [frame["timestamp"] for frame in socket.connections[0]]
    assert times[0::2] == times[1::2]
    assert times[0::2] == sorted(set(times))
    assert all(len(time) == len("2026-01-02T03:04:05.000006Z") and time.endswith("Z") for time in times)


async def test_a_long_recording_is_confirmed_in_pieces() -> None:
    socket = MobileSocket()
    rows = [Row(second, {"spo2": 97}) for second in range(FLUSH_EVERY_FRAMES + 10)]
    async with listening(socket) as address:
        await player(address, Observed(), rows).play()
    assert socket.flushes == [FLUSH_EVERY_FRAMES, FLUSH_EVERY_FRAMES + 10]


async def test_what_was_not_confirmed_is_sent_again_as_it_was() -> None:
    socket, observed = MobileSocket(break_off_after=[30, 7]), Observed()
    async with listening(socket) as address:
        playing = player(address, observed)
        await playing.play()
    assert len(socket.connections) == 3
    assert len(observed.losses) == 2
    assert len(set(socket.readings)) == 100
    assert socket.connections[2][:30] == socket.connections[0]
    assert playing.tally == Tally(50, 100)


async def test_refused_readings_are_shown_and_counted_once_though_sent_twice() -> None:
    socket = MobileSocket(refuses=lambda frame: frame["value"] == 81, break_off_after=[30])
    async with listening(socket) as address:
        playing = player(address, observed := Observed())
        await playing.play()
    assert playing.tally.refused == 1
    assert observed.refusals[-1] == (3, "out_of_range", "no such value")


async def test_a_socket_closed_for_policy_is_not_tried_again() -> None:
    socket = MobileSocket(close_with=(1008, "ten bad frames in a row"))
    async with listening(socket) as address:
        with pytest.raises(CommandError, match=r"closed the connection \(1008\): ten bad frames in a row"):
            await player(address, Observed()).play()
    assert len(socket.connections) == 1


async def test_a_server_that_never_confirms_is_given_up() -> None:
    socket, observed = MobileSocket(close_with=(1011, "trouble")), Observed()
    async with listening(socket) as address:
        with pytest.raises(CommandError, match=r"\(1011\): trouble; gave up after 6 tries"):
            await player(address, observed).play()
    assert len(socket.connections) == 6


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refused_handshake_says_what_the_server_said(status: int) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(
            HTTPStatus(status), json.dumps({"status": status, "detail": "not on the care team"})
        )
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/problem+json"
        return response

    async with listening(MobileSocket(), refuse) as address:
        with pytest.raises(CommandError, match=rf"refused \({status}\): not on the care team"):
            await player(address, Observed()).play()


async def test_a_server_that_is_not_there_is_said_in_one_line() -> None:
    async with listening(MobileSocket()) as address:
        pass
    with pytest.raises(CommandError, match=r"cannot reach ws://127\.0\.0\.1:\d+/vitals: connection refused"):
        await player(address, Observed()).play()


async def test_rows_keep_their_distance_at_the_asked_speed() -> None:
    socket = MobileSocket()
    rows = [Row(100 + tenth, {"spo2": 97}) for tenth in range(4)]
    async with listening(socket) as address:
        await player(address, Observed(), rows, speed=20).play()
    first, *others = [from_rfc3339(frame["timestamp"]) for frame in socket.connections[0]]
    # None is early; each may be late by what the machine is busy with, and does not make the next one late.
    early = timedelta(milliseconds=5)
    assert all(moment - first >= number * timedelta(seconds=1 / 20) - early for number, moment in enumerate(others, 1))


def ecg(samples: int, *, rate_hz: float = 250, missing: bytes | None = None) -> Signal:
    counts = array("h", (number % 1000 for number in range(samples)))
    return Signal("ecg", rate_hz, "mV", (Lead("II", counts, 0.005, -1, missing), Lead("V", counts, 0.01, 0)))


async def test_waveforms_are_sent_in_frames_that_abut_and_are_numbered_with_the_readings() -> None:
    socket, signal = MobileSocket(), ecg(500)
    steps = play_together([Recording("together", ROWS[:2], [signal])], Cut())
    async with listening(socket) as address:
        playing = player(address, Observed(), steps)
        await playing.play()
    (frames,) = socket.connections
    assert [frame["seq"] for frame in frames] == list(range(44))
    assert playing.tally == Tally(rows=2, readings=4, waveforms=40, samples=1000)
    waveforms = [decode_msgpack(msgspec.msgpack.encode(frame)) for frame in frames if frame["type"] == "ecg"]
    sent = [waveform for waveform in waveforms if isinstance(waveform, Waveform)]
    assert [list(waveform.leads) for waveform in sent] == [["II", "V"]] * 40
    assert [value for waveform in sent for value in waveform.samples.values(0)] == [
        count * 0.005 - 1 for count in signal.leads[0].counts
    ]
    for one, following in itertools.pairwise(sent):
        assert following.started_at - one.started_at == timedelta(seconds=one.samples.length / 250)


async def test_waveforms_are_confirmed_before_the_server_forgets_them() -> None:
    socket = MobileSocket()
    pieces = list(ecg(250 * 30).pieces(0.05))
    async with listening(socket) as address:
        await player(address, Observed(), pieces).play()
    assert socket.flushes == [FLUSH_EVERY_WAVEFORMS, 2 * FLUSH_EVERY_WAVEFORMS, len(pieces), len(pieces)]


async def test_waveforms_that_were_not_confirmed_are_sent_again_with_their_numbers() -> None:
    socket = MobileSocket(break_off_after=[30])
    async with listening(socket) as address:
        await player(address, Observed(), list(ecg(1000).pieces(0.05))).play()
    first, second = socket.connections
    assert second[:30] == first
    assert [frame["seq"] for frame in second] == list(range(80))


@pytest.mark.parametrize("speed", [math.inf, 100])
async def test_a_server_that_asks_to_slow_down_is_obeyed_by_what_goes_as_fast_as_it_can(speed: float) -> None:
    socket, observed = MobileSocket(asks_to_slow_down_at=10), Observed()
    async with listening(socket) as address:
        started = asyncio.get_running_loop().time()
        await player(address, observed, list(ecg(2500).pieces(0.05)), speed=speed).play()
        seconds = asyncio.get_running_loop().time() - started
    assert observed.slow_downs == 1
    has_paused = socket.flushes[0] < FLUSH_EVERY_WAVEFORMS
    assert has_paused == math.isinf(speed)
    assert not has_paused or seconds >= SLOW_DOWN_SECONDS


@pytest.mark.parametrize(
    ("text", "speed"), [("1", 1), ("10", 10), ("0.5", 0.5), ("max", math.inf), (" MAX ", math.inf)]
)
def test_a_speed_is_a_number_or_max(text: str, speed: float) -> None:
    assert read_speed(text) == speed


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "fast"])
def test_any_other_speed_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--speed is"):
        read_speed(text)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x", "http://", "http://x:99999", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="not a server's address"):
        websocket_address(url, "/vitals")


def test_the_address_keeps_the_path_and_guards_the_patient_id() -> None:
    address = websocket_address("https://ward.example.org/tocsin/", "/vitals", patient_id="a b&c")
    assert address == "wss://ward.example.org/tocsin/vitals?patient_id=a+b%26c"
