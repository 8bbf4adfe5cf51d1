"""Keeps the last minute of every waveform in memory, bounded whatever devices send."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

from app.core.clock import Clock
from app.modules.strips.chunks import CHUNK_SECONDS, SLACK_SECONDS, Chunk, Shape
from app.modules.strips.strip import Segment, Trace, crop, fits, grid_for, join, quantise
from app.modules.vitals.service import Counts, Waveform

#: How much is kept of each lead, in the device's time; the oldest chunk goes when all of it is older.
KEPT_SECONDS = 60.0

#: Of one patient: 16 leads at 1000 Hz, or one at 500 Hz thirty times over.
PATIENT_BYTES = 2 << 20

#: Sets of leads of one patient; a monitor sends three or four.
MOST_TRACKS = 32

#: A patient of whom nothing came for so long is forgotten.
QUIET_SECONDS = 120.0

#: A device's clock may be off by so much. What seems to be older when it comes is a recording, or the clock is so
#: wrong that it cannot be told from one.
FURTHEST_OFF_SECONDS = 60.0

#: Clocks that are apart by less than this are taken for the same one, so that leads stay aligned.
SAME_CLOCK_SECONDS = 0.25

#: Scales, sizes of a count in any unit, that can be meant: with them all that is calculated stays finite.
SMALLEST_SCALE, LARGEST_SCALE = 1e-12, 1e12

#: A frame that contradicts what is held, and is late by more than this, shows that the clock was set back.
SET_BACK_SECONDS = 2.0


_Track = list[Chunk]


class _Patient:
    """The chunks of one patient: of each type and set of leads, in the order of their times."""

    __slots__ = ("heard_at", "size", "tracks")

    def __init__(self) -> None:
        self.tracks: dict[tuple[str, tuple[str | None, ...]], _Track] = {}
        self.size = 0
        self.heard_at = 0.0


class Recorder:
    """The last minute of each waveform of every patient whose device sends to this node."""

    def __init__(self, clock: Clock, *, limit_bytes: int) -> None:
        self._clock = clock
        self._limit_bytes = limit_bytes
        # Who was heard last stands last.
        self._patients: dict[str, _Patient] = {}

    def __len__(self) -> int:
        """How many patients are remembered."""
        return len(self._patients)

    @property
    def size(self) -> int:
        """What is held, in bytes, about."""
        return sum(patient.size for patient in self._patients.values())

    def knows(self, patient_id: str) -> bool:
        """Whether anything of this patient is held."""
        return patient_id in self._patients

    def take(self, patient_id: str, waveform: Waveform) -> None:
        """Keep a frame, once and at its place in time; the oldest go for it."""
        now = self._clock.now().timestamp()
        samples, rate, started_at = waveform.samples, waveform.sample_rate_hz, waveform.started_at
        length = samples.length
        start = started_at.timestamp()
        end = start + length / rate
        delay = now - end
        if not -FURTHEST_OFF_SECONDS < delay < FURTHEST_OFF_SECONDS:
            return
        patient = self._patients.pop(patient_id, None) or _Patient()
        self._patients[patient_id] = patient
        patient.heard_at = now
        track = patient.tracks.get((waveform.type, waveform.leads))
        last = track[-1] if track else None
        if isinstance(samples, Counts):
            data, scales, offsets = samples.data, samples.scales, samples.offsets
        else:
            data, scales, offsets = _quantised(waveform, last)
        shape = (rate, waveform.unit, scales, offsets)
        # What nearly every frame does, in short: it follows the last one.
        if last is not None:
            apart = abs(start - last.end)
            if (
                apart <= SLACK_SECONDS
                and apart + apart <= end - start
                and end - last.start <= CHUNK_SECONDS
                and shape == last.shape
            ):
                patient.size += last.add(data, length, delay, now)
                if patient.size > PATIENT_BYTES:
                    self._make_room(patient, now)
                return
        if not _is_meant(scales, offsets):
            return
        frame = Chunk(started_at, start, Shape(*shape), data, length, delay, now)
        if track is None:
            track = _new_track(patient, waveform)
        patient.size += _place(track, frame)
        self._make_room(patient, now)

    def cut(self, patient_id: str, since: datetime, until: datetime) -> tuple[Trace, ...]:
        """What was measured from one moment up to another, both by our clock.

        Where a device's clock differs from ours, its times are moved by as much.
        """
        patient = self._patients.get(patient_id)
        if patient is None:
            return ()
        delays = {key: min(chunk.delay for chunk in track) for key, track in patient.tracks.items()}
        pieces: dict[tuple[str, str | None, str], list[tuple[Segment, float]]] = {}
        for (kind, leads), track in patient.tracks.items():
            delay = _of_one_clock(delays[kind, leads], delays.values())
            first, last = since.timestamp() - delay, until.timestamp() - delay
            for chunk in track:
                if chunk.end <= first or chunk.start >= last:
                    continue
                for lead, segment in zip(leads, chunk.segments(delay), strict=True):
                    pieces.setdefault((kind, lead, chunk.shape.unit), []).append((segment, chunk.slack))
        # They are joined first: where frames overlap, the ends of those that are cut off would be in doubt.
        traces = (Trace(*key, crop(join(of_lead), since, until)) for key, of_lead in pieces.items())
        return tuple(trace for trace in traces if trace.segments)

    def forget_quiet(self) -> None:
        """Forget the patients of whom nothing has come for long."""
        now = self._clock.now().timestamp()
        while self._patients:
            patient_id, patient = next(iter(self._patients.items()))
            if now - patient.heard_at < QUIET_SECONDS:
                return
            del self._patients[patient_id]

    def _make_room(self, patient: _Patient, now: float) -> None:
        """Let go what is older than is kept, and the oldest where one patient takes more than their share."""
        for key, track in list(patient.tracks.items()):
            oldest, is_quiet = track[-1].end - KEPT_SECONDS, now - track[-1].heard_at > KEPT_SECONDS
            while track and (track[0].end <= oldest or is_quiet):
                _drop_first(patient, key)
        share = min(PATIENT_BYTES, self._limit_bytes // len(self._patients))
        while patient.size > share:
            _drop_first(patient, min(patient.tracks, key=lambda key: patient.tracks[key][0].end))


def _place(track: _Track, frame: Chunk) -> int:
    """Put a frame that does not follow the last one where it belongs, and say by how much that grew, in bytes."""
    at = bisect_right(track, frame.start + 0.5 / frame.shape.sample_rate_hz, key=lambda chunk: chunk.start)
    before = track[at - 1] if at else None
    grown = 0
    if before is not None and before.covers(frame):
        is_late = frame.delay - before.delay > SET_BACK_SECONDS
        if not is_late or before.repeats(frame) or frame.heard_at - track[-1].heard_at < CHUNK_SECONDS:
            return 0
        # The clock was set back: what was held is of a time that comes again.
        grown = -sum(chunk.size for chunk in track)
        track.clear()
        at = 0
    track.insert(at, frame)
    return grown + frame.size


def _new_track(patient: _Patient, waveform: Waveform) -> _Track:
    """A place for a set of leads; one that was quiet the longest may have to go for it."""
    if len(patient.tracks) == MOST_TRACKS:
        quietest = min(patient.tracks, key=lambda key: patient.tracks[key][-1].heard_at)
        patient.size -= sum(chunk.size for chunk in patient.tracks.pop(quietest))
    return patient.tracks.setdefault((waveform.type, waveform.leads), [])


def _drop_first(patient: _Patient, key: tuple[str, tuple[str | None, ...]]) -> None:
    track = patient.tracks[key]
    patient.size -= track.pop(0).size
    if not track:
        del patient.tracks[key]


def _is_meant(scales: Iterable[float], offsets: Iterable[float]) -> bool:
    """Whether these can be the scales and offsets of something that was measured."""
    return all(SMALLEST_SCALE <= abs(scale) <= LARGEST_SCALE for scale in scales) and all(
        abs(offset) <= LARGEST_SCALE for offset in offsets
    )


def _quantised(waveform: Waveform, last: Chunk | None) -> tuple[bytes, tuple[float, ...], tuple[float, ...]]:
    """The counts of a frame that came as values; with the scale and offset of the frames before, where they will do."""
    unit = waveform.unit
    data, grids = [], []
    for lead in range(len(waveform.leads)):
        values = waveform.samples.values(lead)
        if last is not None and fits(values, last.shape.scales[lead], last.shape.offsets[lead], unit):
            grid = last.shape.scales[lead], last.shape.offsets[lead]
        else:
            grid = grid_for(values, unit)
        data.append(quantise(values, *grid))
        grids.append(grid)
    scales, offsets = zip(*grids, strict=True)
    return b"".join(data), scales, offsets


def _of_one_clock(delay: float, delays: Iterable[float]) -> float:
    """The shortest delay of those that differ from this one so little that they are of the same clock."""
    return min(other for other in delays if delay - other < SAME_CLOCK_SECONDS)
