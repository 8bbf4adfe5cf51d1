"""Recordings are read by what they hold, and put together for each patient."""

from __future__ import annotations

import csv
import gzip
import math
import sys
import warnings
from pathlib import Path

import numpy
import pytest

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    import wfdb

from app.commands.connection import CommandError
from app.commands.recordings import RecordingUnreadable, Row
from app.commands.signals import Piece, Signal
from app.commands.sources import Cut, Recording, assign, notices, play_together, read_file

SIGNALS = "Time [s], RESP, PLETH, V, AVR, II\n"


def shape(recording: Recording) -> list[tuple[str, float, str, list[str], int]]:
    return [
        (it.type, it.rate_hz, it.unit, [lead.name for lead in it.leads], len(it.leads[0].counts))
        for it in recording.signals
    ]


def values(signal: Signal, lead: int) -> list[float]:
    it = signal.leads[lead]
    return [count * it.scale + it.offset for count in it.counts]


@pytest.mark.parametrize(
    ("record", "signals", "unused"),
    [
        ("100", [("ecg", 360, "mV", ["MLII", "V5"], 650_000)], []),
        ("a103l.mat", [("ecg", 250, "mV", ["II", "V"], 82_500), ("pleth", 250, "NU", ["PLETH"], 82_500)], []),
        (
            "v102s.hea",
            [
                ("ecg", 250, "mV", ["II", "V"], 75_000),
                ("pleth", 250, "NU", ["PLETH"], 75_000),
                ("resp_wave", 250, "NU", ["RESP"], 75_000),
            ],
            [],
        ),
        ("03700181", [("ecg", 500, "mV", ["MCL1"], 300_000), ("resp_wave", 125, "mV", ["RESP"], 75_000)], ["ABP"]),
    ],
)
def test_wfdb_records_are_read_with_their_leads_and_rates(
    recordings: Path, record: str, signals: list[object], unused: list[str]
) -> None:
    recording = read_file(recordings / "wfdb" / record)
    assert shape(recording) == signals
    assert recording.unused == unused


@pytest.mark.parametrize("record", ["100", "a103l", "v102s"])
def test_samples_of_a_wfdb_record_are_its_own_counts(recordings: Path, record: str) -> None:
    """Against what the package itself makes of them, as numbers in their unit and NaN where one is missing."""
    signals = read_file(recordings / "wfdb" / record).signals
    expected = wfdb.rdrecord(str(recordings / "wfdb" / record))
    assert len(expected.sig_name) == sum(len(signal.leads) for signal in signals)
    for signal in signals:
        for index, lead in enumerate(signal.leads):
            column = expected.p_signal[:, expected.sig_name.index(lead.name)].tolist()
            missing = lead.missing or bytes(len(column))
            assert [math.isnan(value) for value in column] == [bool(it) for it in missing]
            worst = max(abs(a - b) for a, b in zip(column, values(signal, index), strict=True) if not math.isnan(a))
            assert worst < 1e-9
            assert lead.scale == pytest.approx(1 / expected.adc_gain[expected.sig_name.index(lead.name)])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package, as it writes
def test_samples_of_more_than_16_bits_are_counted_over_their_own_range(tmp_path: Path) -> None:
    counts = numpy.array([[-8_000_000], [0], [1], [8_000_000]])
    wfdb.wrsamp(
        "wide", fs=250, units=["mV"], sig_name=["II"], d_signal=counts, fmt=["24"], adc_gain=[1e6], baseline=[0],
        write_dir=str(tmp_path),
    )  # fmt: skip
    (signal,) = read_file(tmp_path / "wide").signals
    assert signal.leads[0].scale == pytest.approx(16 / 65_534)
    assert values(signal, 0) == pytest.approx([-8, 0, 0, 8], abs=16 / 65_534)


def test_a_bidmc_signals_table_is_read_to_half_a_count(recordings: Path) -> None:
    path = recordings / "bidmc" / "bidmc_01_Signals.csv.gz"
    recording = read_file(path)
    assert shape(recording) == [
        ("resp_wave", 125, "", ["RESP"], 60_001),
        ("pleth", 125, "", ["PLETH"], 60_001),
        ("ecg", 125, "mV", ["V", "AVR", "II"], 60_001),
    ]
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    for signal in recording.signals:
        for index, lead in enumerate(signal.leads):
            column = [float(row[lead.name]) for row in rows]
            assert max(abs(a - b) for a, b in zip(column, values(signal, index), strict=True)) <= lead.scale * 0.501


