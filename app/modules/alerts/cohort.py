"""Subscribers that see the same events over the same wire, served side by side.

Most of them have been given everything there is. What such a one needs per event is a call of its
socket's `send`, and nothing else of it is touched: to look at its position, and to write down a new one,
would cost as much again as Python needs for the call. So they stand in a *circle*, and where they have
come to is written down for runs of neighbours. An event that comes while an earlier one is still on its
way round is given together with it to those who have neither, and alone to those who come next.

Who does not fit in stands *beside*: live all the same, and offered each event by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.modules.alerts.encoding import Wire
from app.modules.alerts.schemas import LogEntry

if TYPE_CHECKING:
    from app.modules.alerts.subscription import Subscription

#: Writes between two looks at the time.
BATCH = 64

#: So much is given in one write, unless a single event is longer.
MOST_BYTES = 16_384

#: Takes the place of the `send` of one who has left the circle: it answers as a socket that takes everything.
_NOBODY: Callable[[bytes], int] = len

#: The circle is closed up when more places than this, and more than half of it, are empty.
_FEW = 16


class Cohort:
    """A circle of those who are up to date, and those who are live beside it.

    Events are counted here from the first on that this cohort was given: `_given` is how many those are.

    Attributes:
        size: how many subscribers have this cohort as theirs, live or not.
        touched: when the circle was last written to, as `time.monotonic` counts.
    """

    __slots__ = ("_at", "_beside", "_circle", "_empty", "_given", "_is_busy", "_pending", "_runs", "_sends",
                 "mask", "size", "touched", "wire")  # fmt: skip

    def __init__(self, mask: int, wire: Wire) -> None:
        self.mask = mask
        self.wire = wire
        self.size = 0
        self.touched = 0.0
        # In the order in which they came, which is about the order in which they, and what the kernel keeps
        # for their sockets, lie in memory: delivery in any other order costs a third more.
        self._circle: list[Subscription | None] = []
        self._sends: list[Callable[[bytes], int]] = []
        self._empty = 0
        self._beside: dict[Subscription, None] = {}
        self._given = 0
        # While events are on their way round: those that somebody has not been given, who comes next, and
        # how many events each run of neighbours has been given, beginning with who comes next.
        self._pending: list[LogEntry] = []
        self._at = 0
        self._runs: deque[tuple[int, int]] = deque()
        # While this is so nobody comes into the circle, whatever a connection says meanwhile.
        self._is_busy = False

    @property
    def places(self) -> int:
        """How many places the circle has, empty ones included."""
        return len(self._circle)

    @property
    def is_behind(self) -> bool:
        """Whether somebody in the circle has not been given everything."""
        return bool(self._pending)

    def has_given(self, seq: int) -> bool:
        """Whether everybody in the circle has been given everything up to this number."""
        return not self._pending or self._pending[0].seq > seq

    def add(self, entry: LogEntry) -> None:
        """Take in a new event: it goes at once to those beside, and with `write_batch` round the circle."""
        if self._pending or len(self._sends) > self._empty:
            if not self._pending:
                self._runs.append((len(self._sends), self._given))
            self._pending.append(entry)
        self._given += 1
        self._is_busy = True
        for subscription in tuple(self._beside):
            try:
                subscription.offer(entry)
            except Exception as error:
                subscription.fail(error)
        self._is_busy = False
        self._close_up(entry.seq)

    def enter(self, subscription: Subscription, *, head: int) -> None:
        """Take in a subscriber that is live: it has been given everything up to `head`, or is to keep it."""
        if subscription.place is None:
            self._beside[subscription] = None
            self._let_in(subscription, head)

    def step_aside(self, subscription: Subscription, *, head: int) -> list[LogEntry]:
        """Let a subscriber stand beside, with a position of its own; the answer is what it has not been given yet."""
        if subscription.place is None:
            return []
        given = self._given_to(subscription.place)
        self._take_out(subscription, given, self._position(given, head))
        self._beside[subscription] = None
        return self._after(given)

    def leave(self, subscription: Subscription, *, head: int) -> None:
        """Take out a subscriber that is live no more; what it has not been given is left to the log."""
        self.step_aside(subscription, head=head)
        self._beside.pop(subscription, None)
        self._close_gaps()

    def position_of(self, place: int, *, head: int) -> int:
        """Up to where one in the circle has been given everything that it may see."""
        return self._position(self._given_to(place), head)

    def write_batch(self, now: float, *, head: int) -> int:
        """Give what is pending to the next in the circle, and say how many events were given."""
        self._is_busy = True
        self._pass_over_those_who_have_everything()
        count, given = self._runs[0]
        start = self._at
        end = min(start + count, start + BATCH, len(self._sends))
        entries, frames = self._next_events(given)
        chunk = frames[0] if len(frames) == 1 else b"".join(frames)
        size = len(chunk)
        failed: list[tuple[int, int | Exception]] = []
        # This loop is what delivery costs: for each subscriber one call of the kernel, and next to nothing else.
        sends = self._sends[start:end]
        for place, send in enumerate(sends, start):
            try:
                if (taken := send(chunk)) != size:
                    failed.append((place, taken))
            except BlockingIOError:
                failed.append((place, 0))
            except Exception as error:
                failed.append((place, error))
        self.touched = now
        later = self._after(given + len(entries)) if failed else []
        self._go_on(end, count - (end - start), given, given + len(entries))
        written = len(entries) * (end - start - (sends.count(_NOBODY) if self._empty else 0))
        for place, outcome in failed:
            written -= self._recover(place, outcome, given, entries, frames, later)
        self._is_busy = False
        self._close_up(head)
        return written

    def _next_events(self, given: int) -> tuple[list[LogEntry], list[bytes]]:
        """What comes after the first `given` events, as much as is to be given in one write."""
        entries: list[LogEntry] = []
        frames: list[bytes] = []
        size = 0
        for entry in self._after(given):
            frame = self.wire.event(entry)
            size += len(frame)
            if frames and size > MOST_BYTES:
                break
            entries.append(entry)
            frames.append(frame)
        return entries, frames

    def _go_on(self, end: int, rest: int, given: int, given_now: int) -> None:
        """Write down how far those up to `end` have come, and who comes next."""
        done = end - self._at
        self._runs.popleft()
        if rest:
            self._runs.appendleft((rest, given))
        self._move_on(done, given_now)
        if not rest:
            self._forget_what_all_have()

    def _move_on(self, count: int, given: int) -> None:
        """Put those who were next behind the last one."""
        self._at = (self._at + count) % len(self._sends)
        if self._runs and self._runs[-1][1] == given:
            count += self._runs.pop()[0]
        self._runs.append((count, given))

    def _pass_over_those_who_have_everything(self) -> None:
        """They came in, or were given all there was, while others had more to be given than goes into one write."""
        while self._runs[0][1] == self._given:
            self._move_on(*self._runs.popleft())

    def _forget_what_all_have(self) -> None:
        fewest = min((given for _, given in self._runs), default=self._given)
        del self._pending[: len(self._pending) - (self._given - fewest)]
        if not self._pending:
            self._runs.clear()
            self._at = 0

    def _recover(
        self,
        place: int,
        outcome: int | Exception,
        given: int,
        entries: list[LogEntry],
        frames: list[bytes],
        later: list[LogEntry],
    ) -> int:
        """Go on with one whose connection did not take everything, and say how many events it was not given.

        Args:
            entries, frames: what was sent, after the first `given` events; `later` is what comes after it.
        """
        subscription = self._circle[place]
        assert subscription is not None
        if isinstance(outcome, Exception):
            self._take_out(subscription, given, entries[0].seq - 1)
            subscription.fail(outcome)
            return len(entries)
        # The frame that was taken in part has to follow as it is; those after it go the way of all that wait.
        whole = 0
        while outcome >= len(frames[whole]):
            outcome -= len(frames[whole])
            whole += 1
        self._take_out(subscription, given + whole + 1, entries[whole].seq)
        self._beside[subscription] = None
        try:
            subscription.spill(frames[whole][outcome:])
            for entry in (*entries[whole + 1 :], *later):
                subscription.offer(entry)
        except Exception as error:
            subscription.fail(error)
        return len(entries) - whole - 1

    def _let_in(self, subscription: Subscription, head: int) -> None:
        """Move one from beside into the circle, if it has been given everything that this cohort has.

        It comes last. That is the last place only while the first one is next; it is so once in each round.
        """
        if self._at or self._is_busy or not subscription.is_ready or subscription.position > head:
            return
        del self._beside[subscription]
        subscription.place = len(self._sends)
        subscription.entered_at = self._given
        self._circle.append(subscription)
        self._sends.append(subscription.sink.send)
        if self._pending:
            self._runs.append((1, self._given))

    def _take_out(self, subscription: Subscription, given: int, position: int) -> None:
        place = subscription.place
        assert place is not None
        self._circle[place], self._sends[place] = None, _NOBODY
        self._empty += 1
        subscription.place = None
        subscription.position = position
        subscription.sent += given - subscription.entered_at
        subscription.touched = max(subscription.touched, self.touched)

    def _close_up(self, head: int) -> None:
        """Let in those who stand beside, if they may, and close the gaps when there are many."""
        self._close_gaps()
        for subscription in tuple(self._beside) if not self._at else ():
            self._let_in(subscription, head)

    def _close_gaps(self) -> None:
        if self._at or self._is_busy or self._empty <= _FEW or 2 * self._empty <= len(self._circle):
            return
        runs, start = deque[tuple[int, int]](), 0
        for count, given in self._runs:
            if staying := count - self._circle[start : start + count].count(None):
                runs.append((staying, given))
            start += count
        self._runs = runs
        self._forget_what_all_have()
        remaining = [one for one in self._circle if one is not None]
        self._sends = [self._sends[one.place] for one in remaining if one.place is not None]
        self._circle, self._empty = [*remaining], 0
        for place, subscription in enumerate(remaining):
            subscription.place = place

    def _given_to(self, place: int) -> int:
        """How many events one in the circle has been given."""
        distance = (place - self._at) % len(self._sends)
        for count, given in self._runs:
            if distance < count:
                return given
            distance -= count
        return self._given

    def _after(self, given: int) -> list[LogEntry]:
        """What comes after the first `given` events."""
        return self._pending[len(self._pending) - (self._given - given) :]

    def _position(self, given: int, head: int) -> int:
        missing = self._after(given)
        return missing[0].seq - 1 if missing else head
