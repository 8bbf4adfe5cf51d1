"""PURE: takes an HTTP answer apart as it comes in: head, chunks, event-stream messages.

It is the careful way, and slow. The load generator takes it for every piece of bytes that it has
not seen before, and knows the outcome for those that it has.
"""

from __future__ import annotations

import re

_END_OF_MESSAGE = re.compile(rb"\r\n\r\n|\n\n")
_END_OF_HEAD = b"\r\n\r\n"


class BrokenAnswerError(Exception):
    """What came in is not HTTP as RFC 9112 has it."""


class AnswerReader:
    """One answer: `feed` gives the messages that are complete; `body` collects instead where asked to.

    Attributes:
        status: the status code, or 0 while the head is not complete.
        is_between_messages: nothing is half read, so that the next bytes stand for themselves.
    """

    __slots__ = ("_chunked", "_left", "_text", "_wire", "ended", "headers", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        self._wire = b""
        self._text = b""
        self._chunked = False
        self._left: int | None = None

    @property
    def is_between_messages(self) -> bool:
        return self.status != 0 and not self._wire and not self._text

    @property
    def text(self) -> bytes:
        """What of the body has come in and belongs to no complete message."""
        return self._text

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with these bytes, without the blank line that ends each."""
        self.collect(data)
        messages: list[bytes] = []
        start = 0
        for end in _END_OF_MESSAGE.finditer(self._text):
            messages.append(self._text[start : end.start()])
            start = end.end()
        if start:
            self._text = self._text[start:]
        return messages

    def collect(self, data: bytes) -> None:
        """Take bytes in; `text` is the body so far, and `ended` says whether it is whole."""
        self._wire += data
        if self.status == 0 and not self._read_head():
            return
        if self._chunked:
            self._read_chunks()
        else:
            self._text += self._wire
            if self._left is not None:
                self._left -= len(self._wire)
                self.ended = self._left <= 0
            self._wire = b""

    def _read_head(self) -> bool:
        head, found, rest = self._wire.partition(_END_OF_HEAD)
        if not found:
            return False
        lines = head.decode("latin-1").split("\r\n")
        try:
            self.status = int(lines[0].split(" ", 2)[1])
        except (IndexError, ValueError):
            raise BrokenAnswerError(f"no status line: {lines[0]!r}") from None
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "")
        if "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
        elif self.status in (204, 304):
            self._left = 0
        self.ended = self._left == 0
        self._wire = rest
        return True

    def _read_chunks(self) -> None:
        wire, at = self._wire, 0
        pieces = [self._text]
        while not self.ended:
            line_end = wire.find(b"\r\n", at)
            if line_end < 0:
                break
            try:
                size = int(wire[at:line_end].partition(b";")[0], 16)
            except ValueError:
                raise BrokenAnswerError(f"no chunk size: {wire[at : at + 40]!r}") from None
            end = line_end + 2 + size
            if len(wire) < end + 2:
                break
            if wire[end : end + 2] != b"\r\n":
                raise BrokenAnswerError(f"a chunk of {size} bytes does not end where it says")
            pieces.append(wire[line_end + 2 : end])
            at = end + 2
            self.ended = size == 0
        self._wire = wire[at:]
        self._text = b"".join(pieces)
