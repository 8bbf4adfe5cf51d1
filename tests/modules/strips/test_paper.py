from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.modules.strips.paper import ALERT_X_MM, Heading, draw
from app.modules.strips.strip import AFTER, BEFORE, Segment, Strip, Trace, quantise
from tests.modules.strips.curves import BASE

SVG = "{http://www.w3.org/2000/svg}"
HEADING = Heading("***", "heart_rate_high", ("heart_rate above 180 for 3 samples",))


def segment(
    values: Sequence[float], *, seconds: float = -10.0, rate: float = 250.0, scale: float = 0.001, offset: float = 0.0
) -> Segment:
    """Samples from so many seconds after the alert on."""
    started_at = BASE + timedelta(seconds=seconds)
    return Segment(started_at, started_at, rate, scale, offset, quantise(values, scale, offset))


def trace(*segments: Segment, type: str = "ecg", lead: str | None = "II", unit: str = "mV") -> Trace:
    return Trace(type, lead, unit, segments)


def sheet(*traces: Trace, heading: Heading = HEADING, is_complete: bool = True) -> ElementTree.Element:
    strip = Strip("a1", "bed-3", BASE, BASE - BEFORE, BASE + AFTER, is_complete, traces)
    return ElementTree.fromstring(draw(strip, heading))


def texts(drawn: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in drawn.iter(f"{SVG}text")]


def lines(drawn: ElementTree.Element) -> list[list[list[tuple[float, float]]]]:
    """Of each trace its lines, as points in mm: x from the alert on, y upwards from the baseline."""
    found = []
    for path in drawn.iter(f"{SVG}path"):
        if "transform" not in path.attrib:
            continue
        of_trace = []
        for start, relative in re.findall(r"M(-?\d+ -?\d+)l([^M]*)", path.attrib["d"]):
            x, y = map(int, start.split())
            points = [(x, y)]
            steps = list(map(int, relative.split()))
            for dx, dy in zip(steps[::2], steps[1::2], strict=True):
                x, y = x + dx, y + dy
                points.append((x, y))
            of_trace.append([(x / 100 - ALERT_X_MM, -y / 100) for x, y in points[1:]])
        found.append(of_trace)
    return found


def test_a_second_is_25_mm_and_a_millivolt_10_mm_on_a_sheet_of_true_size() -> None:
    """A millivolt 4 s before the alert, and half a one below 2 s after it."""
    values = [0.0] * 3750
    values[1500], values[3000] = 1.0, -0.5
    drawn = sheet(trace(segment(values)))
    width, height = drawn.attrib["width"], drawn.attrib["height"]
    assert (width, height) == ("410mm", "50mm")
    assert drawn.attrib["viewBox"] == f"0 0 {width.removesuffix('mm')} {height.removesuffix('mm')}"
    (((line,),)) = lines(drawn)
    assert [x for x, _ in line[:2] + line[-1:]] == pytest.approx([-250, -249.9, 124.9])
    assert [point for point in line if point[1] > 0] == [(-100, 10)]
    assert [point for point in line if point[1] < 0] == [(50, -5)]


def test_the_boxes_are_one_and_five_mm_and_the_alert_lies_on_a_line() -> None:
    drawn = sheet(trace(segment([0.0])))
    (pattern,) = drawn.iter(f"{SVG}pattern")
    assert (pattern.attrib["width"], pattern.attrib["height"], pattern.attrib["patternUnits"]) == (
        "5", "5", "userSpaceOnUse",
    )  # fmt: skip
    assert ALERT_X_MM % 5 == 0
    assert f"M{ALERT_X_MM:g} 15V" in " ".join(path.attrib["d"] for path in drawn.iter(f"{SVG}path"))
    assert [text for text in texts(drawn) if text.endswith(" s")] == [
        *(f"−{second} s" for second in range(10, 0, -1)), *(f"+{second} s" for second in range(1, 6)),
    ]  # fmt: skip


def test_the_calibration_pulse_is_a_millivolt_for_a_fifth_of_a_second_from_the_baseline() -> None:
    drawn = sheet(trace(segment([0.3] * 100)))
    (path,) = (path for path in drawn.iter(f"{SVG}path") if "transform" in path.attrib)
    baseline = path.attrib["transform"].split("(0 ")[1].split(")")[0]
    assert any(path.attrib["d"] == f"M8 {baseline}h2v-10h5v10h2" for path in drawn.iter(f"{SVG}path"))
    assert "1 mV" in texts(drawn)


def test_microvolts_are_drawn_as_high_as_millivolts() -> None:
    in_mv = sheet(trace(segment([0.0, 0.0, 1.234])))
    in_uv = sheet(trace(segment([0.0, 0.0, 1234.0], scale=1.0), unit="uV"))
    assert lines(in_mv) == lines(in_uv)


def test_a_curve_without_a_scale_fills_its_band_and_says_so() -> None:
    pleth = trace(segment([2000.0, 2100.0, 2050.0], scale=1.0), type="pleth", lead=None, unit="")
    drawn = sheet(pleth)
    assert lines(drawn) == [[[(-250, -7.5), (-249.9, 7.5), (-249.8, 0)]]]
    assert {"Pleth", "no scale"} <= set(texts(drawn))
    assert "1 mV" not in texts(drawn)


