"""PURE: the client's side of WebSocket (RFC 6455), as far as the load needs it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from websockets.speedups import apply_mask

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA

_FINAL, _MASKED = 0x80, 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127


class BrokenFrameError(Exception):
    """What came in is no frame that a server may send."""


def opening(host: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The request that opens a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket",
        # The key proves only that the server speaks the protocol; the example of RFC 6455, 1.3 will do.
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {value}" for name, value in (headers or {}).items()), "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """A whole message as one frame, masked anew."""
    mask = os.urandom(4)
    size = len(payload)
    if size < _TWO_BYTES:
        head = bytes((_FINAL | opcode, _MASKED | size))
    elif size < 1 << 16:
        head = bytes((_FINAL | opcode, _MASKED | _TWO_BYTES)) + size.to_bytes(2)
    else:
        head = bytes((_FINAL | opcode, _MASKED | _EIGHT_BYTES)) + size.to_bytes(8)
    return head + mask + apply_mask(payload, mask)


class FrameReader:
    """Takes apart what a server sends. None of the servers splits a message, and one that did is told of."""

    __slots__ = ("_wire",)

    def __init__(self) -> None:
        self._wire = b""

    @property
    def is_between_frames(self) -> bool:
        """Nothing is half read, so that the next bytes stand for themselves."""
        return not self._wire

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete with these bytes, each as its opcode and its payload.

        Raises:
            BrokenFrameError: one is masked, split, or has an extension's bits.
        """
        wire, at = self._wire + data, 0
        frames = []
        while len(wire) - at >= 2:
            first, size = wire[at], wire[at + 1]
            start = at + 2
            if size in (_TWO_BYTES, _EIGHT_BYTES):
                start += 2 if size == _TWO_BYTES else 8
                if len(wire) < start:
                    break
                size = int.from_bytes(wire[at + 2 : start])
            elif size & _MASKED:
                raise BrokenFrameError("a server masks nothing")
            if first & 0xF0 != _FINAL:
                raise BrokenFrameError(f"a frame begins with {first:#x}")
            if len(wire) < start + size:
                break
            frames.append((first & 0x0F, wire[start : start + size]))
            at = start + size
        self._wire = wire[at:]
        return frames
