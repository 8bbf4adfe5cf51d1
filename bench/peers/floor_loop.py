"""The floor where there is no C compiler: a loop of `socket.send`.

Run as `python floor_loop.py PORT`.
"""

from __future__ import annotations

import selectors
import socket
import sys

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"
_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


def main(port: int) -> None:
    """Take connections, and write the body of every POST to all that have sent a GET."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    readers: dict[socket.socket, None] = {}
    while True:
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if connection is listener:
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(accepted, selectors.EVENT_READ)
                continue
            head, body = _read(connection)
            if not head:
                selector.unregister(connection)
                readers.pop(connection, None)
                connection.close()
            elif head.startswith(b"GET "):
                connection.sendall(_HEAD)
                readers[connection] = None
            else:
                for reader in readers:
                    reader.sendall(body)
                connection.sendall(_DONE)


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    """One request; nothing when the connection has ended."""
    request = b""
    while True:
        try:
            piece = connection.recv(65_536)
        except OSError:
            return b"", b""
        if not piece:
            return b"", b""
        request += piece
        head, found, body = request.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            return head, body


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