def test_a_flat_curve_without_a_scale_is_a_line() -> None:
    drawn = sheet(trace(segment([7.0, 7.0], scale=1.0), type="pleth", lead=None, unit=""))
    assert lines(drawn) == [[[(-250, 0), (-249.9, 0)]]]


def test_a_gap_stays_a_gap_and_one_sample_is_a_dot() -> None:
    drawn = sheet(trace(segment([0.0] * 250), segment([0.1], seconds=-5), segment([0.0] * 250, seconds=3)))
    ((first, dot, last),) = lines(drawn)
    assert (len(first), len(dot), len(last)) == (250, 1, 250)
    assert (first[-1][0], dot[0][0], last[0][0]) == pytest.approx((-225.1, -125, 75))


def test_a_new_scale_alone_does_not_tear_a_line() -> None:
    drawn = sheet(trace(segment([0.5] * 250), segment([0.5] * 250, seconds=-9, scale=0.005)))
    (((line,),)) = lines(drawn)
    assert len(line) == 500


@given(st.floats(200, 2000), st.integers(0, 29_000), st.floats(-10, -9))
def test_no_peak_is_lost_however_many_samples_there_are(rate: float, place: int, seconds: float) -> None:
    """Fails when every second sample is left out instead (checked so)."""
    values = [0.0] * int((5 - seconds) * rate)
    place %= len(values)
    values[place] = 1.5
    (((line,),)) = lines(sheet(trace(segment(values, rate=rate, seconds=seconds))))
    ((x, y),) = (point for point in line if point[1] > 0)
    assert y == 15
    assert abs(x / 25 - (seconds + place / rate)) < 0.001
    assert all(one[0] <= other[0] for one, other in pairwise(line))


@pytest.mark.parametrize("rate", [125.0, 500.0, 2000.0])
def test_a_lead_takes_less_than_200_kilobytes(rate: float) -> None:
    noise = [3 * math.sin(1e5 * n * n) for n in range(int(15 * rate))]
    strip = Strip(
        "a", "p", BASE, BASE - BEFORE, BASE + AFTER, is_complete=True, traces=(trace(segment(noise, rate=rate)),)
    )
    assert len(draw(strip, HEADING)) < 100_000


def test_what_is_higher_than_the_paper_is_cut_off_and_said_to_be() -> None:
    drawn = sheet(trace(segment([0.0, 0.0, 30.0, -30.0])))
    assert [y for _, y in lines(drawn)[0][0]] == [0, 0, 40, -40]
    assert "cut off" in texts(drawn)
    assert "cut off" not in texts(sheet(trace(segment([0.0, 0.0, 3.9]))))


def test_leads_stand_in_the_order_in_which_they_are_read() -> None:
    names = ["V6", "aVF", "resp", "MLII", "III", "I", "X"]
    traces = [
        trace(segment([0.0]), lead=name) if name != "resp" else trace(segment([0.0]), type="resp_wave", lead=None)
        for name in names
    ]
    found = [text for text in texts(sheet(*traces)) if text in {*names, "Resp"}]
    assert found == ["I", "MLII", "III", "aVF", "V6", "X", "Resp"]


def test_the_sheet_says_whose_it_is_and_what_the_alert_was() -> None:
    drawn = sheet(trace(segment([0.0])))
    assert texts(drawn)[:2] == [
        "*** heart_rate_high: heart_rate above 180 for 3 samples",
        "Patient bed-3 · alert at 2026-01-02 03:04:05 UTC · 25 mm/s · 10 mm/mV",
    ]
    assert drawn.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in drawn if "id" in element.attrib}
    assert set(drawn.attrib["aria-labelledby"].split()) == set(named)
    assert "from -10 s to +5 s, complete" in (named["desc"] or "")


def test_a_strip_that_is_incomplete_says_so_and_one_without_a_sample_is_a_sheet() -> None:
    drawn = sheet(is_complete=False)
    assert texts(drawn)[1].endswith("INCOMPLETE")


NASTY = "</text><script>alert(1)</script>&\"'\x00\x1b\ud800]]>"


def test_no_text_becomes_markup() -> None:
    """Fails when a text is put in as it is (checked with each of them)."""
    strip = Strip("a1", NASTY, BASE, BASE - BEFORE, BASE + AFTER, is_complete=True, traces=(
        trace(segment([0.0]), lead=NASTY, unit=NASTY), trace(segment([0.0]), type=NASTY, lead=None),
        trace(segment([0.0]), type=NASTY, lead="II"),
    ))  # fmt: skip
    drawn = draw(strip, Heading("***", NASTY, (NASTY, "\n")))
    document = ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert {element.tag.removeprefix(SVG) for element in document.iter()} == {
        "svg", "title", "desc", "defs", "pattern", "path", "rect", "text",
    }  # fmt: skip


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_gives_a_document(reason: str, lead: str) -> None:
    drawn = sheet(trace(segment([0.0]), lead=lead), heading=Heading("*", "c", (reason,)))
    assert max(map(len, texts(drawn))) <= 150
