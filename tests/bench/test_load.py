"""The load of the benchmark against a tiny server of its own, which misbehaves on demand."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bench.dialect import NumberInEvent
from bench.events import framed
from bench.load import Load
from bench.publisher import post

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIBERS = 5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class TinyServer:
    """Sends, at the n-th request to publish, the n-th of the given lists of events to everybody.

    Attributes:
        exceptional: events that the first subscriber gets instead; none cuts it off.
        chunked: whether it frames each event as an HTTP chunk.
        piece_bytes: it writes so many bytes at a time.
    """

    def __init__(
        self,
        usual: Sequence[Sequence[int]],
        exceptional: Sequence[Sequence[int] | None] | None = None,
        *,
        chunked: bool = False,
        piece_bytes: int = 1 << 20,
    ) -> None:
        self.usual = usual
        self.exceptional = usual if exceptional is None else exceptional
        self.chunked = chunked
        self.piece_bytes = piece_bytes
        self._readers: list[socket.socket] = []
        self._published = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    def serve(self) -> None:
        """Serve one connection after another until the listener is shut down."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            self._serve_one(connection)
        for reader in self._readers:
            reader.close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve_one(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := connection.recv(65_536):
            if request.startswith(b"GET "):
                connection.sendall(HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if self.chunked else b"\r\n"))
                self._readers.append(connection)
                return
            for at, reader in enumerate(self._readers):
                events = (self.usual if at else self.exceptional)[self._published]
                if events is None:
                    reader.shutdown(socket.SHUT_RDWR)
                else:
                    self._write(reader, [framed(number) for number in events])
            self._published += 1
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection.close()

    def _write(self, reader: socket.socket, messages: list[bytes]) -> None:
        wire = b"".join(b"%x\r\n%b\r\n" % (len(one), one) if self.chunked else one for one in messages)
        for start in range(0, len(wire), self.piece_bytes):
            reader.sendall(wire[start : start + self.piece_bytes])


@contextmanager
def loaded(server: TinyServer) -> Iterator[Load]:
    """A load with everybody connected; the server has ended with the block."""
    thread = threading.Thread(target=server.serve)
    thread.start()
    load = Load(
        server.address,
        NumberInEvent(),
        lambda _index, _cursor: b"GET / HTTP/1.1\r\n\r\n",
        lambda _number: post("/", b""),
    )
    try:
        with closing(load):
            load.connect(SUBSCRIBERS, within_seconds=10)
            yield load
    finally:
        server.stop()
        thread.join(10)


def publish(load: Load, number: int) -> None:
    load.publish(number, per_second=None, most_under_way=1, patience_seconds=0.5)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_a_server_that_sends_every_event_once_is_in_order(*, chunked: bool, piece_bytes: int) -> None:
    with loaded(TinyServer([[1], [2], [3]], chunked=chunked, piece_bytes=piece_bytes)) as load:
        publish(load, 3)
        assert load.verdict() == []
        assert load.ledger.received == 3 * SUBSCRIBERS
        assert len(load.ledger.latencies_ns) == 3 * SUBSCRIBERS


def test_a_lost_event_is_noticed_though_others_follow() -> None:
    with loaded(TinyServer([[1], [2], [3]], [[1], [], [3]])) as load:
        # The lost one is never complete, so that two have to be allowed under way.
        load.publish(3, per_second=None, most_under_way=3, patience_seconds=0.5)
        assert dict(load.faults()) == {"lost": 1}
        assert "1 events lost" in load.verdict()


def test_a_lost_last_event_is_noticed() -> None:
    with loaded(TinyServer([[1], [2]], [[1], []])) as load:
        publish(load, 2)
        assert dict(load.faults()) == {"lost": 1}
        assert any("nothing came" in problem for problem in load.verdict())


def test_a_doubled_event_is_noticed_also_when_its_bytes_are_known() -> None:
    with loaded(TinyServer([[1], [2], [3]], [[1], [1], [2, 3]])) as load:
        load.publish(3, per_second=None, most_under_way=3, patience_seconds=0.5)
        assert dict(load.faults()) == {"doubled": 1}


def test_reordered_events_are_noticed() -> None:
    with loaded(TinyServer([[1, 2], []], [[2, 1], []])) as load:
        load.publish(2, per_second=None, most_under_way=2, patience_seconds=0.5)
        assert dict(load.faults()) == {"reordered": 1}


def test_a_stream_that_is_cut_off_is_noticed() -> None:
    with loaded(TinyServer([[1]], [None])) as load:
        publish(load, 1)
        assert any("was cut off" in problem for problem in load.verdict())


def test_fanout_runs_from_end_to_end(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "bench", "fanout", "--subscribers", "20", "--events", "5", "--rounds", "1",
            "--peers", "floor", "--json", str(results),
        ],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "CPU per event, Tocsin ÷ floor, at 20" in done.stdout

    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text())
    rendering = [sys.executable, "-m", "bench", "report", str(results), "--into", str(page)]
    subprocess.run(rendering, cwd=ROOT, capture_output=True, timeout=30, check=True)
    assert "| Tocsin |" in page.read_text()
