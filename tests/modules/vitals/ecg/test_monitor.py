from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from app.core.metrics import Metrics
from app.modules.vitals.ecg.monitor import (
    MOST_THROWN_AWAY,
    MOST_WAITING,
    MOST_WAITING_AT_START,
    ROUNDS_BETWEEN_SLICES,
    EcgMonitor,
)
from app.modules.vitals.ecg.teller import MOST_WAITING as MOST_WAITING_SECONDS
from app.modules.vitals.frames import Beats, Waveform
from app.modules.vitals.observers import arrival
from app.modules.vitals.samples import Numbers
from tests.modules.vitals.ecg.player import BEGAN, Signal, beats, counts, ecg, frames, of_50_ms, quiet
from tests.servers import until

pytestmark = pytest.mark.anyio

RATE = 250.0
PATIENT = "P1"


class Refused(Exception):
    pass


@dataclass
class Notebook:
    """Writes down what it is told; a rate of the patient at the gate only when that is open."""

    rates: list[tuple[str, float, datetime]] = field(default_factory=list)
    beats: list[tuple[str, Beats]] = field(default_factory=list)
    qualities: list[tuple[str, str | None, str, str | None]] = field(default_factory=list)
    asystoles: list[tuple[str, bool, datetime]] = field(default_factory=list)
    gate: anyio.Event | None = None
    refusals: int = 0
    turn: int = 0
    shown_in: list[int] = field(default_factory=list)

    async def take(self, patient_id: str, rates: Sequence[tuple[float, datetime]]) -> None:
        if self.gate is not None and patient_id == PATIENT:
            await self.gate.wait()
        self.rates += [(patient_id, per_minute, measured_at) for per_minute, measured_at in rates]

    def show(self, patient_id: str, beats: Beats) -> None:
        self.beats.append((patient_id, beats))
        self.shown_in.append(self.turn)

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await anyio.lowlevel.checkpoint()

    async def quality(self, patient_id: str, lead: str | None, state: str, reason: str | None, at: datetime) -> None:
        self.qualities.append((patient_id, lead, state, reason))

    async def asystole(self, patient_id: str, *, is_present: bool, at: datetime) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Refused
        self.asystoles.append((patient_id, is_present, at))


class Bedside:
    """A monitor, and devices that send to it."""

    def __init__(self, **settings: float) -> None:
        self.notebook = Notebook()
        self.metrics = Metrics()
        self.monitor = EcgMonitor(self.notebook.take, self.notebook.show, self.metrics, most_patients=3, **settings)
        self.monitor.tell(self.notebook)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.monitor.run)
            yield
            tasks.cancel_scope.cancel()

    async def send(
        self, signal: Signal, *, patient_id: str = PATIENT, since: float = 0, at_once: bool = False, **changes: Any
    ) -> None:
        for waveform in waveforms(signal, **changes):
            if waveform.started_at.timestamp() - BEGAN < since - 0.001:
                continue
            self.monitor.take(patient_id, [arrival(waveform, 0.0)])
            if not at_once:
                await anyio.lowlevel.checkpoint()


def waveforms(signal: Signal, *, began: float = BEGAN, type: str = "ecg", unit: str = "mV") -> Iterator[Waveform]:
    for started_at, samples in frames([signal], RATE, of_50_ms(RATE), began=began):
        yield Waveform(type, RATE, ("II",), samples, unit, datetime.fromtimestamp(started_at, UTC))


def heart_of(rate: float, *, seconds: float) -> Signal:
    return ecg(beats(rate, until=seconds), seconds, RATE)


@pytest.fixture
def bedside() -> Bedside:
    return Bedside()


async def test_rate_quality_and_asystole_are_told_and_what_does_not_change_is_told_once(bedside: Bedside) -> None:
    notebook = bedside.notebook
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: notebook.rates)
        await bedside.send(ecg(beats(75, until=20), 30, RATE), since=8)
        await until(lambda: [present for _, present, _ in notebook.asystoles] == [False, True])
    assert notebook.qualities == [(PATIENT, "II", "good", None)]
    assert {per_minute for _, per_minute, _ in notebook.rates} == {75}
    times = [measured_at.timestamp() - BEGAN for _, _, measured_at in notebook.rates]
    assert times == sorted(set(times))
    assert times == [pytest.approx(round(at), abs=0.001) for at in times]
    last_beat = beats(75, until=20)[-1]
    assert 4 <= notebook.asystoles[-1][2].timestamp() - BEGAN - last_beat <= 6


