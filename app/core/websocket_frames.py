"""PURE: WebSocket frames as bytes (RFC 6455, 5.2): those that we write, and those that we read ourselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from websockets.speedups import apply_mask

#: The first byte of a frame that is a whole message: final, no reserved bit, and one of the two kinds of data.
_TEXT: Final = 0x81
_BINARY: Final = 0x82

_MASKED: Final = 0x80
_MASK_BYTES: Final = 4

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


def take_messages(data: bytes | bytearray, most_bytes: int, take: Take) -> tuple[int, int]:
    """Take the messages at the beginning of what a client has sent, as long as each is one whole frame.

    Args:
        most_bytes: a message that is larger is left where it is.

    Returns:
        How many bytes were taken, and how many the frame behind them has, as far as can be told, where some
        of them have not come yet. 0 says that it is for somebody else: it is no data frame, is one of
        several, is not masked, too large, or a text that is not UTF-8.
    """
    at, end = 0, len(data)
    while at < end:
        first = data[at]
        if first != _BINARY and first != _TEXT:
            return at, 0
        if end - at < 2:
            return at, 2
        size = data[at + 1] - _MASKED
        if size < 0:
            return at, 0
        start = at + 2 + _MASK_BYTES
        if size >= 126:
            size_bytes = 2 if size == 126 else 8
            start += size_bytes
            if start > end:
                return at, start - at
            size = int.from_bytes(data[at + 2 : at + 2 + size_bytes])
        if size > most_bytes:
            return at, 0
        stop = start + size
        if stop > end:
            return at, stop - at
        payload = apply_mask(data[start:stop], data[start - _MASK_BYTES : start])
        if first == _BINARY:
            take(payload)
        else:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                return at, 0
            take(text)
        at = stop
    return at, 0
