from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.modules.vitals.encoding import encode_json, encode_msgpack
from app.modules.vitals.frames import Beats, Reading, Waveform
from app.modules.vitals.renditions import Choice, Format, Rendition
from app.modules.vitals.samples import Numbers
from app.modules.vitals.shared_frame import SharedFrame

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def reading(value: float, type: str = "pulse") -> Reading:
    return Reading(type, value, "/min", MOMENT + timedelta(seconds=value))


def payload(frame: SharedFrame | None) -> bytes | None:
    return None if frame is None else frame.data


def test_without_a_limit_every_frame_is_shown_in_the_form_that_was_chosen() -> None:
    waveform = Waveform("ecg", 500, ("II",), Numbers(((0.5, 1.0),)), "mV", MOMENT)
    for frame in (reading(1), reading(1), waveform):
        assert payload(Rendition("P1", Choice(), bytes).take(frame, 0)) == encode_json("P1", frame)
        assert payload(Rendition("P1", Choice(Format.BINARY), bytes).take(frame, 0)) == encode_msgpack("P1", frame)


def test_a_curve_is_thinned_to_the_rate() -> None:
    waveform = Waveform("ecg", 500, ("II",), Numbers(((0.0, 3.0, 0.0, 0.0),)), "mV", MOMENT)
    fewer = Waveform("ecg", 250, ("II",), Numbers(((3.0, 0.0),)), "mV", MOMENT)
    assert payload(Rendition("P1", Choice(most_hz=250), bytes).take(waveform, 0)) == encode_json("P1", fewer)


def test_beats_are_for_those_who_ask_for_them_and_are_not_thinned() -> None:
    at_a_time = [Beats("II", (MOMENT + timedelta(seconds=number),)) for number in range(3)]
    for choice in (Choice(), Choice(most_hz=100)):
        rendition = Rendition("P1", choice, bytes)
        assert [rendition.take(beats, 0) for beats in at_a_time] == [None] * 3
        assert rendition.due_at() is None
    for choice in (Choice(has_beats=True), Choice(most_hz=0.1, has_beats=True)):
        rendition = Rendition("P1", choice, bytes)
        shown = [payload(rendition.take(beats, 0)) for beats in at_a_time]
        assert shown == [encode_json("P1", beats) for beats in at_a_time]


def test_a_numeric_that_comes_too_soon_waits_and_the_newest_wins() -> None:
    rendition = Rendition("P1", Choice(most_hz=0.5), bytes)
    assert rendition.due_at() is None
    assert rendition.take(reading(1), 10) is not None
    assert rendition.take(reading(2), 10.5) is None
    assert rendition.take(reading(4), 11) is None
    assert rendition.take(reading(3), 11.5) is None
    assert rendition.take(reading(1, "heart_rate"), 11.5) is not None
    assert rendition.due_at() == 12
    assert list(rendition.take_due(11.9)) == []
    assert [payload(frame) for frame in rendition.take_due(12)] == [encode_json("P1", reading(4))]
    assert rendition.due_at() is None
    assert rendition.take(reading(5), 13) is None
    assert payload(rendition.take(reading(6), 14)) == encode_json("P1", reading(6))
    assert rendition.due_at() is None


@given(st.lists(st.floats(0, 0.4), max_size=60), st.floats(0.5, 20))
def test_numerics_keep_to_the_rate_and_the_last_one_is_always_shown(pauses: list[float], most_hz: float) -> None:
    rendition, now, shown = Rendition("P1", Choice(most_hz=most_hz), bytes), 0.0, []
    for number, pause in enumerate(pauses):
        now += pause
        while (due_at := rendition.due_at()) is not None and due_at <= now:
            shown += [(due_at, payload(frame)) for frame in rendition.take_due(due_at)]
        frame = rendition.take(reading(number), now)
        if frame is not None:
            shown.append((now, payload(frame)))
    while (due_at := rendition.due_at()) is not None:
        shown += [(due_at, payload(frame)) for frame in rendition.take_due(due_at)]
    times = [at for at, _ in shown]
    assert all(later - earlier >= 1 / most_hz * (1 - 1e-9) for earlier, later in itertools.pairwise(times))
    assert [payload for _, payload in shown][-1:] == [encode_json("P1", reading(len(pauses) - 1))][: len(pauses)]
