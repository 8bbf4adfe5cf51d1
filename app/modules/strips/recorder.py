"""Keeps the last minute of every waveform in memory, bounded whatever devices send."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

import msgspec

from app.core.clock import Clock
from app.modules.strips.chunks import CHUNK_SECONDS, SLACK_SECONDS, Chunk, Shape
from app.modules.strips.strip import BYTES_PER_SAMPLE, Segment, Trace, crop, fits, grid_for, join, quantise
from app.modules.vitals.service import Counts, Numbers, Received, Waveform

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

    def take(self, patient_id: str, received: Received) -> None:
        """Keep frames, each once and at its place in time; the oldest go for them."""
        at = 0
        while at < len(received):
            at = self._take_some(patient_id, received, at)

    def _take_some(self, patient_id: str, received: Received, at: int) -> int:
        """Keep the frame with this number, and those that follow it in its chunk; gives the number of the next one."""
        waveform, start, received_at = received[at]
        patient = self._patients.get(patient_id)
        track = None if patient is None else patient.tracks.get((waveform.type, waveform.leads))
        last = track[-1] if track else None
        if patient is not None and last is not None:
            frames, lengths, delay = _following(last, received, at)
            if frames:
                at += len(frames)
                patient.heard_at = received[at - 1][2]
                patient.size += last.add(frames, lengths, delay, patient.heard_at)
                if patient.size > PATIENT_BYTES:
                    self._make_room(patient, patient.heard_at)
                return at
        samples = waveform.samples
        if isinstance(samples, Numbers):
            self._take_some(patient_id, [(_quantised(waveform, samples, last), start, received_at)], 0)
        else:
            self._begin_chunk(patient_id, waveform, samples, start, received_at)
        return at + 1

    def _begin_chunk(
        self, patient_id: str, waveform: Waveform, samples: Counts, start: float, received_at: float
    ) -> None:
        """Keep a frame that does not follow the last one."""
        delay = received_at - start - samples.length / waveform.sample_rate_hz
        if not -FURTHEST_OFF_SECONDS < delay < FURTHEST_OFF_SECONDS:
            return
        patient = self._patients.get(patient_id) or self._patients.setdefault(patient_id, _Patient())
        patient.heard_at = received_at
        if not _is_meant(samples.scales, samples.offsets):
            return
        shape = Shape(waveform.sample_rate_hz, waveform.unit, samples.scales, samples.offsets)
        frame = Chunk(waveform.started_at, start, shape, samples.data, samples.length, delay, received_at)
        track = patient.tracks.get((waveform.type, waveform.leads))
        if track is None:
            track = _new_track(patient, waveform)
        patient.size += _place(track, frame)
        self._make_room(patient, received_at)

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
        quiet_since = self._clock.now().timestamp() - QUIET_SECONDS
        for patient_id in [key for key, it in self._patients.items() if it.heard_at <= quiet_since]:
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


def _following(last: Chunk, received: Received, at: int) -> tuple[list[bytes], list[int], float]:
    """The frames from this number on that follow a chunk, which nearly all do; their lengths, and the least delay."""
    # Every frame of every patient comes through here: what is the same for all of them is looked up once.
    rate, unit, scales, offsets = last.shape
    bytes_per_sample = BYTES_PER_SAMPLE * len(scales)
    end, latest, least_delay = last.end, last.start + CHUNK_SECONDS, last.delay
    size = length = 0
    seconds = slack = 0.0
    frames: list[bytes] = []
    lengths: list[int] = []
    for waveform, start, received_at in received[at:] if at else received:
        samples = waveform.samples
        if type(samples) is not Counts:
            break
        if samples.scales is not scales and samples.scales != scales:
            break
        if samples.offsets is not offsets and samples.offsets != offsets:
            break
        data = samples.data
        if len(data) != size:
            size = len(data)
            length = size // bytes_per_sample
            seconds = length / rate
            slack = min(SLACK_SECONDS, seconds / 2)
        delay = received_at - start - seconds
        if (
            not -slack <= start - end <= slack
            or start + seconds > latest
            or waveform.sample_rate_hz != rate
            or waveform.unit != unit
            or not -FURTHEST_OFF_SECONDS < delay < FURTHEST_OFF_SECONDS
        ):
            break
        frames.append(data)
        lengths.append(length)
        end += seconds
        if delay < least_delay:
            least_delay = delay
    return frames, lengths, least_delay


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


def _quantised(waveform: Waveform, samples: Numbers, last: Chunk | None) -> Waveform:
    """A frame that came as values, in counts; with the scale and offset of the frames before, where they will do."""
    unit = waveform.unit
    data, grids = [], []
    for lead in range(len(waveform.leads)):
        values = samples.values(lead)
        if last is not None and fits(values, last.shape.scales[lead], last.shape.offsets[lead], unit):
            grid = last.shape.scales[lead], last.shape.offsets[lead]
        else:
            grid = grid_for(values, unit)
        data.append(quantise(values, *grid))
        grids.append(grid)
    scales, offsets = zip(*grids, strict=True)
    return msgspec.structs.replace(waveform, samples=Counts(b"".join(data), scales, offsets))


def _of_one_clock(delay: float, delays: Iterable[float]) -> float:
    """The shortest delay of those that differ from this one so little that they are of the same clock."""
    return min(other for other in delays if delay - other < SAME_CLOCK_SECONDS)
