"""PURE: how many messages in a row of one device could not be used, in whatever order they are looked at."""

from __future__ import annotations

from typing import Final

#: Remembered at most; a row is noticed as long as no more are refused between its parts.
MOST_REMEMBERED: Final = 1000


class Refusals:
    """The numbers of the messages that were refused."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        # In the order in which they were refused: a dictionary keeps it, and a set does not.
        self._numbers: dict[int, None] = {}

    def add(self, number: int) -> int:
        """Take down that this message was refused; answers how many are in a row with it, itself among them."""
        numbers = self._numbers
        numbers[number] = None
        if len(numbers) > MOST_REMEMBERED:
            del numbers[next(iter(numbers))]
        first = last = number
        while first - 1 in numbers:
            first -= 1
        while last + 1 in numbers:
            last += 1
        return last - first + 1
