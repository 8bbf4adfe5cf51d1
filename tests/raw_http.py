"""A client that speaks to the socket itself, and takes nothing that is not exactly HTTP."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio

PATIENCE_SECONDS = 20.0

_CHUNK_SIZE = re.compile(rb"[0-9a-f]+")


class RawConnection:
    """A connection on which the test decides about each byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, receive_buffer: int | None = None) -> AsyncIterator[RawConnection]:
        """Connect.

        Args:
            receive_buffer: bytes that the kernel keeps for a reader that does not read; few of them make
                the server meet a connection that takes only a part of what is written.
        """
        address = urlsplit(url)
        connecting = socket.socket()
        connecting.setblocking(False)
        if receive_buffer is not None:
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(connecting, (address.hostname, address.port))
        reader, writer = await asyncio.open_connection(sock=connecting, limit=receive_buffer or 65_536)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with anyio.move_on_after(PATIENCE_SECONDS):
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def request(self, method: str, target: str, *, version: str = "1.1", **headers: str) -> None:
        lines = [f"{method} {target} HTTP/{version}", "Host: ward"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """The status and the headers of the next answer."""
        with anyio.fail_after(PATIENCE_SECONDS):
            status_line, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
        return int(status_line.split(" ")[1]), headers

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body, empty at its end; anything else fails."""
        with anyio.fail_after(PATIENCE_SECONDS):
            line = await self._reader.readuntil(b"\r\n")
            assert _CHUNK_SIZE.fullmatch(line[:-2]), f"no chunk begins with {line[:80]!r}"
            body = await self._reader.readexactly(int(line, 16))
            assert await self._reader.readexactly(2) == b"\r\n"
        return body

    async def read(self, count: int) -> bytes:
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self._reader.readexactly(count)

    async def read_to_end(self) -> bytes:
        """Everything up to the end of the connection."""
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self._reader.read(-1)

    async def read_until(self, words: bytes) -> bytes:
        with anyio.fail_after(PATIENCE_SECONDS):
            return await self._reader.readuntil(words)
