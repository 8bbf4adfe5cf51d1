from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.modules.alerts.feed import Feed


@dataclass(frozen=True)
class Entry:
    seq: int


def blocked_feed(position: int = 0, *, queue_limit: int = 10) -> Feed[Entry]:
    feed: Feed[Entry] = Feed(position, queue_limit=queue_limit)
    feed.advance(position, head=position)
    assert (feed.is_live, feed.is_ready) == (True, True)
    feed.block()
    return feed


def keep_all(feed: Feed[Entry], *numbers: int) -> list[bool]:
    return [feed.keep(Entry(seq)) for seq in numbers]


def waited(feed: Feed[Entry]) -> list[int]:
    return [entry.seq for entry in feed.unblock()]


def test_a_feed_begins_with_reading_the_log() -> None:
    feed: Feed[Entry] = Feed(3, queue_limit=10)

    assert not feed.is_live
    assert keep_all(feed, 4, 5) == [True, True]
    assert waited(feed) == [], "what comes meanwhile is left to the log"


@pytest.mark.parametrize(
    ("through", "head", "is_live"), [(5, 7, False), (7, 7, True), (9, 7, True)], ids=["behind", "level", "ahead"]
)
def test_it_is_live_once_it_has_read_all_that_was_offered_to_others(through: int, head: int, *, is_live: bool) -> None:
    feed: Feed[Entry] = Feed(3, queue_limit=10)

    feed.advance(through, head=head)

    assert (feed.position, feed.is_live) == (through, is_live)


def test_what_the_log_has_shown_already_is_not_taken_in_again() -> None:
    feed: Feed[Entry] = Feed(0, queue_limit=10)
    feed.advance(5, head=3)

    keep_all(feed, 4, 5, 6)

    assert waited(feed) == [6]


def test_taking_what_waits_moves_the_position_to_the_last_one() -> None:
    feed = blocked_feed(3)
    keep_all(feed, 4, 6)

    assert waited(feed) == [4, 6]
    assert feed.position == 6
    assert waited(feed) == []
    assert feed.position == 6


def test_a_full_queue_is_left_to_the_log() -> None:
    feed = blocked_feed(queue_limit=2)

    assert keep_all(feed, 1, 2, 3, 4) == [True, True, False, True], "an overflow is told once"

    assert not feed.is_live
    assert waited(feed) == []
    assert feed.position == 0, "it reads on from where it was"


def test_falling_behind_leaves_what_waits_to_the_log() -> None:
    feed = blocked_feed()
    keep_all(feed, 1, 2)

    feed.fall_behind()

    assert (feed.is_live, waited(feed), feed.position) == (False, [], 0)


def test_a_quiet_clients_position_moves_over_what_was_not_meant_for_it() -> None:
    feed = blocked_feed(3)

    assert feed.settle(8) == 8
    assert feed.settle(5) == 8, "it never goes back"


def test_a_position_never_moves_over_what_waits_or_is_still_to_be_read() -> None:
    waiting = blocked_feed(3)
    keep_all(waiting, 5)
    assert waiting.settle(8) == 3

    behind: Feed[Entry] = Feed(3, queue_limit=10)
    assert behind.settle(8) == 3


class OneSubscriber(RuleBasedStateMachine):
    """A log, the fan-out that follows it, and one subscriber that reads it at its own pace.

    The log is a list in which `True` stands for an entry that the subscriber may see; the first has
    number 1. `head` is how far the fan-out has come: it may be behind the log, and the log is read
    to its end all the same.
    """

    @initialize(log=st.lists(st.booleans(), max_size=8), data=st.data(), queue_limit=st.integers(1, 3))
    def connect(self, log: list[bool], data: st.DataObject, queue_limit: int) -> None:
        self.log = log
        self.head = data.draw(st.integers(0, len(log)), label="head")
        self.start = data.draw(st.integers(0, len(log)), label="start")
        self.queue_limit = queue_limit
        self.feed: Feed[Entry] = Feed(self.start, queue_limit=queue_limit)
        self.page: tuple[list[Entry], int] | None = None
        self.handed_out: list[int] = []

    def visible(self, *, after: int, through: int) -> list[int]:
        return [seq for seq in range(after + 1, through + 1) if self.log[seq - 1]]

    @rule(entries=st.lists(st.booleans(), min_size=1, max_size=4))
    def the_log_grows(self, entries: list[bool]) -> None:
        self.log += entries

    @precondition(lambda self: self.head < len(self.log))
    @rule(most=st.integers(1, 4))
    def the_fan_out_goes_on(self, most: int) -> None:
        for seq in range(self.head + 1, min(self.head + most, len(self.log)) + 1):
            self.head = seq
            if self.log[seq - 1]:
                if self.feed.is_ready and self.feed.position < seq:
                    self.feed.position = seq
                    self.handed_out.append(seq)
                else:
                    was_live = self.feed.is_live
                    assert self.feed.keep(Entry(seq)) is not (was_live and not self.feed.is_live)

    @precondition(lambda self: self.page is None and not self.feed.is_live)
    @rule(page_size=st.integers(1, 3))
    def the_subscriber_asks_for_a_page(self, page_size: int) -> None:
        numbers = self.visible(after=self.feed.position, through=len(self.log))[:page_size]
        through = numbers[-1] if len(numbers) == page_size else len(self.log)
        self.page = ([Entry(seq) for seq in numbers], through)

    @precondition(lambda self: self.page is not None)
    @rule()
    def the_page_arrives(self) -> None:
        assert self.page is not None
        (entries, through), self.page = self.page, None
        self.feed.advance(through, head=self.head)
        self.handed_out += [entry.seq for entry in entries]

    @rule()
    def the_connection_takes_nothing(self) -> None:
        self.feed.block()
        assert not self.feed.is_ready

    @rule()
    def the_connection_takes_more(self) -> None:
        entries = waited(self.feed)
        assert len(entries) <= self.queue_limit
        assert self.feed.is_ready == self.feed.is_live
        self.handed_out += entries

    @rule()
    def the_subscriber_is_quiet(self) -> None:
        before = self.feed.position
        assert self.feed.settle(self.head) == self.feed.position >= before

    @rule()
    def the_subscriber_falls_behind(self) -> None:
        self.feed.fall_behind()
        assert not self.feed.is_live

    @invariant()
    def what_was_handed_out_is_exactly_what_it_may_see_up_to_its_position(self) -> None:
        assert self.handed_out == self.visible(after=self.start, through=self.feed.position)

    def teardown(self) -> None:
        """Let it come to rest: then it has everything."""
        if not hasattr(self, "feed"):
            return
        if self.page is not None:
            self.the_page_arrives()
        while self.head < len(self.log):
            self.the_fan_out_goes_on(len(self.log))
        for _ in self.log:
            if not self.feed.is_live:
                self.the_subscriber_asks_for_a_page(1)
                self.the_page_arrives()
        assert self.feed.is_live or not self.log
        self.the_connection_takes_more()
        assert self.handed_out == self.visible(after=self.start, through=len(self.log))


def test_whatever_the_interleaving_a_subscriber_gets_all_that_it_may_see_once_and_in_order() -> None:
    run_state_machine_as_test(OneSubscriber, settings=settings(max_examples=400, stateful_step_count=30, deadline=None))
