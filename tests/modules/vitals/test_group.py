"""Viewers of one group in any order of events, with connections that take as much as they like."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.metrics import Metrics
from app.core.sinks import as_line
from app.modules.vitals.fanout import Writer
from app.modules.vitals.frames import Reading
from app.modules.vitals.group import BATCH, Group
from app.modules.vitals.renditions import Choice, Rendition
from app.modules.vitals.viewer import Viewer
from tests.sinks import PacedSink

pytestmark = pytest.mark.anyio

QUEUE_FRAMES = 4

#: What a server says of its own accord, between the frames.
PING = b'{"event":"ping"}\n'


class Screen:
    """A viewer, its connection, and the number of the first frame that comes after it has joined."""

    def __init__(self, group: Group, first: int, *, takes_halves: bool, room: int) -> None:
        self.first = first
        self.takes_halves = takes_halves
        self.sink = PacedSink(framing=as_line, takes_halves=takes_halves, room=room)
        self.viewer = Viewer(self.sink, group, slow_consumer_seconds=60, on_stuck=lambda: None)
        group.add(self.viewer)

    def show(self) -> None:
        self.viewer.show([], lambda _: True)

    @property
    def is_there(self) -> bool:
        return not self.sink.is_cut_off and not self.sink.has_ended

    def seen(self) -> tuple[list[int], int]:
        """The numbers of the frames that the connection was given whole, and how many it was told that it skipped."""
        numbers: list[int] = []
        skipped = 0
        for line in self.sink.offered.splitlines(keepends=True):
            told: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {"event": "cut off"}
            if told.get("event") == "skipped":
                skipped += told["frames"]
            elif "value" in told:
                numbers.append(int(told["value"]))
        return numbers, skipped


class Room:
    """A group whose turns are taken by the test."""

    def __init__(self) -> None:
        self.due: deque[Writer] = deque()
        self.group = Group(
            Rendition("P1", Choice(), as_line), Metrics(), queue_frames=QUEUE_FRAMES, on_due=self.due.append
        )
        self.screens: list[Screen] = []
        self.published = 0

    def join(self, *, is_shown: bool = True, takes_halves: bool = False, room: int = 1000) -> None:
        self.screens.append(Screen(self.group, self.published, takes_halves=takes_halves, room=room))
        if is_shown:
            self.screens[-1].show()

    def many_join(self) -> None:
        for _ in range(BATCH):
            self.join()

    def publish(self) -> None:
        """A numeric of one of two kinds, recognised by its value."""
        kind = "pulse" if self.published % 3 else "spo2"
        at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=self.published)
        self.group.take(Reading(kind, float(self.published), "/min", at), 0.0)
        self.published += 1

    def take_turn(self) -> None:
        if self.due:
            writer = self.due.popleft()
            if writer.write_next():
                self.due.append(writer)

    def take_turns(self) -> None:
        while self.due:
            self.take_turn()

    def of(self, number: int) -> Screen | None:
        return self.screens[number % len(self.screens)] if self.screens else None

    def check(self) -> None:
        """Everybody has got each frame, once and in order, or been told how many they have not."""
        for screen in self.screens:
            numbers, skipped = screen.seen()
            assert numbers == sorted(set(numbers))
            assert all(number >= screen.first for number in numbers)
            assert screen.sink.breaks or not screen.sink.is_cut_off
            if screen.is_there:
                assert len(numbers) + skipped == self.published - screen.first
                assert numbers[-1:] == ([self.published - 1] if self.published > screen.first else [])
                assert (screen.viewer.sent, screen.viewer.dropped) == (len(numbers), skipped)


def _break(screen: Screen) -> None:
    screen.sink.breaks = True


def _jam(screen: Screen) -> None:
    """It takes nothing more, and the server itself is the one who notices."""
    screen.sink.close_room()
    screen.sink.write(PING)


def _leave(room: Room, screen: Screen) -> None:
    screen.viewer.end()
    room.group.remove(screen.viewer)
    room.screens.remove(screen)


def _many_leave(room: Room, number: int) -> None:
    for screen in room.screens[number : number + 2 * BATCH]:
        _leave(room, screen)


_Step = Callable[[Room, int], None]


def _with_screen(act: Callable[[Room, Screen], None]) -> _Step:
    def step(room: Room, number: int) -> None:
        screen = room.of(number)
        if screen is not None:
            act(room, screen)

    return step


STEPS: dict[str, _Step] = {
    "publish": lambda room, _: room.publish(),
    "take a turn": lambda room, _: room.take_turn(),
    "take all turns": lambda room, _: room.take_turns(),
    "join": lambda room, _: room.join(),
    "join by halves": lambda room, _: room.join(takes_halves=True),
    "join without room": lambda room, _: room.join(room=0),
    "join unshown": lambda room, _: room.join(is_shown=False),
    "many join": lambda room, _: room.many_join(),
    "show": _with_screen(lambda _, screen: screen.show()),
    "close": _with_screen(lambda _, screen: screen.sink.close_room()),
    "ping": _with_screen(lambda _, screen: screen.sink.write(PING)),
    "some room": _with_screen(lambda _, screen: screen.sink.make_room(2)),
    "room": _with_screen(lambda _, screen: screen.sink.make_room()),
    "break": _with_screen(lambda _, screen: _break(screen)),
    "jam": _with_screen(lambda _, screen: _jam(screen)),
    "end": _with_screen(lambda _, screen: screen.viewer.end()),
    "leave": _with_screen(_leave),
    "many leave": _many_leave,
}


#: What happens most often, and with it every now and then something else.
_OFTEN = ["publish", "take a turn"]

_NUMBERS = st.integers(0, 4 * BATCH)
_ANY_STEP = st.one_of(st.sampled_from(_OFTEN), st.sampled_from(_OFTEN), st.sampled_from(sorted(STEPS)))


async def _play(viewers: int, steps: list[tuple[str, int]]) -> None:
    room = Room()
    for _ in range(viewers):
        room.join()
    room.publish()
    room.take_turns()
    for name, number in steps:
        STEPS[name](room, number)
    for screen in room.screens:
        screen.show()
        screen.sink.make_room()
    room.take_turns()
    room.check()
    for _ in range(2):
        room.publish()
        room.take_turns()
        room.check()
    for screen in room.screens:
        # Somebody who takes only a part of each frame never keeps up with the row.
        if screen.is_there and not screen.takes_halves:
            assert screen.viewer.place is not None


@settings(max_examples=600)
@given(_NUMBERS, st.lists(st.tuples(_ANY_STEP, _NUMBERS), min_size=5, max_size=80))
def test_each_viewer_gets_each_frame_once_and_in_order_or_is_told_how_many_it_skipped(
    viewers: int, steps: list[tuple[str, int]]
) -> None:
    asyncio.run(_play(viewers, steps))


async def test_a_group_for_which_there_is_too_little_time_goes_on_with_the_newest_frame() -> None:
    room = Room()
    for _ in range(2 * BATCH):
        room.join()
    room.publish()
    room.take_turns()
    room.publish()
    room.take_turn()
    for _ in range(QUEUE_FRAMES + 1):
        room.publish()
    assert {screen.viewer.dropped for screen in room.screens[:BATCH]} == {QUEUE_FRAMES - 2}
    assert {screen.viewer.dropped for screen in room.screens[BATCH:]} == {QUEUE_FRAMES - 1}
    room.take_turns()
    room.check()
