"""Reading WFDB records, with the package `wfdb` of the extra `replay`."""

from __future__ import annotations

import warnings
from array import array
from pathlib import Path
from typing import Any, Final

from app.commands.recordings import RecordingUnreadable
from app.commands.signals import Lead, Recorded, Signal, gather
from app.modules.vitals.samples import LARGEST_COUNT, SMALLEST_COUNT, Numbers, from_little_endian

#: Files of one record; any of them, or their common name, stands for it.
_SUFFIXES: Final = {".hea", ".dat", ".mat", ".atr"}


def record_of(path: Path) -> Path | None:
    """The record that a path stands for, without a suffix; `None` where there is no header of such a name."""
    record = path.with_suffix("") if path.suffix in _SUFFIXES else path
    return record if record.with_name(f"{record.name}.hea").is_file() else None


def read_record(record: Path) -> tuple[list[Signal], list[str]]:
    """The waveforms of a record, and the names of those that nobody could use.

    Samples stay the counts that the record has, unless they need more than 16 bits.

    Raises:
        RecordingUnreadable: the package is not installed, or the record makes no sense.
    """
    with warnings.catch_warnings():
        # What the package's own parts deprecate is nothing that whoever plays a recording can mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        return gather(_read(record))


def _read(record: Path) -> list[Recorded]:
    try:
        import wfdb
    except ImportError:
        raise RecordingUnreadable(f"{record.name} is a WFDB record: to read it, install tocsin[replay]") from None
    try:
        read = wfdb.rdrecord(str(record), physical=False, smooth_frames=False)
        if not (read.n_sig and read.sig_len):
            return []
        values = read.dac(expanded=True)
        return [_recorded(read, index, values[index]) for index in range(read.n_sig)]
    except Exception as error:  # whatever the package raises at a broken file, from IndexError to its own
        raise RecordingUnreadable(f"{record.name} cannot be read as a WFDB record: {error}") from error


def _recorded(record: Any, index: int, values: Any) -> Recorded:
    """One signal of a record.

    Args:
        values: in its unit, NaN where a sample is missing; shape (samples,).
    """
    name, counts = record.sig_name[index].strip(), record.e_d_signal[index]
    is_missing = values != values
    missing = is_missing.astype("u1").tobytes() if is_missing.any() else None
    rate_hz = float(record.fs * record.samps_per_frame[index])
    scale, offset = 1 / record.adc_gain[index], -record.baseline[index] / record.adc_gain[index]
    if counts.min() >= SMALLEST_COUNT and counts.max() <= LARGEST_COUNT:
        kept: array[int] = from_little_endian(counts.astype("<i2").tobytes())
    else:
        values[is_missing] = 0 if is_missing.all() else values[~is_missing][0]
        quantised = Numbers((tuple(values.tolist()),)).counts()
        kept, scale, offset = quantised.integers(), quantised.scales[0], quantised.offsets[0]
    return Recorded(Lead(name, kept, scale, offset, missing), record.units[index], rate_hz)
