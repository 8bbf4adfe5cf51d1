"""A bad signal is told when it has lasted, and never beside the lead that is the reason for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.modules.devices.signal_watch import SignalWatch

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alarmed_signal() -> SignalWatch:
    watch = SignalWatch()
    watch.judged("II", "bad", "noise", at(0))
    assert watch.look(at(10))
    assert watch.is_alarmed
    return watch


def test_a_signal_is_alarmed_when_it_was_bad_for_ten_seconds() -> None:
    watch = SignalWatch()
    assert not watch.judged("II", "bad", "noise", at(0))
    assert watch.is_waiting
    assert not watch.look(at(9.9))
    assert watch.look(at(10))
    assert (watch.is_alarmed, watch.lead, watch.reason, watch.is_waiting) == (True, "II", "noise", False)


def test_the_alarm_ends_when_it_was_good_for_five_seconds() -> None:
    watch = alarmed_signal()
    assert not watch.judged("II", "good", None, at(20))
    assert not watch.look(at(24.9))
    assert watch.look(at(25))
    assert watch.is_alarmed is False


def test_what_is_unknown_neither_begins_an_alarm_nor_ends_one() -> None:
    watch = alarmed_signal()
    watch.judged("II", "unknown", None, at(20))
    assert not watch.look(at(100))
    watch = SignalWatch()
    watch.judged("II", "bad", "noise", at(0))
    watch.judged("II", "unknown", None, at(9))
    assert not watch.look(at(100))
    assert watch.is_alarmed is None


def test_a_signal_that_is_good_from_the_start_is_told_once_because_an_older_alarm_may_be_open() -> None:
    watch = SignalWatch()
    watch.judged("II", "good", None, at(0))
    assert watch.look(at(5))
    assert watch.is_alarmed is False
    assert not watch.look(at(6))


def test_another_lead_that_is_bad_too_does_not_begin_the_time_anew() -> None:
    watch = SignalWatch()
    watch.judged("II", "bad", "noise", at(0))
    watch.judged("V", "bad", "flat", at(8))
    assert watch.look(at(10))
    assert (watch.lead, watch.reason) == ("V", "flat")


def test_a_lead_that_is_off_is_not_told_as_a_bad_signal() -> None:
    for off in ("II", None):
        watch = SignalWatch()
        watch.lead_off(off, is_off=True, now=at(0))
        watch.judged("II", "bad", "flat", at(1))
        assert not watch.look(at(60))
        assert not watch.is_waiting


def test_an_alarmed_signal_gives_way_to_its_lead_that_is_off() -> None:
    watch = alarmed_signal()
    assert not watch.lead_off("V", is_off=True, now=at(11))
    assert watch.lead_off("II", is_off=True, now=at(12))
    assert watch.is_alarmed is False


def test_a_signal_that_stays_bad_when_its_lead_is_on_again_is_told_after_the_whole_time() -> None:
    watch = SignalWatch()
    watch.judged("II", "bad", "flat", at(0))
    watch.lead_off("II", is_off=True, now=at(1))
    watch.lead_off("II", is_off=False, now=at(30))
    assert not watch.look(at(39.9))
    assert watch.look(at(40))


def test_saying_again_and_again_that_a_lead_is_on_puts_nothing_off() -> None:
    watch = SignalWatch()
    watch.judged("II", "bad", "noise", at(0))
    told = [watch.lead_off("II", is_off=False, now=at(second)) for second in range(1, 15)]
    assert told.index(True) + 1 == 10


@given(st.lists(st.tuples(st.sampled_from(["good", "bad", "unknown"]), st.integers(1, 20)), max_size=40))
def test_an_alarm_is_as_a_second_by_second_count_says(spells: list[tuple[str, int]]) -> None:
    watch, now = SignalWatch(), 0
    bad_for = good_for = 0
    expected: bool | None = None
    for state, seconds in spells:
        for _ in range(seconds):
            watch.judged("II", state, None, at(now))
            bad_for, good_for = (bad_for + 1) * (state == "bad"), (good_for + 1) * (state == "good")
            expected = True if bad_for > 10 else False if good_for > 5 else expected
            assert watch.is_alarmed is expected
            now += 1
