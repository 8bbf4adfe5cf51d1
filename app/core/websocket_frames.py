"""PURE: WebSocket frames as bytes (RFC 6455, 5.2): those that we write, and those that we read ourselves."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from websockets.speedups import apply_mask

#: The first byte of a frame that is a whole message: final, no reserved bit, and one of the two kinds of data.
_TEXT: Final = 0x81
_BINARY: Final = 0x82

#: The second byte of a masked frame: its size, or how many bytes more tell it.
_MASKED: Final = 0x80
_TWO_BYTES_MORE: Final = _MASKED | 126
_EIGHT_BYTES_MORE: Final = _MASKED | 127

_MASK_BYTES: Final = 4
_SHORTEST_HEAD: Final = 2 + _MASK_BYTES

#: Both of them, and what the size is where two bytes more tell it.
_unpack_head = struct.Struct("!BBH").unpack_from

Message = str | bytes
Take = Callable[[Message], None]


def as_text_frame(text: bytes) -> bytes:
    """A whole text message from a server: one frame, final and not masked."""
    return _head(_TEXT, len(text)) + text


def as_binary_frame(data: bytes) -> bytes:
    """A whole binary message from a server: one frame, final and not masked."""
    return _head(_BINARY, len(data)) + data


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2)
    return bytes((first, 127)) + size.to_bytes(8)


def take_messages(data: bytes | bytearray, most_bytes: int, take: Take) -> int:
    """Take the messages at the beginning of what a client has sent, as long as each is one whole, masked frame.

    Args:
        most_bytes: a message that is larger is left where it is.

    Returns:
        How many bytes were taken.
    """
    at, end = 0, len(data)
    while at + _SHORTEST_HEAD <= end:
        first, second, size = _unpack_head(data, at)
        if second == _TWO_BYTES_MORE:
            start = at + _SHORTEST_HEAD + 2
        elif _MASKED <= second < _TWO_BYTES_MORE:
            start, size = at + _SHORTEST_HEAD, second - _MASKED
        elif second == _EIGHT_BYTES_MORE:
            start, size = at + _SHORTEST_HEAD + 8, int.from_bytes(data[at + 2 : at + 10])
        else:
            return at
        stop = start + size
        if stop > end or size > most_bytes:
            return at
        payload = apply_mask(data[start:stop], data[start - _MASK_BYTES : start])
        if first == _BINARY:
            take(payload)
        elif first == _TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                return at
            take(text)
        else:
            return at
        at = stop
    return at


def frame_bytes(data: bytes | bytearray, most_bytes: int) -> int:
    """How many bytes the message has that begins here, as far as can be told from those that have come.

    Returns:
        0 where it is none for `take_messages`: it is no data frame, is one of several, is not masked, or too large.
    """
    if data[0] != _BINARY and data[0] != _TEXT:
        return 0
    if len(data) < 2:
        return _SHORTEST_HEAD
    size = data[1] - _MASKED
    if size < 0:
        return 0
    size_bytes = 0 if size < 126 else 2 if size == 126 else 8
    head_bytes = _SHORTEST_HEAD + size_bytes
    if size_bytes:
        if len(data) < 2 + size_bytes:
            return head_bytes
        size = int.from_bytes(data[2 : 2 + size_bytes])
    return head_bytes + size if size <= most_bytes else 0
