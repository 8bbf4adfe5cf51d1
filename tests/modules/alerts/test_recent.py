"""The part of the log in memory, against a list of everything that was ever added."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.access import Scope
from app.core.roles import Role, to_mask
from app.modules.alerts.recent import LONGEST_LOOK, PAGE_SIZE, RecentLog
from app.modules.alerts.schemas import LogEntry

ADMIN = Scope(Role.ADMIN, frozenset({Role.ADMIN}), None)
NURSE = Scope(Role.NURSE, frozenset({Role.NURSE}), frozenset({"P1"}))
CAREGIVER = Scope(Role.DOCTOR, frozenset({Role.NURSE, Role.DOCTOR}), frozenset({"P1", "P2"}))
SCOPES = (ADMIN, NURSE, CAREGIVER)


def entry(seq: int, patient_id: str = "P1", role: Role = Role.NURSE, size: int = 100) -> LogEntry:
    return LogEntry(
        epoch="e",
        seq=seq,
        alert_id=f"a{seq}",
        patient_id=patient_id,
        event="alert",
        audience=to_mask({role}),
        payload=b"x" * size,
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def covered(entries: list[LogEntry], scope: Scope, *, after: int) -> list[LogEntry]:
    return [e for e in entries if e.seq > after and scope.covers(e.patient_id, e.audience)]


def read_on(recent: RecentLog, scope: Scope, *, after: int) -> list[LogEntry]:
    """Every page from a position to the end."""
    found: list[LogEntry] = []
    while True:
        page = recent.page(scope, after=after)
        assert page is not None
        assert len(page.entries) <= PAGE_SIZE
        found += page.entries
        if page.is_last:
            assert page.through == recent.head
            return found
        assert page.through > after, "a page that does not bring a reader on is asked for without end"
        after = page.through


ENTRIES = st.tuples(
    st.sampled_from(["P1", "P2", "P3"]),
    st.sampled_from([Role.NURSE, Role.DOCTOR]),
    st.sampled_from([0, 100, 1_000, 5_000]),
)


@settings(max_examples=200, deadline=None)
@given(
    held_at_start=st.lists(ENTRIES, max_size=6),
    before=st.integers(0, 3),
    added=st.lists(st.tuples(ENTRIES, st.sampled_from([1, 1, 1, 1, 2, 5])), max_size=25),
    limit_bytes=st.sampled_from([0, 1_500, 5_000, 12_000, 1_000_000]),
)
def test_what_is_held_is_the_end_of_the_log_without_a_gap_and_each_page_a_filter_of_it(
    held_at_start: list[tuple[str, Role, int]],
    before: int,
    added: list[tuple[tuple[str, Role, int], int]],
    limit_bytes: int,
) -> None:
    """Fails when a number that does not follow on does not make it begin anew, when nothing is let go of,
    when `after` is not moved with what is let go of, and when the patients or the audience are not
    looked at (checked so).
    """
    log = [entry(seq, *fields) for seq, fields in enumerate(held_at_start, before + 1)]
    recent = RecentLog(limit_bytes=limit_bytes)
    recent.begin(log, head=before + len(log))
    _is_the_end_of(log, recent, limit_bytes)
    gap = 0
    for fields, step in added:
        seq = recent.head + step
        if step > 1:
            gap = seq - 1
        log.append(entry(seq, *fields))
        recent.add(log[-1])
        assert recent.after >= gap, "what it says to hold it must hold"
        _is_the_end_of(log, recent, limit_bytes)


def _is_the_end_of(log: list[LogEntry], recent: RecentLog, limit_bytes: int) -> None:
    held = read_on(recent, ADMIN, after=recent.after)
    assert held == covered(log, ADMIN, after=recent.after)
    assert [e.seq for e in held] == list(range(recent.after + 1, recent.head + 1))
    assert len(recent) == len(held)
    assert len(held) <= 1 or sum(2 * len(e.payload) + 1_000 for e in held) <= limit_bytes
    for scope in SCOPES:
        for after in range(recent.head + 2):
            if after < recent.after:
                assert recent.page(scope, after=after) is None
            else:
                assert read_on(recent, scope, after=after) == covered(log, scope, after=after)


@pytest.mark.parametrize("count", [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE])
def test_a_page_is_of_bounded_length_and_the_next_one_follows_on_it(count: int) -> None:
    log = [entry(seq, size=0) for seq in range(1, count + 1)]
    recent = RecentLog(limit_bytes=10_000_000)
    recent.begin(log, head=count)

    assert [e.seq for e in read_on(recent, NURSE, after=0)] == list(range(1, count + 1))


@pytest.mark.parametrize("count", [LONGEST_LOOK, LONGEST_LOOK + 1, 2 * LONGEST_LOOK + 1])
def test_a_look_over_entries_that_nobody_here_may_see_is_bounded_and_goes_on(count: int) -> None:
    """Fails when the whole rest is looked through in one go (checked so): the loop is held by it."""
    log = [entry(seq, "P9", size=0) for seq in range(1, count + 1)] + [entry(count + 1, size=0)]
    recent = RecentLog(limit_bytes=100_000_000)
    recent.begin(log, head=count + 1)

    first = recent.page(NURSE, after=0)

    assert first is not None
    assert (first.entries, first.through, first.is_last) == ([], LONGEST_LOOK, False)
    assert [e.seq for e in read_on(recent, NURSE, after=0)] == [count + 1]


def test_what_is_let_go_of_is_soon_not_kept_alive_either() -> None:
    """Fails when the front of the list is never cut off (checked so)."""
    recent = RecentLog(limit_bytes=20_000)
    for seq in range(1, 2_000):
        recent.add(entry(seq))

    assert len(recent._entries) <= 3 * len(recent)
