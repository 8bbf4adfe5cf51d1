"""The alarm load of real recordings, against a count that knows nothing of the rules' code."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import os
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.recordings import Row
from app.commands.report.alarm_load import measure
from app.commands.report.alarms import Alarm, Played, play
from app.commands.report.chart import draw, round_steps
from app.commands.report.load import Load
from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.file import load_rules
from tests.conftest import ROOT
from tests.servers import run_cli

BARE = ROOT / "examples/rules/bare-limits.json"
EXAMPLE = ROOT / "examples/rules/ward.json"

#: Columns of the recordings, and the bare limits of each: below, above.
BARE_LIMITS = {"HR": (50, 120), "SpO2": (90, None), "RESP": (8, 30)}
NAMES = {"HR": "heart_rate", "SpO2": "spo2", "RESP": "respiratory_rate"}

#: What nobody may wait for, whatever delays there are: column, condition, lowest and highest that is no extreme.
EXTREMES = [("SpO2", "spo2_low", 85, None), ("HR", "heart_rate_low", 40, None), ("HR", "heart_rate_high", None, 140)]


def columns(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Each column as (second, value), without what is missing."""
    with path.open() as file:
        header, *rows = list(csv.reader(file))
    names = [name.strip() for name in header]
    seconds = [float(row[0]) for row in rows]
    return {
        name: [(at, float(cell)) for at, cell in zip(seconds, cells, strict=True) if cell.strip() not in {"", "NaN"}]
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }


def stretches(samples: list[tuple[float, float]], low: float | None, high: float | None) -> Iterator[list[float]]:
    """The seconds of each run of samples that all lie below or all lie above."""
    sides = [
        (at, -1 if low is not None and v < low else 1 if high is not None and v > high else 0) for at, v in samples
    ]
    for side, run in itertools.groupby(sides, key=lambda it: it[1]):
        if side:
            yield [at for at, _ in run]


@pytest.fixture(scope="session")
def numerics(recordings: Path) -> list[Path]:
    return sorted((recordings / "bidmc").glob("*_Numerics.csv"))


@pytest.fixture(scope="session")
def loads(numerics: list[Path]) -> tuple[Load, Load]:
    """What the shipped rules make of the recordings, and what bare limits do."""
    shipped, bare = measure(numerics, [("shipped", load_rules()), ("bare", load_rules(BARE))])
    return shipped, bare


def test_bare_limits_alarm_as_often_as_a_count_of_stretches_beyond_them(
    numerics: list[Path], loads: tuple[Load, Load]
) -> None:
    """Fails with rules that ask for a second sample, or for thirty normal ones in between (checked with each)."""
    expected: Counter[tuple[str, str]] = Counter()
    for path in numerics:
        found = columns(path)
        for column, (low, high) in BARE_LIMITS.items():
            patient = path.stem.removesuffix("_Numerics")
            expected[patient, f"{NAMES[column]}_low"] += len(list(stretches(found[column], low, None)))
            expected[patient, f"{NAMES[column]}_high"] += len(list(stretches(found[column], None, high)))

    _, bare = loads

    assert len(numerics) == 40
    assert sum(expected.values()) > 10
    assert Counter((alarm.patient, alarm.condition) for alarm in bare.alarms) == +expected
    assert bare.hours == pytest.approx(sum(columns(path)["HR"][-1][0] for path in numerics) / 3600, rel=0.01)


def test_the_shipped_rules_have_at_most_two_fifths_of_the_alarms_of_bare_limits(loads: tuple[Load, Load]) -> None:
    shipped, bare = loads

    assert 0 < len(shipped.alarms) <= 0.4 * len(bare.alarms)


def test_the_shipped_rules_alarm_within_ten_seconds_of_every_extreme_that_lasts_ten(
    numerics: list[Path], loads: tuple[Load, Load]
) -> None:
    checked = 0
    for path, played in zip(numerics, loads[0].played, strict=True):
        alarms = played.alarms
        for column, condition, low, high in EXTREMES:
            for seconds in stretches(columns(path)[column], low, high):
                if seconds[-1] - seconds[0] + 1 < 10:
                    continue
                checked += 1
                soon = [
                    it
                    for it in alarms
                    if it.condition == condition
                    and it.began_seconds <= seconds[0] + 10
                    and it.ended_seconds > seconds[0]
                ]
                assert soon, (path.name, column, seconds[0])
    assert checked > 0, "no recording has an extreme, so that nothing was shown"


@pytest.mark.parametrize(
    ("vital_type", "normal", "extreme", "condition"),
    [
        ("spo2", 97, 84, "spo2_low"),
        ("heart_rate", 80, 39, "heart_rate_low"),
        ("heart_rate", 80, 141, "heart_rate_high"),
    ],
)
@pytest.mark.parametrize("started_at", [0, 1, 37])
def test_an_extreme_of_ten_seconds_alarms_wherever_it_begins(
    vital_type: str, normal: float, extreme: float, condition: str, started_at: int
) -> None:
    """The recordings have few: a stretch of ten samples, in the middle of normal ones."""
    values = [normal] * started_at + [extreme] * 10 + [normal] * 20
    rows = [Row(float(second), {vital_type: value}) for second, value in enumerate(values)]

    (alarm,) = play("it", rows, load_rules()).alarms

    assert alarm.condition == condition
    assert started_at <= alarm.began_seconds <= started_at + 10


