"""What was read about accounts, kept for as long as it is true.

Rights are asked about with every request, and change once in a while. Each change is recorded (see
`app.core.access`), so that what was read of an account holds until a change of that account is seen;
and whoever asks here has first looked whether there is one. An answer is never older than the question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.core.access import AccessChanges

K = TypeVar("K")
V = TypeVar("V")

#: Accounts that are remembered at the same time; those that were asked about longest ago go first.
MOST_ACCOUNTS = 10_000

#: Answers about one account, such as one for each of its sign-ins, before they are all read again.
MOST_ANSWERS = 100


class Remembered(Generic[K, V]):
    """Answers about accounts, each read once until its account changes, however many ask at the same time.

    What fails to be read is not remembered, and asked again the next time.
    """

    def __init__(
        self,
        access: AccessChanges,
        read: Callable[[str, K], Awaitable[V]],
        *,
        most_accounts: int = MOST_ACCOUNTS,
        most_answers: int = MOST_ANSWERS,
    ) -> None:
        self._access = access
        self._read = read
        self._most_accounts = most_accounts
        self._most_answers = most_answers
        self._answers: OrderedDict[str, dict[K, asyncio.Task[V]]] = OrderedDict()
        access.on_change(self._forget)

    async def get(self, user_id: str, about: K) -> V:
        """What is true of the account now, or was at some moment since this was called.

        Raises:
            Exception: whatever reading raises.
        """
        await self._access.catch_up()
        answers = self._answers.setdefault(user_id, {})
        self._answers.move_to_end(user_id)
        answer = answers.get(about)
        if answer is None:
            if len(answers) >= self._most_answers:
                answers.clear()
            # It is kept from the moment that reading begins. A change that is seen meanwhile takes it
            # out again, so that what was read before a change is given to nobody who asks after it.
            answer = answers[about] = asyncio.ensure_future(self._read(user_id, about))
            answer.add_done_callback(lambda done: self._drop_failed(user_id, about, done))
            if len(self._answers) > self._most_accounts:
                self._answers.popitem(last=False)
        return answer.result() if answer.done() else await asyncio.shield(answer)

    def account_count(self) -> int:
        """How many accounts are remembered."""
        return len(self._answers)

    def _forget(self, user_id: str) -> None:
        self._answers.pop(user_id, None)

    def _drop_failed(self, user_id: str, about: K, answer: asyncio.Task[V]) -> None:
        if (answer.cancelled() or answer.exception()) and self._answers.get(user_id, {}).get(about) is answer:
            del self._answers[user_id][about]
