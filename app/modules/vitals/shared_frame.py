"""PURE: one message for many viewers."""

from __future__ import annotations

from collections.abc import Callable


class SharedFrame:
    """A frame whose bytes are made once for each form in which somebody is sent it.

    Its form is a framing so far. Where viewers come to differ in their encoding too, that is chosen
    here, as a part of the same key.
    """

    __slots__ = ("_written", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._written: dict[Callable[[bytes], bytes], bytes] = {}

    def to_write(self, framing: Callable[[bytes], bytes]) -> bytes:
        """The very same bytes for everybody with this framing."""
        written = self._written.get(framing)
        if written is None:
            written = self._written[framing] = framing(self.text)
        return written