async def test_one_frame_of_another_device_whose_clock_is_ahead_hides_no_asystole(bedside: Bedside) -> None:
    """Fails when the heart is not told when frames came (checked so)."""
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=15))
        ahead = datetime.fromtimestamp(BEGAN + 15 + 59, UTC)
        of_other = Waveform("ecg", RATE, (None,), counts([quiet(0.1, RATE)]), "mV", ahead)
        bedside.monitor.take(PATIENT, [arrival(of_other, 0.0)])
        await bedside.send(ecg(beats(75, until=15), 25, RATE), since=15)
        await until(lambda: [present for _, present, _ in bedside.notebook.asystoles] == [False, True])


async def test_each_beat_is_shown_once_with_its_lead(bedside: Bedside) -> None:
    notebook = bedside.notebook
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=30))
        await until(lambda: notebook.rates[-1:] and notebook.rates[-1][2].timestamp() > BEGAN + 29)
    assert {(patient_id, told.lead) for patient_id, told in notebook.beats} == {(PATIENT, "II")}
    shown = [at.timestamp() - BEGAN for _, told in notebook.beats for at in told.times]
    # A second of signal has the last word on beats up to 0.3 s before its end.
    assert shown == pytest.approx([at for at in beats(75, until=30) if at <= 29.7], abs=0.02)
    assert len(shown) == bedside.count("tocsin_ecg_beats_total")
    # The first message has those of the seconds in which there was too little signal, and each other one its own.
    assert max(len(told.times) for _, told in notebook.beats[1:]) <= 2


async def test_while_the_signal_is_bad_no_beat_is_shown(bedside: Bedside) -> None:
    signal = heart_of(75, seconds=30)
    bad = slice(round(12 * RATE), round(20 * RATE))
    signal[bad] = quiet(8, RATE, noise=1)
    async with bedside.running():
        await bedside.send(signal)
        await until(lambda: bedside.notebook.rates[-1:] and bedside.notebook.rates[-1][2].timestamp() > BEGAN + 29)
    assert (PATIENT, "II", "bad", "noise") in bedside.notebook.qualities
    shown = [at.timestamp() - BEGAN for _, told in bedside.notebook.beats for at in told.times]
    assert [at for at in shown if 14 < at < 20] == []
    assert min(shown) < 12
    assert max(shown) > 28


async def test_other_waveforms_are_passed_over(bedside: Bedside) -> None:
    await bedside.send(heart_of(75, seconds=8), type="pleth")
    assert len(bedside.monitor) == 0


async def test_what_could_not_be_told_is_told_again(bedside: Bedside) -> None:
    bedside.notebook.refusals = 1
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8), at_once=True)
        await until(lambda: [present for _, present, _ in bedside.notebook.asystoles] == [False])
        await until(lambda: bedside.notebook.rates)
    assert bedside.count("tocsin_worker_failures_total", worker="ecg_teller") == 1


async def test_rates_that_had_to_wait_are_told_in_order_and_of_too_many_the_oldest_are_counted(
    bedside: Bedside,
) -> None:
    seconds = MOST_WAITING_SECONDS + 60
    bedside.notebook.gate = anyio.Event()
    async with bedside.running():
        # A little more than whole seconds: whether the last one is complete must not hang on a rounded number.
        await bedside.send(heart_of(75, seconds=8.2))
        await until(lambda: bedside.count("tocsin_ecg_beats_total") >= 9)
        await bedside.send(heart_of(75, seconds=seconds + 0.2), since=8.2)
        await until(lambda: bedside.count("tocsin_ecg_beats_total") >= 1.25 * seconds - 2)
        bedside.notebook.gate.set()
        await until(
            lambda: bedside.notebook.rates[-1:] and bedside.notebook.rates[-1][2].timestamp() > BEGAN + seconds - 1
        )
    times = [at.timestamp() - BEGAN for _, _, at in bedside.notebook.rates]
    assert times == sorted(set(times))
    assert times[-MOST_WAITING_SECONDS:] == pytest.approx(
        range(seconds - MOST_WAITING_SECONDS + 1, seconds + 1), abs=0.001
    )
    assert bedside.count("tocsin_ecg_skipped_total", what="rates") == pytest.approx(60, abs=10)


async def test_a_recording_that_is_played_fast_has_a_rate_for_each_second(bedside: Bedside) -> None:
    """Fails when all that waits is examined as one (checked so)."""
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=100.2), at_once=True)
        await until(lambda: bedside.notebook.rates[-1:] and bedside.notebook.rates[-1][2].timestamp() > BEGAN + 99)
    times = [round(at.timestamp() - BEGAN) for _, _, at in bedside.notebook.rates]
    assert times == list(range(times[0], 101))
    assert times[0] < 10


