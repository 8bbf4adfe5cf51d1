"""Run as a process that can be frozen: reads an event stream, and prints its own port and then what comes.

python -m tests.core.frozen_reader HOST PORT TARGET TOKEN
"""

from __future__ import annotations

import socket
import sys

host, port, target, token = sys.argv[1:]
connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
connection.connect((host, int(port)))
connection.sendall(f"GET {target} HTTP/1.1\r\nHost: ward\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
print("port:", connection.getsockname()[1], flush=True)
try:
    while received := connection.recv(4096):
        sys.stdout.buffer.write(received)
        sys.stdout.buffer.flush()
except ConnectionResetError:
    pass
