"""The load: one process, one epoll, any number of subscribers, every event of each accounted for.

Most of what comes in has come in before, at another subscriber: such bytes are looked up, and what
they hold is known. All others are taken apart carefully.
"""

from __future__ import annotations

import heapq
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count

from bench.deadline import Deadline
from bench.dialect import Closing, Dialect, Event, Opened, Reached, Ready
from bench.framing import BrokenAnswerError
from bench.ledger import Account, Ledger
from bench.publisher import Publisher, PublishRequest
from bench.subscriber import State, Subscriber

READ_BYTES = 65_536
MOST_KNOWN = 512
MOST_PROBLEMS = 20

#: A range of loopback addresses to connect from, since one has some 28,000 ports.
SOURCES = tuple(f"127.0.0.{last}" for last in range(2, 10))

SubscribeRequest = Callable[[int, str | None], bytes]


class OpeningError(Exception):
    """A stream could not be opened; the text says what the server answered."""


class Load:
    """Subscribers of one server, and its publisher.

    Args:
        subscribe: the request that opens the stream of a subscriber, by its index and its cursor.
        published: the number of the last event that the server has published already.
    """

    def __init__(
        self,
        address: tuple[str, int],
        dialect: Dialect,
        subscribe: SubscribeRequest,
        publish: PublishRequest,
        *,
        published: int = 0,
    ) -> None:
        self.subscribers: list[Subscriber] = []
        self.ledger = Ledger()
        self.ledger.last = published
        self.problems: list[str] = []
        self.refusals = 0
        self.bytes_received = 0
        self.retries_refused = False
        self.on_ready: Callable[[Subscriber], None] | None = None
        self.on_closed: Callable[[Subscriber], None] | None = None
        self._address = address
        self._dialect = dialect
        self._subscribe = subscribe
        self._publish = publish
        self._publisher: Publisher | None = None
        self._epoll = select.epoll()
        self._by_fd: dict[int, Subscriber] = {}
        self._known: dict[bytes, tuple[int, int]] = {}
        self._opening = 0
        self._put_off: list[tuple[float, int, Subscriber]] = []
        self._order = count()

    # Opening and closing

    def connect(self, number: int, *, at_once: int = 128, within_seconds: float = 180) -> list[Subscriber]:
        """So many more subscribers, all ready."""
        start = len(self.subscribers)
        fresh = [Subscriber(index) for index in range(start, start + number)]
        self.subscribers += fresh
        self.open(fresh, at_once=at_once, within_seconds=within_seconds)
        return fresh

    def open(self, subscribers: Iterable[Subscriber], *, at_once: int, within_seconds: float) -> None:
        """Open a stream for each of them, until all are ready.

        Raises:
            OpeningError: one was refused, or ended before it was ready.
            OverdueError: it took too long.
        """
        deadline = Deadline(within_seconds, "opening the streams")
        waiting = iter(subscribers)
        is_more = True
        opened = 0
        while True:
            while is_more and self._opening < at_once:
                subscriber = next(waiting, None)
                if subscriber is None:
                    is_more = False
                    break
                self._start(subscriber)
                opened += 1
                if opened % 64 == 0:  # answers are taken in between
                    self.pump(0)
            self._start_put_off()
            if not is_more and self._opening == 0 and not self._put_off:
                return
            self.pump(0.05 if self._put_off else 0.2)
            deadline.check(f"{opened} begun, {self._opening} not ready")

    def _start(self, subscriber: Subscriber) -> None:
        subscriber.connect(self._address, SOURCES[subscriber.index % len(SOURCES)])
        self._by_fd[subscriber.fd] = subscriber
        self._epoll.register(subscriber.fd, select.EPOLLOUT)
        self._opening += 1

    def _start_put_off(self) -> None:
        while self._put_off and self._put_off[0][0] <= time.monotonic():
            self._start(heapq.heappop(self._put_off)[2])

    def stall(self, subscriber: Subscriber) -> None:
        """From here on it reads nothing."""
        self._epoll.unregister(subscriber.fd)

    def resume(self, subscriber: Subscriber) -> None:
        """It reads again, with room enough to be quick about it."""
        if subscriber.sock is not None:
            subscriber.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._epoll.register(subscriber.fd, select.EPOLLIN)

    def drop(self, subscriber: Subscriber) -> None:
        """Close its connection, however far it has come."""
        if subscriber.sock is None:
            return
        if subscriber.state is State.OPENING:
            self._opening -= 1
        with suppress(FileNotFoundError):  # one that was stalled
            self._epoll.unregister(subscriber.fd)
        self._by_fd.pop(subscriber.fd, None)
        subscriber.close()

    def disconnect(self) -> None:
        """Close every stream."""
        for subscriber in self.subscribers:
            self.drop(subscriber)
        self.subscribers.clear()

    def close(self) -> None:
        self.disconnect()
        self._epoll.close()

    # Publishing

    def publish(
        self,
        number: int,
        *,
        per_second: float | None,
        most_under_way: int = 16,
        readers: Iterable[Subscriber] | None = None,
        patience_seconds: float = 30,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        """Publish so many events and wait until every reader has each, or nothing comes any more.

        A server that cannot keep the pace is waited for: there are never more than
        `most_under_way` events that some reader has not got.

        Args:
            per_second: the pace; as fast as they are taken when none.
            readers: who is to receive; every subscriber when left out.
            on_tick: called about twice a second.
        """
        reading = self.subscribers if readers is None else list(readers)
        self.ledger.begin(self.ledger.last, len(reading))
        try:
            self._publish_all(number, per_second, most_under_way, patience_seconds, on_tick)
        finally:
            if self._publisher is not None:
                self._publisher.close()
            self._publisher = None

    def _open_publisher(self) -> Publisher:
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = publisher = Publisher(self._address, self._publish)
        self._epoll.register(publisher.fd, select.EPOLLIN)
        return publisher

    def _publish_all(
        self,
        number: int,
        per_second: float | None,
        most_under_way: int,
        patience_seconds: float,
        on_tick: Callable[[], None] | None,
    ) -> None:
        ledger, publisher = self.ledger, self._open_publisher()
        posted = 0
        start = time.monotonic()
        heard_of, heard_at, ticked_at = (0, 0), start, start
        while True:
            now = time.monotonic()
            due = start if per_second is None else start + posted / per_second
            may_send = posted < number and not publisher.is_waiting and posted - ledger.complete < most_under_way
            if may_send and now >= due:
                if publisher.is_stale:
                    publisher = self._open_publisher()
                publisher.send(ledger.publish(time.monotonic_ns()))
                posted += 1
                continue
            if ledger.complete == number and not publisher.is_waiting:
                return
            if heard_of != (ledger.received, posted):
                heard_of, heard_at = (ledger.received, posted), now
            elif now - heard_at > patience_seconds:
                self.problem(
                    f"nothing came for {patience_seconds:g} s: {ledger.complete} of {posted} events are complete"
                )
                return
            if on_tick is not None and now - ticked_at > 0.5:
                ticked_at = now
                on_tick()
            self.pump(min(0.2, due - now) if may_send else 0.2)

    # What went wrong

    def problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)

    def faults(self, readers: Iterable[Subscriber] | None = None) -> Counter[str]:
        """How many events were lost, doubled and reordered, over all streams."""
        total: Counter[str] = Counter()
        for subscriber in self.subscribers if readers is None else readers:
            if subscriber.account is not None:
                total += subscriber.account.faults(self.ledger.last)
        return total

    def verdict(self, readers: Iterable[Subscriber] | None = None) -> list[str]:
        """Everything that is wrong with the run so far; nothing when every event came once and in order."""
        return [
            f"{number:,} events {fault}" for fault, number in self.faults(readers).items() if number
        ] + self.problems

    # Taking in

    def pump(self, timeout: float) -> None:
        """Wait for something to come, and take in all that has."""
        known, by_fd, receive = self._known, self._by_fd, self.ledger.receive
        monotonic_ns = time.monotonic_ns
        for fd, _ in self._epoll.poll(max(0.0, timeout)):
            subscriber = by_fd.get(fd)
            if subscriber is None:
                if self._publisher is not None and fd == self._publisher.fd:
                    self._publisher.on_readable()
                continue
            if not subscriber.has_asked:
                self._ask(subscriber)
                continue
            try:
                data = subscriber.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                self._cut_off(subscriber, str(error))
                continue
            now_ns = monotonic_ns()
            self.bytes_received += len(data)
            if subscriber.state is State.LIVE and subscriber.reader.is_between_messages:
                seqs = known.get(data)
                if seqs is not None:
                    first, last = seqs
                    account = subscriber.account
                    if account is not None and account.expected == first:
                        account.expected = last + 1
                        for seq in range(first, last + 1):
                            receive(seq, now_ns)
                        continue
            self._read_carefully(subscriber, data, now_ns)

    def _ask(self, subscriber: Subscriber) -> None:
        """Send the request: the connection stands, or has failed."""
        try:
            subscriber.ask(self._subscribe(subscriber.index, subscriber.cursor))
        except OSError as error:
            self._cut_off(subscriber, str(error))
        else:
            self._epoll.modify(subscriber.fd, select.EPOLLIN)

    def _read_carefully(self, subscriber: Subscriber, data: bytes, now_ns: int) -> None:
        reader = subscriber.reader
        was_between = reader.is_between_messages and subscriber.state is State.LIVE
        try:
            messages = reader.feed(data)
        except BrokenAnswerError as error:
            self._cut_off(subscriber, str(error))
            return
        if reader.status not in (0, 200):
            self._refused(subscriber)
            return
        if reader.status == 200 and subscriber.state is State.OPENING and not self._dialect.announces_ready:
            subscriber.account = subscriber.account or Account(self.ledger.last + 1)
            self._ready(subscriber, now_ns)
        seqs = list(self._take_in(subscriber, messages, now_ns))
        is_whole = was_between and reader.is_between_messages and len(seqs) == len(messages) > 0
        if is_whole and seqs == list(range(seqs[0], seqs[-1] + 1)):
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[data] = (seqs[0], seqs[-1])
        if (not data or reader.ended) and subscriber.sock is not None:
            self._cut_off(subscriber, "the server ended the stream")

    def _take_in(self, subscriber: Subscriber, messages: list[bytes], now_ns: int) -> Iterator[int]:
        """Enter what the messages say; gives the numbers of the events among them."""
        for message in messages:
            match self._dialect.read(message):
                case Event(seq):
                    if subscriber.account is None:
                        self.problem(f"subscriber {subscriber.index} got event {seq} before the stream was opened")
                        continue
                    if subscriber.account.enter(seq):
                        self.ledger.receive(seq, now_ns)
                    if subscriber.state is State.OPENING:
                        subscriber.replayed += 1
                    yield seq
                case Opened(epoch, seq, recovered):
                    if subscriber.account is None:
                        subscriber.account = Account(seq + 1)
                    elif not recovered:
                        self.problem(f"subscriber {subscriber.index} was not recovered from {subscriber.cursor}")
                    subscriber.epoch, subscriber.recovered = epoch, recovered
                case Ready(seq, sent):
                    account = subscriber.account
                    if account is None or account.expected != seq + 1 or sent != subscriber.replayed:
                        self.problem(
                            f"subscriber {subscriber.index} is told that it is ready at {seq} after {sent} events; "
                            f"it has {subscriber.replayed} and stands before {account and account.expected}"
                        )
                    self._ready(subscriber, now_ns)
                case Reached(seq):
                    if subscriber.account is None or subscriber.account.expected != seq + 1:
                        self.problem(f"subscriber {subscriber.index} is told that it has everything up to {seq}")
                case Closing(reason):
                    subscriber.closing = reason
                case None:
                    pass

    def _ready(self, subscriber: Subscriber, now_ns: int) -> None:
        subscriber.state = State.LIVE
        subscriber.ready_ns = now_ns
        self._opening -= 1
        if self.on_ready is not None:
            self.on_ready(subscriber)

    def _refused(self, subscriber: Subscriber) -> None:
        reader = subscriber.reader
        self.drop(subscriber)
        self.refusals += 1
        retry_after = reader.headers.get("retry-after", "")
        if self.retries_refused and reader.status in (429, 503) and retry_after.isdigit():
            again_at = time.monotonic() + int(retry_after)
            heapq.heappush(self._put_off, (again_at, next(self._order), subscriber))
            return
        raise OpeningError(f"{reader.status}: {reader.text[:500].decode(errors='replace')}")

    def _cut_off(self, subscriber: Subscriber, why: str) -> None:
        was_opening = subscriber.state is State.OPENING
        self.drop(subscriber)
        if was_opening:
            raise OpeningError(f"subscriber {subscriber.index}: {why}")
        if self.on_closed is not None:
            self.on_closed(subscriber)
        else:
            self.problem(
                f"subscriber {subscriber.index} was cut off: {why} ({subscriber.closing or 'no reason given'})"
            )