@pytest.mark.parametrize(("slice_seconds", "is_one_by_one"), [(0, True), (3600, False)])
async def test_after_each_slice_others_have_their_turn(slice_seconds: float, is_one_by_one: bool) -> None:
    bedside = Bedside(slice_seconds=slice_seconds)
    notebook = bedside.notebook
    async with bedside.running(), anyio.create_task_group() as tasks:
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: notebook.rates)
        tasks.start_soon(notebook.count_turns)
        await bedside.send(heart_of(75, seconds=100), since=8, at_once=True)
        await until(lambda: notebook.beats[-1][1].times[-1].timestamp() > BEGAN + 98)
        tasks.cancel_scope.cancel()
    rounds = notebook.shown_in[-80:]
    between = {later - earlier for earlier, later in pairwise(rounds)}
    if is_one_by_one:
        # Give or take the round in which it is counted, which may come before or after the slice.
        assert min(between) >= ROUNDS_BETWEEN_SLICES - 1
    else:
        assert between == {0}


async def test_a_patient_whose_news_wait_holds_up_nobody_else(bedside: Bedside) -> None:
    bedside.notebook.gate = anyio.Event()
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8.2))
        await until(lambda: bedside.count("tocsin_ecg_beats_total") >= 9)
        await bedside.send(ecg(beats(75, until=8), 15, RATE), patient_id="P2")
        await until(lambda: ("P2", True) in [(patient, present) for patient, present, _ in bedside.notebook.asystoles])
        assert {patient for patient, _, _ in bedside.notebook.rates} == {"P2"}


async def test_signal_that_comes_faster_than_it_is_examined_is_bounded_and_counted() -> None:
    bedside = Bedside(catch_up_seconds=0)
    minutes = 5
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: bedside.notebook.rates)
        await bedside.send(heart_of(75, seconds=60 * minutes), since=8, at_once=True)
        assert bedside.count("tocsin_ecg_skipped_total", what="frames") == pytest.approx(
            ((60 * minutes - 8) * RATE - MOST_WAITING) / 12.5, abs=60
        )
        await until(
            lambda: bedside.notebook.rates[-1:] and bedside.notebook.rates[-1][2].timestamp() > BEGAN + 60 * minutes - 1
        )


async def test_of_what_comes_while_the_analysis_is_loaded_each_second_is_examined() -> None:
    """Fails without `MOST_WAITING_AT_START`, and where what has waited is late (checked so, each)."""
    bedside = Bedside(late_seconds=0)
    seconds = 250
    assert seconds * RATE > MOST_WAITING
    await bedside.send(heart_of(75, seconds=seconds + 0.2), at_once=True)
    async with bedside.running():
        await until(
            lambda: bedside.notebook.rates[-1:] and bedside.notebook.rates[-1][2].timestamp() > BEGAN + seconds - 1
        )
    times = [round(at.timestamp() - BEGAN) for _, _, at in bedside.notebook.rates]
    assert times == list(range(times[0], seconds + 1))
    assert times[0] < 10
    assert bedside.count("tocsin_ecg_skipped_total", what="frames") == 0


@pytest.mark.parametrize("rate", [60, 75, 77, 113])
async def test_what_has_waited_too_long_is_examined_nine_seconds_at_a_time_and_no_beat_is_lost(rate: float) -> None:
    """Fails for 77 and 113 where a stretch is as long as what is looked at, 10 s: nothing is seen at its edges."""
    bedside = Bedside(catch_up_seconds=0, late_seconds=0)
    async with bedside.running():
        await bedside.send(heart_of(rate, seconds=8))
        await until(lambda: bedside.notebook.rates)
        await bedside.send(heart_of(rate, seconds=150.2), since=8, at_once=True)
        await until(lambda: bedside.notebook.rates[-1][2].timestamp() > BEGAN + 149)
    later = [at for _, _, at in bedside.notebook.rates if at.timestamp() > BEGAN + 9]
    assert len(later) <= 17
    times = sorted(at.timestamp() for _, shown in bedside.notebook.beats for at in shown.times)
    assert max(after - before for before, after in pairwise(times)) == pytest.approx(60 / rate, abs=0.05)
    assert times[-1] > BEGAN + 148.5


def minutes_of_signal(minutes: int) -> Iterator[Waveform]:
    """In frames of 4 s, a thousand samples each."""
    samples = counts([np.zeros(1000)])
    for number in range(15 * minutes):
        yield Waveform("ecg", RATE, ("II",), samples, "mV", datetime.fromtimestamp(BEGAN + 4 * number, UTC))


