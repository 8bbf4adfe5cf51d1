"""Little more than a durable server in Python must do: commit each event to SQLite, `os.write` it to everybody.

Nothing is parsed beyond what tells a GET from a POST, nobody signs in, nothing is checked, numbered or
counted, and a reader that stops ends the program. So what this costs above the floor is the price of Python's
interpreter and of a commit on disk. Run as `python durable_loop.py PORT`, in a folder of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE head (seq INTEGER NOT NULL);
INSERT INTO head VALUES (0);
CREATE TABLE alerts (id TEXT PRIMARY KEY, state TEXT NOT NULL, last_seq INTEGER NOT NULL);
CREATE INDEX open_alerts ON alerts (last_seq) WHERE state <> 'resolved';
CREATE TABLE events (seq INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, payload TEXT NOT NULL);
CREATE INDEX events_of_alert ON events (alert_id, seq);
"""


class Log:
    """Alerts as they stand, and their events; one transaction for each, on one thread."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("log.db", isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def append(self, payload: str) -> None:
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        (seq,) = execute("UPDATE head SET seq = seq + 1 RETURNING seq").fetchone()
        alert_id = os.urandom(8).hex()
        execute("INSERT INTO alerts VALUES (?, 'active', ?)", (alert_id, seq))
        execute("INSERT INTO events VALUES (?, ?, ?)", (seq, alert_id, payload))
        execute("COMMIT")


class Connection(asyncio.Protocol):
    """A reader, or who publishes."""

    readers: dict[Connection, int]
    log: Log
    thread: ThreadPoolExecutor

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._received = b""
        opened = transport.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._descriptor = opened.fileno()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET "):
            self._transport.write(_HEAD)
            self.readers[self] = self._descriptor
        elif len(body) < _content_length(head):
            return
        else:
            self._task = asyncio.ensure_future(self._publish(body))
        self._received = b""

    async def _publish(self, body: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self.thread, self.log.append, body.decode())
        write, size = os.write, len(body)
        for descriptor in self.readers.values():
            if write(descriptor, body) != size:
                raise SystemExit("a reader has stopped")
        self._transport.write(_DONE)

    def connection_lost(self, error: Exception | None) -> None:
        self.readers.pop(self, None)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def main(port: int) -> None:
    Connection.readers, Connection.log, Connection.thread = {}, Log(), ThreadPoolExecutor(1)
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(int(sys.argv[1])))
