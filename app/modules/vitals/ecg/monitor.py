"""Runs the analysis of every patient's ECG beside everything else, and tells what it finds."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from math import inf
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import structlog

from app.core.metrics import Metrics
from app.modules.vitals.ecg.teller import EcgListener, RecordRates, Teller
from app.modules.vitals.frames import Beats, Waveform
from app.modules.vitals.observers import Received
from app.modules.vitals.tracks import MOST_PATIENTS

if TYPE_CHECKING:
    from app.modules.vitals.ecg.heart import Heart

#: Samples that wait for one patient, all leads together: 16 s of three leads at 1000 Hz. Ordinarily a second's wait.
MOST_WAITING: Final = 48_000

#: The same while the analysis is being loaded, and for `CATCH_UP_SECONDS` after it: in that second or two a recording
#: that is replayed fast comes in, and half an hour of two leads at 360 Hz is 1.3 million samples. In frames of 50 ms
#: it weighs 13 MB, as much as may wait 19 MB, or 95 MB in JSON: for one patient, and only as fast as it can be sent.
MOST_WAITING_AT_START: Final = 40 * MOST_WAITING

#: For so long after the analysis was loaded each second that waits is examined, and nothing for being late.
CATCH_UP_SECONDS: Final = 30.0

#: Signal that has waited for so long is examined in long stretches: what is new counts more then than each second's
#: rate. An examination is of ten seconds, of which the first and the last show no beat that peaks at their very edge:
#: where each reaches a second back into the one before, no beat is lost.
LATE_SECONDS: Final = 2.0
LATE_STRETCH_SECONDS: Final = 9.0

#: Frames that are thrown away for each that comes, where too many wait: when less may wait than before, as some time
#: after the start, all that is too much at once would hold the event loop for a third of a second.
MOST_THROWN_AWAY: Final = 4

#: Patients are examined one after another for so long before others have their turn. The invariant is 10 ms; those that
#: are examined in a row find the analysis in the processor's caches, which was measured to take a seventh off a core
#: that follows 1,000.
SLICE_SECONDS: Final = 0.002

#: Then the event loop goes round so often before the next patient. What goes by several of its rounds, as an alert does
#: that is stored and told, would otherwise wait a slice at each: with 600 devices, whose seconds come due together, one
#: alert in a hundred took 108 ms with one round between slices, and 53 ms with three, in the same hour. A core with
#: 1,000 is no busier.
ROUNDS_BETWEEN_SLICES: Final = 3

#: A patient who has sent no ECG for so long is forgotten.
FORGOTTEN_SECONDS: Final = 60.0

#: A patient is looked at this long after the last time at the latest, whatever the device's clock says.
LATEST_LOOK_SECONDS: Final = 2.0

#: What one unit of an ECG is in millivolts.
_MILLIVOLTS: Final = {"mV": 1.0, "uV": 0.001}

#: Shows viewers a patient's beats, each once; returns at once.
ShowBeats = Callable[[str, Beats], None]

_log = structlog.get_logger(__name__)


def is_installed() -> bool:
    """Whether the extra `ecg` is; it is not loaded before it is needed, because it takes a second and 90 MB."""
    return find_spec("sleepecg") is not None


class _Patient:
    """One patient's frames on their way in."""

    def __init__(self, patient_id: str) -> None:
        self.id = patient_id
        self.frames: deque[tuple[float, Waveform]] = deque()
        self.waiting_samples = 0
        self.heart: Heart | None = None
        self.is_due = False
        self.due_at = -inf
        self.heard_at = self.looked_at = -inf

    def take_oldest(self) -> tuple[float, Waveform]:
        """The frame that came first, which is taken out, and when it came."""
        heard_at, oldest = self.frames.popleft()
        self.waiting_samples -= oldest.samples.length * len(oldest.leads)
        return heard_at, oldest

    def throw_away(self, samples: int, *, frames: int) -> int:
        """Throw away the oldest frames until no more samples than these wait, so many at most; tells how many."""
        before = len(self.frames)
        for _ in range(min(frames, before - 1)):
            if self.waiting_samples <= samples:
                break
            self.take_oldest()
        return before - len(self.frames)


