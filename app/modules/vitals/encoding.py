"""PURE: from frames to bytes: what viewers see, what one node tells another, and what devices are answered."""

from __future__ import annotations

from typing import Any

import msgspec

from app.core.timestamps import to_rfc3339
from app.modules.vitals.fields import FrameError
from app.modules.vitals.frames import DEVICE, Beats, Flush, Reading, Shown, Waveform, wire_number, wire_value
from app.modules.vitals.samples import Counts
from app.modules.vitals.sequence import Sequence

_to_json = msgspec.json.Encoder().encode
_to_msgpack = msgspec.msgpack.Encoder().encode


def encode_json(patient_id: str, frame: Shown) -> bytes:
    """What a viewer of this patient gets who reads JSON."""
    if not isinstance(frame, Waveform):
        return _to_json(_without_samples(patient_id, frame))
    rows = [frame.samples.rounded(index) for index in range(len(frame.leads))]
    return _to_json(_waveform(patient_id, frame, samples=rows[0] if len(rows) == 1 else rows))


def encode_msgpack(patient_id: str, frame: Shown) -> bytes:
    """What a viewer of this patient gets who reads MessagePack: samples are always counts."""
    if not isinstance(frame, Waveform):
        return _to_msgpack(_without_samples(patient_id, frame))
    return _to_msgpack(_counted(patient_id, frame, frame.samples.counts()))


def encode_for_nodes(patient_id: str, frame: Shown) -> bytes:
    """What one node tells the others: what a viewer gets who reads MessagePack, but with samples as they came."""
    if not isinstance(frame, Waveform):
        return _to_msgpack(_without_samples(patient_id, frame))
    samples = frame.samples
    if isinstance(samples, Counts):
        return _to_msgpack(_counted(patient_id, frame, samples))
    return _to_msgpack(_waveform(patient_id, frame, samples=samples.rows[0] if len(frame.leads) == 1 else samples.rows))


def encode_skipped_json(frames: int) -> bytes:
    """What a viewer is told that has missed so many frames, and reads JSON."""
    return _to_json(_skipped(frames))


def encode_skipped_msgpack(frames: int) -> bytes:
    """The same, for one that reads MessagePack."""
    return _to_msgpack(_skipped(frames))


def encode_error(error: FrameError, *, frame: int) -> bytes:
    """What a device is told of its frame number `frame`, counted from 1."""
    answer = {"event": "error", "code": error.code, "detail": error.detail, "frame": frame}
    return _to_json(answer if error.field is None else answer | {"field": error.field})


def encode_flushed(flush: Flush, *, frames: int, errors: int, sequence: Sequence | None = None) -> bytes:
    """The answer to a flush: how many frames were accepted and refused on this socket so far.

    Args:
        sequence: what their numbers tell, where the device numbers them.
    """
    answer = {"event": "flushed", "id": flush.id, "frames": frames, "errors": errors}
    if sequence is not None:
        answer |= {"missing": sequence.missing, "reordered": sequence.late}
    return _to_json(answer)


def encode_slow_down(waiting: int) -> bytes:
    """What a device is told that sends faster than it is taken."""
    return _to_json({"event": "slow_down", "waiting": waiting})


def _skipped(frames: int) -> dict[str, Any]:
    return {"event": "skipped", "frames": frames}


def _without_samples(patient_id: str, frame: Reading | Beats) -> dict[str, Any]:
    return _reading(patient_id, frame) if isinstance(frame, Reading) else _beats(patient_id, frame)


def _beats(patient_id: str, beats: Beats) -> dict[str, Any]:
    timestamps = [to_rfc3339(at) for at in beats.times]
    return {"event": beats.type, "patientId": patient_id, "lead": beats.lead, "timestamps": timestamps}


def _reading(patient_id: str, reading: Reading) -> dict[str, Any]:
    return {
        "patientId": patient_id,
        "type": reading.type,
        "value": wire_value(reading),
        "unit": reading.unit,
        "timestamp": to_rfc3339(reading.measured_at),
        **({} if reading.source == DEVICE else {"source": reading.source}),
    }


def _waveform(patient_id: str, waveform: Waveform, *, samples: Any) -> dict[str, Any]:
    leads = waveform.leads
    return {
        "patientId": patient_id,
        "type": waveform.type,
        "sampleRate": wire_number(waveform.sample_rate_hz),
        "samples": samples,
        "unit": waveform.unit,
        **({"lead": leads[0]} if len(leads) == 1 else {"leads": leads}),
        "timestamp": to_rfc3339(waveform.started_at),
    }


def _counted(patient_id: str, waveform: Waveform, counts: Counts) -> dict[str, Any]:
    is_single = len(waveform.leads) == 1
    return {
        **_waveform(patient_id, waveform, samples=counts.data),
        "scale": counts.scales[0] if is_single else counts.scales,
        "offset": counts.offsets[0] if is_single else counts.offsets,
    }