async def test_what_waits_for_the_analysis_to_be_loaded_is_bounded_and_counted(bedside: Bedside) -> None:
    for waveform in minutes_of_signal(130):
        bedside.monitor.take(PATIENT, [arrival(waveform, 0.0)])
    left_out = bedside.count("tocsin_ecg_skipped_total", what="frames")
    assert left_out == 130 * 15 - MOST_WAITING_AT_START / 1000


async def test_what_is_too_much_later_is_thrown_away_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where all of it is at once, which holds the event loop (checked so)."""
    bedside = Bedside(catch_up_seconds=0)
    monkeypatch.setitem(sys.modules, "app.modules.vitals.ecg.heart", None)
    frames = list(minutes_of_signal(20))
    bedside.monitor.take(PATIENT, [arrival(waveform, 0.0) for waveform in frames])
    with pytest.raises(ImportError):
        await bedside.monitor.run()
    left_out = []
    for waveform in minutes_of_signal(8):
        bedside.monitor.take(PATIENT, [arrival(waveform, 0.0)])
        left_out.append(bedside.count("tocsin_ecg_skipped_total", what="frames"))
    assert {after - before for before, after in pairwise([0.0, *left_out])} == {MOST_THROWN_AWAY, 1}
    assert left_out[-1] == 28 * 15 - MOST_WAITING / 1000


async def test_no_more_than_usual_waits_for_an_analysis_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bedside = Bedside(catch_up_seconds=0)
    monkeypatch.setitem(sys.modules, "app.modules.vitals.ecg.heart", None)
    for waveform in minutes_of_signal(5):
        bedside.monitor.take(PATIENT, [arrival(waveform, 0.0)])
    with pytest.raises(ImportError):
        await bedside.monitor.run()
    for waveform in minutes_of_signal(1):
        bedside.monitor.take(PATIENT, [arrival(waveform, 0.0)])
    left_out = bedside.count("tocsin_ecg_skipped_total", what="frames")
    assert left_out == 6 * 15 - MOST_WAITING / 1000


async def test_patients_who_send_nothing_any_more_are_forgotten_and_that_is_told(bedside: Bedside) -> None:
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: bedside.notebook.rates)

        def is_forgotten() -> bool:
            # Nobody is while there is signal to be examined.
            bedside.monitor.forget_silent(anyio.current_time() + 1)
            return len(bedside.monitor) == 0

        await until(is_forgotten)
        await until(lambda: bedside.notebook.qualities[-1] == (PATIENT, "II", "unknown", None))


async def test_no_more_patients_are_followed_than_there_is_room_for(bedside: Bedside) -> None:
    for number in range(5):
        await bedside.send(heart_of(75, seconds=0.05), patient_id=f"P{number}")
    assert len(bedside.monitor) == 3
    assert bedside.count("tocsin_ecg_skipped_total", what="frames") == 2


async def test_one_patients_broken_data_stop_nobody_elses_analysis(bedside: Bedside) -> None:
    async with bedside.running():
        await bedside.send(heart_of(75, seconds=2), patient_id="broken", unit="furlong")
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: bedside.notebook.rates)
    assert bedside.count("tocsin_worker_failures_total", worker="ecg") >= 1
    assert {patient for patient, _, _ in bedside.notebook.rates} == {PATIENT}


async def test_a_device_whose_clock_was_put_back_is_still_looked_at(bedside: Bedside) -> None:
    past = BEGAN - 3600

    async with bedside.running():
        await bedside.send(heart_of(75, seconds=8))
        await until(lambda: bedside.notebook.rates)
        upcoming = waveforms(heart_of(75, seconds=300), began=past)

        def is_told_of_the_past() -> bool:
            bedside.monitor.take(PATIENT, [arrival(next(upcoming), 0.0)])
            return bedside.notebook.rates[-1][2].timestamp() < BEGAN

        await until(is_told_of_the_past)


async def test_microvolts_in_json_are_as_good(bedside: Bedside) -> None:
    async with bedside.running():
        for waveform in waveforms(heart_of(60, seconds=10)):
            row = tuple(value * 1000 for value in waveform.samples.values())
            in_microvolts = Waveform("ecg", RATE, (None,), Numbers((row,)), "uV", waveform.started_at, None)
            bedside.monitor.take(PATIENT, [arrival(in_microvolts, 0.0)])
            await anyio.lowlevel.checkpoint()
        await until(lambda: bedside.notebook.rates)
    assert bedside.notebook.rates[-1][1] == 60
    assert bedside.notebook.qualities == [(PATIENT, None, "good", None)]