class EcgMonitor:
    """Follows the hearts of all patients whose ECG comes to this node.

    A patient is examined when a second of signal is complete, on the event loop, a few in a row and with
    everybody else's turn in between. A thread was measured to cost a tenth more and to spare the loop little.
    When there is too little time, nine seconds of signal are examined as one.

    Args:
        late_seconds: see `LATE_SECONDS`; `catch_up_seconds` and `slice_seconds` likewise.
    """

    def __init__(
        self,
        record: RecordRates,
        show: ShowBeats,
        metrics: Metrics,
        *,
        most_patients: int = MOST_PATIENTS,
        late_seconds: float = LATE_SECONDS,
        catch_up_seconds: float = CATCH_UP_SECONDS,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._show = show
        self._metrics = metrics
        self._most_patients = most_patients
        self._late_seconds = late_seconds
        self._catch_up_seconds = catch_up_seconds
        self._slice_seconds = slice_seconds
        self._frames_skipped = metrics.ecg_skipped.labels(what="frames")
        self._teller = Teller(record, metrics)
        self._patients: dict[str, _Patient] = {}
        self._due: deque[_Patient] = deque()
        self._came_due = asyncio.Event()
        self._catches_up_until = inf

    def __len__(self) -> int:
        """How many patients it follows."""
        return len(self._patients)

    def tell(self, listener: EcgListener) -> None:
        """Tell it what is found from now on."""
        self._teller.add(listener)

    def take(self, patient_id: str, received: Received) -> None:
        """Keep frames until their second is complete; anything but an ECG is passed over."""
        frames = [waveform for waveform, _, _ in received if waveform.type == "ecg"]
        if not frames:
            return
        patient = self._patients.get(patient_id)
        if patient is None:
            if len(self._patients) >= self._most_patients:
                self._frames_skipped.inc(len(frames))
                return
            patient = self._patients[patient_id] = _Patient(patient_id)
        now = patient.heard_at = asyncio.get_running_loop().time()
        for waveform in frames:
            patient.frames.append((now, waveform))
            patient.waiting_samples += waveform.samples.length * len(waveform.leads)
        most = MOST_WAITING_AT_START if now < self._catches_up_until else MOST_WAITING
        if patient.waiting_samples > most:
            self._frames_skipped.inc(patient.throw_away(most, frames=MOST_THROWN_AWAY * len(frames)))
        if not patient.is_due:
            newest = frames[-1]
            ends_at = newest.started_at.timestamp() + newest.samples.length / newest.sample_rate_hz
            if ends_at >= patient.due_at or now - patient.looked_at > LATEST_LOOK_SECONDS:
                patient.is_due = True
                self._due.append(patient)
                self._came_due.set()

    async def run(self) -> None:
        """Examine and tell for ever; until the first ECG comes, nothing is loaded and nothing runs."""
        await self._any_due()
        try:
            module = await anyio.to_thread.run_sync(import_module, "app.modules.vitals.ecg.heart")
        finally:
            # One that cannot be loaded is tried again for ever, and must not have ever more wait for it.
            loaded_at = asyncio.get_running_loop().time()
            self._catches_up_until = min(self._catches_up_until, loaded_at + self._catch_up_seconds)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._teller.run)
            tasks.start_soon(self._forget_silent)
            await self._examine_due(module.Heart)

    async def _any_due(self) -> None:
        while not self._due:
            self._came_due.clear()
            await self._came_due.wait()

    async def _examine_due(self, new_heart: Callable[[], Heart]) -> None:
        while True:
            await self._any_due()
            until = time.perf_counter() + self._slice_seconds
            self._examine_next(new_heart)
            while self._due and time.perf_counter() < until:
                self._examine_next(new_heart)
            for _ in range(ROUNDS_BETWEEN_SLICES):
                await asyncio.sleep(0)

    def _examine_next(self, new_heart: Callable[[], Heart]) -> None:
        patient = self._due.popleft()
        patient.is_due = False
        if patient.heart is None:
            patient.heart = new_heart()
        try:
            self._examine(patient, patient.heart)
        except Exception:
            # One patient's data must not keep the others from being examined; theirs begin anew.
            patient.heart = None
            self._metrics.worker_failures.labels(worker="ecg").inc()
            _log.exception("ecg.examination_failed")

    def _examine(self, patient: _Patient, heart: Heart) -> None:
        """Examine the next second of a patient, or the next nine where they have waited too long."""
        now = patient.looked_at = asyncio.get_running_loop().time()
        has_caught_up = now >= self._catches_up_until
        is_late = has_caught_up and bool(patient.frames) and now - patient.frames[0][0] > self._late_seconds
        stretch = LATE_STRETCH_SECONDS - 1 if is_late else 0
        second = None
        while patient.frames and second is None:
            heard_at, frame = patient.take_oldest()
            started_at, millivolts = frame.started_at.timestamp(), _MILLIVOLTS[frame.unit]
            heart.take(
                frame.leads, frame.sample_rate_hz, started_at, frame.samples, millivolts=millivolts, heard_at=heard_at
            )
            ends_at = started_at + frame.samples.length / frame.sample_rate_hz
            if ends_at >= heart.due_at + stretch or not patient.frames:
                second = heart.look()
        patient.due_at = heart.due_at
        if second is not None:
            self._metrics.ecg_beats.inc(len(second.beats))
            if second.beats:
                times = tuple(datetime.fromtimestamp(at, UTC) for at in second.beats)
                self._show(patient.id, Beats(second.quality.lead, times))
            self._teller.put(patient.id, second)
        if patient.frames:
            patient.is_due = True
            self._due.append(patient)

    async def _forget_silent(self) -> None:
        """Give back, for ever, what is kept of patients who send no ECG any more."""
        while True:
            await anyio.sleep(FORGOTTEN_SECONDS / 4)
            self.forget_silent(asyncio.get_running_loop().time() - FORGOTTEN_SECONDS)

    def forget_silent(self, since: float) -> None:
        """Forget the patients of whom nothing has been heard since then, by the loop's clock."""
        for patient in [it for it in self._patients.values() if it.heard_at < since and not it.is_due]:
            del self._patients[patient.id]
            self._teller.forget(patient.id)
