"""How fast new requests are begun, when many come at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

#: New requests that are begun between two looks at everything else.
REQUESTS_PER_TURN = 16


class RequestPace:
    """Starts requests in the order in which they came, so many in each turn of the loop.

    When thousands come back at once, each costs half a millisecond to answer, and the loop would answer
    all that have arrived before it looks at anything else.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = REQUESTS_PER_TURN
        self._is_turning = False

    def start(self, request: Callable[[], None]) -> None:
        """Start a request now, or when its turn comes."""
        if self._left and not self._waiting:
            self._left -= 1
            request()
        else:
            self._waiting.append(request)
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._left = REQUESTS_PER_TURN
        while self._left and self._waiting:
            self._left -= 1
            self._waiting.popleft()()
        self._is_turning = self._left < REQUESTS_PER_TURN
        if self._is_turning:
            asyncio.get_running_loop().call_soon(self._turn)
