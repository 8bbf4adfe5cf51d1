"""Subscribers side by side: who joins, leaves, stands still and catches up while events are on their way round."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.core.roles import Role
from app.modules.alerts.encoding import ClosingReason
from tests.modules.alerts.fan import Fan, Sink, seqs

#: A place among those who have come; it is taken modulo how many there are.
ANYONE = st.integers(0, 11)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(st.booleans(), min_size=1, max_size=4)),
        st.tuples(st.just("turn")),
        st.tuples(st.just("turn")),
        st.tuples(st.just("join"), st.integers(0, 6), st.booleans()),
        st.tuples(st.just("leave"), ANYONE),
        st.tuples(st.just("break"), ANYONE),
        st.tuples(st.just("make room"), ANYONE, st.integers(1, 3)),
        st.tuples(st.just("keep alive"), ANYONE),
        st.tuples(st.just("rescope"), ANYONE),
    ),
    max_size=60,
)


#: With five and batches of two: a run of neighbours goes on from the last place to the first.
ROUND_THE_END: list[tuple[Any, ...]] = [
    ("publish", [True]),
    ("turn",),
    ("publish", [True]),
    ("turn",),
    ("turn",),
    ("publish", [True]),
    ("turn",),
    ("turn",),
]


class Ward(Fan):
    """Subscribers of one cohort, and what they were to be given."""

    def __init__(self) -> None:
        super().__init__()
        self.sinks: list[Sink] = []
        self.starts: list[int] = []
        self.visible: list[int] = []

    def join(self, room: int, *, takes_halves: bool) -> None:
        self.starts.append(self.manager.head)
        self.sinks.append(self.subscriber(room=room, takes_halves=takes_halves))

    def grow(self, events: list[bool]) -> None:
        for is_visible in events:
            if is_visible:
                self.visible.append(self.manager.head + 1)
            self.publish("low", to=Role.NURSE if is_visible else Role.DOCTOR)

    def to_be_given(self, number: int, *, through: int) -> list[int]:
        return [seq for seq in self.visible if self.starts[number] < seq <= through]

    def check(self) -> None:
        """Each has been given what it may see up to where it says that it stands, once and in order."""
        for number, (life, sink) in enumerate(zip(self.lives, self.sinks, strict=True)):
            if life.is_open:
                assert seqs(sink.offered) == self.to_be_given(number, through=life.reached())

    async def do(self, what: str, *how: Any) -> None:
        match what, how:
            case "publish", (events,):
                self.grow(events)
            case "turn", ():
                await asyncio.sleep(0)
            case "join", (room, takes_halves):
                self.join(room, takes_halves=takes_halves)
            case _, (number, *_) if self.lives:
                life, sink = self.lives[number % len(self.lives)], self.sinks[number % len(self.lives)]
                match what:
                    case "leave":
                        life.close(ClosingReason.DRAINING)
                    case "break":
                        sink.breaks = True
                    case "make room":
                        sink.make_room(how[1])
                    case "rescope" if life.is_open:
                        # To the same patients: it leaves the cohort, reads the log, and comes back.
                        life.rescope(replace(life.scope))
                    case "keep alive" if life.is_open and not sink.is_paused:
                        life.keep_alive()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=ROUND_THE_END, batch=2, newcomers=5, most_bytes=20_000)
@given(
    steps=STEPS,
    batch=st.integers(1, 4),
    newcomers=st.integers(0, 9),
    most_bytes=st.sampled_from([60, 110, 250, 20_000]),
)
def test_whatever_happens_while_events_go_round_each_is_given_all_that_it_may_see_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[Any, ...]], batch: int, newcomers: int, most_bytes: int
) -> None:
    """Fails when a run of neighbours is written down one too long, or not cut at the last place; when one who
    steps aside takes the newest position along, or is not given what was on its way to it; when a frame that
    was taken in part counts as not given; and when one who comes while an event goes round, or whose connection
    takes nothing, is let in (checked so).
    """
    monkeypatch.setattr("app.modules.alerts.cohort.BATCH", batch)
    monkeypatch.setattr("app.modules.alerts.cohort.MOST_BYTES", most_bytes)
    monkeypatch.setattr("app.modules.alerts.cohort._FEW", 2)
    monkeypatch.setattr("app.modules.alerts.fanout.SLICE_SECONDS", 0)
    asyncio.run(_let_happen(steps, newcomers))


async def _let_happen(steps: list[tuple[Any, ...]], newcomers: int) -> None:
    ward = Ward()
    reading = asyncio.create_task(ward.manager.run())
    for _ in range(newcomers):
        ward.join(1_000, takes_halves=False)
    for step in steps:
        await ward.do(*step)
        ward.check()
    for _ in range(400):
        for sink in ward.sinks:
            sink.make_room()
        await asyncio.sleep(0)
    ward.check()
    for number, (life, sink) in enumerate(zip(ward.lives, ward.sinks, strict=True)):
        given_to_it = ward.to_be_given(number, through=ward.manager.head)
        if life.is_open:
            assert sink.taken == given_to_it
            assert life.place is not None, "whoever has caught up stands with the others again"
        else:
            assert sink.taken == given_to_it[: len(sink.taken)]
        life.close(ClosingReason.DRAINING)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert ward.manager.indexed_count() == 0
