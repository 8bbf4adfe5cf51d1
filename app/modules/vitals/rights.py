"""The right behind an open socket, and closing the socket when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from app.core.access import AccessChanges
from app.core.clock import Clock
from app.core.errors import POLICY_VIOLATION, AppError
from app.core.security import Authenticator, Principal, TokenExpired

#: RFC 6455, 7.4.1, and its registry: the server cannot do it now; come again.
TRY_AGAIN_LATER = 1013

#: The same: the server stops, and will be back.
SERVICE_RESTART = 1012

#: A peer that takes nothing gets so long to take the closing frame.
CLOSE_SECONDS = 0.5

#: Answers with the patient that the account may have a socket for, or raises an `AppError`.
Question = Callable[[Principal], Awaitable[str]]


class SocketRight:
    """What one account may do on one socket, for as long as `is_over` is false.

    Attributes:
        patient_id: the patient that the socket is about.
        reason: why it is over; none as long as it is not.
    """

    __slots__ = (
        "_authenticator",
        "_clock",
        "_code",
        "_on_end",
        "_over",
        "_question",
        "patient_id",
        "principal",
        "reason",
    )

    def __init__(
        self, principal: Principal, patient_id: str, question: Question, authenticator: Authenticator, clock: Clock
    ) -> None:
        self.principal = principal
        self.patient_id = patient_id
        self.reason: str | None = None
        self._question = question
        self._authenticator = authenticator
        self._clock = clock
        self._code = POLICY_VIOLATION
        self._over = anyio.Event()
        self._on_end: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        return self.reason is not None

    def end(self, reason: str, *, code: int = POLICY_VIOLATION) -> None:
        """Have the socket closed, with this code and reason; the first reason counts."""
        if self.reason is None:
            self.reason, self._code = reason, code
            self._over.set()
            if self._on_end is not None:
                self._on_end()

    def on_end(self, act: Callable[[], None]) -> None:
        """Have this done in the moment in which the right ends, so that nothing happens in between."""
        if self.is_over:
            act()
        else:
            self._on_end = act

    async def recheck(self) -> None:
        """Ask again, of the account as it stands now: any other answer than before ends the right."""
        try:
            self.principal = await self._authenticator.renew(self.principal)
            if await self._question(self.principal) != self.patient_id:
                self.end("access_changed")
        except TokenExpired:
            self.end("token_expired")
        except AppError:
            self.end("access_changed")

    async def bound(
        self,
        websocket: WebSocket,
        work: Callable[[], Awaitable[None]],
        *,
        cut_off: Callable[[], None] | None = None,
    ) -> None:
        """Do the socket's work until it is done or the right is over; then the socket is closed.

        Args:
            cut_off: ends the connection of a peer that does not even take the closing frame. Without it
                that lasts until the system gives the peer up.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._close_when_over, websocket, tasks.cancel_scope, cut_off)
            await work()
            if not self.is_over:
                tasks.cancel_scope.cancel()

    async def _close_when_over(
        self, websocket: WebSocket, scope: anyio.CancelScope, cut_off: Callable[[], None] | None
    ) -> None:
        seconds_left = (self.principal.expires_at - self._clock.now()).total_seconds()
        with anyio.move_on_after(seconds_left):
            await self._over.wait()
        self.end("token_expired")
        with (
            anyio.move_on_after(CLOSE_SECONDS) as closing,
            suppress(WebSocketDisconnect, WebSocketDisconnected),
        ):
            await websocket.close(self._code, self.reason)
        if closing.cancelled_caught and cut_off is not None:
            cut_off()
        scope.cancel()


class SocketRights:
    """Gives sockets their rights, and takes them away when the account's change."""

    def __init__(self, access: AccessChanges, authenticator: Authenticator, clock: Clock) -> None:
        self._access = access
        self._authenticator = authenticator
        self._clock = clock
        self._open: set[SocketRight] = set()

    def end_all(self, reason: str) -> None:
        """End every right that is held; what its socket has not worked off is let go."""
        for right in list(self._open):
            right.end(reason, code=SERVICE_RESTART)

    @asynccontextmanager
    async def held(self, principal: Principal, question: Question) -> AsyncIterator[SocketRight]:
        """The right to a socket, asked for again after each change of the account while the block lasts.

        Raises:
            AppError: the account has no such right.
        """
        right = SocketRight(principal, await question(principal), question, self._authenticator, self._clock)
        unwatch = self._access.watch(principal.user_id, right.recheck, since=principal.access_version)
        self._open.add(right)
        try:
            yield right
        finally:
            self._open.remove(right)
            unwatch()
