"""Recordings are read as they were measured, and a file that is none is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.recordings import RecordingUnreadable, Row, read_recording

HEADER = "Time [s], HR, PULSE, RESP, SpO2\n"


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "numerics.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_columns_get_the_names_of_the_wire(tmp_path: Path) -> None:
    assert list(read_recording(write(tmp_path, HEADER + "0,94,93,25,97\n1,95,94,24.5,96\n"))) == [
        Row(0, {"heart_rate": 94, "pulse": 93, "respiratory_rate": 25, "spo2": 97}),
        Row(1, {"heart_rate": 95, "pulse": 94, "respiratory_rate": 24.5, "spo2": 96}),
    ]


@pytest.mark.parametrize("missing", ["", " ", "NaN", "nan", "inf"])
def test_what_was_missing_is_left_out(tmp_path: Path, missing: str) -> None:
    rows = list(read_recording(write(tmp_path, HEADER + f"7,94,{missing},25,{missing}\n")))
    assert rows == [Row(7, {"heart_rate": 94, "respiratory_rate": 25})]


def test_a_row_with_nothing_in_it_still_takes_its_time(tmp_path: Path) -> None:
    rows = list(read_recording(write(tmp_path, HEADER + "0,NaN,NaN,NaN,NaN\n\n1,94\n")))
    assert rows == [Row(0, {}), Row(1, {"heart_rate": 94})]


def test_columns_may_come_in_any_order_among_others(tmp_path: Path) -> None:
    rows = list(read_recording(write(tmp_path, "\ufeffSpO2,Comment,Time [s]\r\n97,asleep,3\r\n")))
    assert rows == [Row(3, {"spo2": 97})]


@pytest.mark.parametrize(
    "content",
    ["", "\n", "name,value\na,1\n", "HR,SpO2\n1,2\n", b"\x89PNG\r\n\x1a\n\xff", "a\0b\n"],
)
def test_another_kind_of_file_is_refused_with_the_columns_that_are_wanted(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(
        RecordingUnreadable, match=r"numerics.csv is not a BIDMC .* Time \[s\] and any of HR, PULSE, RESP, SpO2"
    ):
        list(read_recording(write(tmp_path, content)))


@pytest.mark.parametrize("header", ["Time [s], V, II", "Time [s], RESP, PLETH, II"])
def test_waveforms_are_not_taken_for_numerics(tmp_path: Path, header: str) -> None:
    """The RESP among them is a curve between 0 and 1: as a rate, it would be an apnoea."""
    with pytest.raises(
        RecordingUnreadable, match=r"numerics.csv holds waveforms: this takes numerics, with Time \[s\]"
    ):
        list(read_recording(write(tmp_path, header + "\n0,0.3,0.2,1\n")))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1,high,1,1,1", r"line 3: HR is 'high', which is not a number"),
        (",90,1,1,1", r"line 3: Time \[s\] is missing, or earlier than the line before"),
        ("-1,90,1,1,1", r"line 3: Time \[s\] is missing, or earlier than the line before"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(RecordingUnreadable, match=complaint):
        list(read_recording(write(tmp_path, f"{HEADER}0,90,1,1,1\n{line}\n")))


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match=r"nowhere\.csv: No such file"):
        list(read_recording(tmp_path / "nowhere.csv"))
    with pytest.raises(RecordingUnreadable, match="directory"):
        list(read_recording(tmp_path))


def test_eight_minutes_of_a_desaturated_patient_are_read_in_full(recordings: Path) -> None:
    rows = list(read_recording(recordings / "bidmc" / "bidmc_49_Numerics.csv"))
    assert len(rows) >= 480
    assert all(84 <= row.readings["spo2"] <= 88 for row in rows if "spo2" in row.readings)


def test_the_gaps_of_a_recording_stay_gaps(recordings: Path) -> None:
    rows = list(read_recording(recordings / "bidmc" / "bidmc_19_Numerics.csv"))
    assert sum("spo2" not in row.readings for row in rows) >= 100