def test_an_alarm_lasts_until_its_condition_is_gone_or_the_recording_ends() -> None:
    rows = [Row(float(second), {"spo2": value}) for second, value in enumerate([95, 89, 89, 95, 95, 89, 89])]

    alarms = play("it", rows, load_rules(BARE)).alarms

    assert [(it.began_seconds, it.ended_seconds) for it in alarms] == [(1, 3), (5, 6)]


def test_what_no_patient_has_is_left_out_and_told(tmp_path: Path) -> None:
    """A server refuses it. Fails where it is ruled on (checked so)."""
    recording = tmp_path / "x_Numerics.csv"
    recording.write_text("Time [s], HR, PULSE, RESP, SpO2\n" + "".join(f"{s}, 80, 80, 15, -3\n" for s in range(30)))

    done = run_cli("report", "alarm-load", str(recording))

    assert done.returncode == 0, done.stderr
    assert "shipped rules: 0 alarms" in done.stdout
    assert "30 values left out that no patient has" in done.stdout


def test_the_command_prints_a_table_and_writes_csv_and_a_chart(numerics: list[Path], tmp_path: Path) -> None:
    chart, table = tmp_path / "load.svg", tmp_path / "alarms.csv"

    written = ["--csv", str(table), "--svg", str(chart)]

    done = run_cli("report", "alarm-load", str(numerics[0].parent), "--against", str(BARE), *written)

    assert done.returncode == 0, done.stderr
    assert "alarms per patient-hour (40 patients, 5.33 hours)" in done.stdout
    with table.open() as file:
        rows = list(csv.DictReader(file))
    by_rules = Counter(row["rules"] for row in rows)
    assert f"shipped rules: {by_rules['shipped rules']} alarms" in done.stdout
    assert f"bare-limits.json: {by_rules['bare-limits.json']} alarms" in done.stdout
    assert {row["patient"] for row in rows} >= {"bidmc_49", "bidmc_21"}
    assert all(float(row["seconds"]) == float(row["ended_seconds"]) - float(row["began_seconds"]) for row in rows)
    drawn = ET.fromstring(chart.read_text())
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"spo2_low", "shipped rules", "bare-limits.json"} <= set(texts)


def test_the_table_of_two_sets_of_rules_has_room_on_80_columns(numerics: list[Path]) -> None:
    done = run_cli(
        "report", "alarm-load", *map(str, numerics), "--rules", str(BARE), "--against", str(EXAMPLE),
        environment=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip

    rows = [[cell.split() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [["spo2_low"], ["moderate"], ["0.19", "1", "0"], ["0.19", "1", "0"]] in rows
    assert ["respiratory_rate_low"] in [row[0] for row in rows]


def test_a_folder_is_searched_for_compressed_numerics_and_one_recording_is_one(tmp_path: Path) -> None:
    (tmp_path / "old.bed_Numerics.csv.gz").write_bytes(gzip.compress(b"Time [s],SpO2\n0,95\n3600,79\n"))

    done = run_cli("report", "alarm-load", str(tmp_path), "--csv", str(tmp_path / "alarms.csv"))

    assert "(1 patient, 1.00 hours)" in done.stdout
    assert "shipped rules: 1 alarm, 1 (100%) under 15 s; 0 of 1 patient without any" in done.stdout
    assert "shipped rules,old.bed,spo2_low,critical,3600,3600,0," in (tmp_path / "alarms.csv").read_text()


@given(st.floats(1e-6, 1e9))
def test_the_axis_of_the_chart_has_round_places_up_to_the_longest_bar(highest: float) -> None:
    places = round_steps(highest)

    assert places[0] == 0
    assert 3 <= len(places) <= 6
    assert places[-1] <= highest < places[-1] + places[1] * 1.000001
    assert f"{places[1]:e}"[:8] in {"1.000000", "2.000000", "5.000000"}
    assert all(len(f"{place:g}") <= 6 or place >= 1e5 or place < 1e-3 for place in places)


def test_names_that_are_longer_than_the_chart_has_room_for_are_shortened_and_told_in_full() -> None:
    name, rules = "c" * 64, "r" * 200
    loads = [Load(rules, [Played("it", 1.0, (Alarm("it", name, Tier.SLIGHT, 0, 1, ""),))])]

    drawn = ET.fromstring(draw("title", [name], loads, short_seconds=15))

    texts = [element for element in drawn.iter("{http://www.w3.org/2000/svg}text") if len(element) == 1]
    assert [(text.text, text[0].text) for text in texts] == [("r" * 27 + "…", rules), ("c" * 31 + "…", name)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.csv"], "nowhere.csv: No such file"),
        (["."], "holds no recording"),
        (["rules.json"], "is not a BIDMC numerics CSV"),
        (["--rules", "rules.json", "."], "rules.json: line 1: `tiers` is needed here"),
    ],
)
def test_what_cannot_be_reported_on_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps({"conditions": []}))
    placed = [str(tmp_path / it) if not it.startswith("--") else it for it in arguments]

    done = run_cli("report", "alarm-load", *placed)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tocsin: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_example_rules_can_be_used() -> None:
    for path in sorted((ROOT / "examples/rules").glob("*.json")):
        assert run_cli("rules", "check", str(path)).returncode == 0