def test_empty_cells_of_a_signals_table_are_gaps(tmp_path: Path) -> None:
    file = tmp_path / "signals.csv"
    file.write_text(SIGNALS + "".join(f"{n / 125},1,{'' if n in {3, 4} else n},1,1,NaN\n" for n in range(10)))
    ecg, pleth = (next(it for it in read_file(file).signals if it.type == kind) for kind in ("ecg", "pleth"))
    assert [(piece.first, piece.end) for piece in pleth.pieces(1)] == [(0, 3), (5, 10)]
    assert [[ecg.leads[index].name for index in piece.leads] for piece in ecg.pieces(1)] == [["V", "AVR"]]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("".join(f"{n * 0.008 + (n > 50)},1,1,1,1,1\n" for n in range(100)), "rows are not equally far apart"),
        ("0,1,1,1,1,1\n0,1,1,1,1,1\n", "rows are not equally far apart"),
        ("0,1,1,1,1,1\n,1,1,1,1,1\n", r"line 3: Time \[s\] is missing"),
        ("0,1,1,1,1,1\n0.008,1,high,1,1,1\n", "line 3: PLETH is 'high', which is not a number"),
    ],
)
def test_a_signals_table_that_makes_no_sense_is_refused_in_one_line(tmp_path: Path, lines: str, complaint: str) -> None:
    file = tmp_path / "signals.csv"
    file.write_text(SIGNALS + lines)
    with pytest.raises(RecordingUnreadable, match=complaint):
        read_file(file)


def test_numerics_are_known_by_their_columns(tmp_path: Path) -> None:
    file = tmp_path / "numerics.csv.gz"
    with gzip.open(file, "wt") as out:
        out.write("Time [s], HR, RESP\n0,80,12\n")
    assert read_file(file).rows == [Row(0, {"heart_rate": 80, "respiratory_rate": 12})]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n\xff"])
def test_what_is_no_recording_is_refused_with_what_would_be_one(tmp_path: Path, content: bytes) -> None:
    for name in ("a.csv", "a.csv.gz", "a.dat", "a"):
        file = tmp_path / name
        file.write_bytes(content)
        with pytest.raises(RecordingUnreadable, match="no recording that can be played: give a BIDMC numerics CSV"):
            read_file(file)
        file.unlink()


def test_a_recording_that_is_not_there_or_broken_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match="nowhere: No such file"):
        read_file(tmp_path / "nowhere")
    (tmp_path / "broken.hea").write_text("broken 2 360 many\n")
    (tmp_path / "lost.hea").write_text("lost 1 360 100\nlost.dat 212 200 11 1024 995 0 0 II\n")
    for record in ("broken", "lost"):
        with pytest.raises(RecordingUnreadable, match=f"{record} cannot be read as a WFDB record: [^\n]+$"):
            read_file(tmp_path / record)


def test_without_the_package_a_wfdb_record_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "100.hea").write_text("100 1 360 10\n")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(RecordingUnreadable, match=r"install tocsin\[replay\]"):
        read_file(tmp_path / "100")


def test_files_belong_to_one_patient_or_to_one_each() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert assign([a, b, c], ["P1"]) == {"P1": [a, b, c]}
    assert assign([a, b, c], ["P1", "P2", "P1"]) == {"P1": [a, c], "P2": [b]}
    with pytest.raises(CommandError, match="3 files and 2 times --patient: name one patient for all files, or one"):
        assign([a, b, c], ["P1", "P2"])


def test_recordings_of_one_patient_play_together_in_order(recordings: Path) -> None:
    found = [read_file(recordings / "bidmc" / f"bidmc_01_{kind}") for kind in ("Numerics.csv", "Signals.csv.gz")]
    steps = play_together(found, Cut())
    offsets = [step.offset_seconds for step in steps]
    assert offsets == sorted(offsets)
    assert sum(isinstance(step, Row) for step in steps) == 481
    assert sum(step.samples for step in steps if isinstance(step, Piece)) == 5 * 60_001


def test_two_recordings_of_the_same_sign_are_not_one_patient() -> None:
    rows = [Row(0, {"spo2": 97})]
    with pytest.raises(CommandError, match="a and b both hold spo2"):
        play_together([Recording("a", rows), Recording("b", rows)], Cut())


def test_a_part_of_a_recording_is_played(recordings: Path) -> None:
    found = [read_file(recordings / "bidmc" / f"bidmc_01_{kind}") for kind in ("Numerics.csv", "Signals.csv.gz")]
    steps = play_together(found, Cut(from_seconds=60, duration_seconds=10, frame_seconds=0.1))
    assert [step.offset_seconds for step in steps if isinstance(step, Row)] == list(range(60, 70))
    pieces = [step for step in steps if isinstance(step, Piece)]
    assert min(piece.starts_at_seconds for piece in pieces) >= 60
    assert max(piece.offset_seconds for piece in pieces) <= 70
    # At the edges a frame that is only half in it is left out.
    assert 5 * 125 * 9.8 <= sum(piece.samples for piece in pieces) <= 5 * 125 * 10


def test_what_is_left_out_is_named_once() -> None:
    recording = Recording("03700181", unused=["ABP", "ART"])
    assert notices({"P1": [recording], "P2": [recording, Recording("100")]}) == [
        "03700181: ABP, ART left out, of no type that is sent"
    ]
