"""PURE: a strip on ECG paper, as an SVG of true size: 25 mm for a second, 10 mm for a millivolt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import ceil, floor
from statistics import median_low
from typing import Final

from app.modules.strips.strip import AFTER, BEFORE, Segment, Strip, Trace

MM_PER_SECOND: Final = 25
MM_PER_MV: Final = 10

#: Sizes of the sheet, in mm. All that the grid touches is a multiple of a large box, so that the alert is on a line.
BOX_MM: Final = 5
LEFT_MM: Final = 25
RIGHT_MM: Final = 10
HEADER_MM: Final = 15
FOOTER_MM: Final = 10
EDGE_MM: Final = 5
ALERT_X_MM: Final = LEFT_MM + MM_PER_SECOND * BEFORE.total_seconds()
WIDTH_MM: Final = ALERT_X_MM + MM_PER_SECOND * AFTER.total_seconds() + RIGHT_MM

#: What an ECG lead has above and below its baseline, at least and at most: 4 mV are more than nearly every heart gives.
LEAST_ABOVE_MM: Final = 15
LEAST_BELOW_MM: Final = 10
MOST_MM: Final = 40

#: A curve without a scale fills this much.
UNSCALED_MM: Final = 15

#: Points are drawn in hundredths of a millimetre, and at most two in each tenth: the lowest and the highest.
UNITS_PER_MM: Final = 100
COLUMN_UNITS: Final = 10

#: The order in which cardiologists read the leads.
_LEADS: Final = ("I", "II", "III", "AVR", "AVL", "AVF", "V", "V1", "V2", "V3", "V4", "V5", "V6")
_TYPES: Final = {"ecg": "ECG", "pleth": "Pleth", "resp_wave": "Resp"}

#: How many mm of paper one unit of an ECG takes.
_SCALES: Final = {("ecg", "mV"): MM_PER_MV, ("ecg", "uV"): MM_PER_MV / 1000}

_LONGEST_TITLE: Final = 150
_LONGEST_LABEL: Final = 24

#: Control characters and lone surrogates, which XML 1.0 does not know.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Heading:
    """What the sheet says of the alert.

    Attributes:
        symbol: `***`, `**` or `*` for its priority, `!!!` where it is a technical one.
    """

    symbol: str
    condition: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Band:
    """The place of a trace: where its baseline is, and how far it may go from it, in mm.

    Attributes:
        mm_per_unit: how high one unit of the trace is drawn.
        baseline: the value that lies on the baseline.
    """

    trace: Trace
    above: int
    below: int
    mm_per_unit: float
    baseline: float
    is_scaled: bool
    is_cut_off: bool


def draw(strip: Strip, heading: Heading) -> str:
    """The strip as one SVG document: no script, no style sheet, nothing from elsewhere."""
    bands = [_band(trace) for trace in sorted(strip.traces, key=_reading_order)]
    grid_mm = sum(band.above + band.below for band in bands)
    height = HEADER_MM + grid_mm + FOOTER_MM
    title, when, description = _title(heading), _when(strip.alert_at), _description(strip, heading)
    state = "" if strip.is_complete else " · INCOMPLETE"
    headline = _text(_shortened(title, _LONGEST_TITLE))
    facts = f"Patient {strip.patient_id} · alert at {when} · 25 mm/s · 10 mm/mV{state}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM:g}mm" height="{height}mm" '
        f'viewBox="0 0 {WIDTH_MM:g} {height}" role="img" aria-labelledby="title desc" font-family="sans-serif">',
        f'<title id="title">{_text(title)}</title><desc id="desc">{_text(description)}</desc>',
        _DEFINITIONS,
        f'<rect width="{WIDTH_MM:g}" height="{height}" fill="#fff"/>',
        f'<text x="{EDGE_MM}" y="6" font-size="4.5" font-weight="bold">{headline}</text>',
        f'<text x="{EDGE_MM}" y="11.5" font-size="3.5">{_text(facts)}</text>',
        f'<rect x="{EDGE_MM}" y="{HEADER_MM}" width="{WIDTH_MM - 2 * EDGE_MM:g}" height="{grid_mm}" fill="url(#grid)" '
        'stroke="#d98880" stroke-width=".3"/>',
    ]
    top = HEADER_MM
    for band in bands:
        parts.extend(_draw_band(band, top, strip.alert_at))
        top += band.above + band.below
    parts.extend(_time_axis(top))
    parts.append("</svg>")
    return "\n".join(parts)


def _draw_band(band: _Band, top: int, alert_at: datetime) -> Iterator[str]:
    """One trace with its name, and its calibration pulse or what stands in its place."""
    trace, y = band.trace, top + band.above
    name = _shortened(trace.lead or _TYPES.get(trace.type, trace.type), _LONGEST_LABEL)
    yield f'<text x="7" y="{top + 3.5}" font-size="3.2" font-weight="bold">{_text(name)}</text>'
    if band.is_scaled:
        # A millivolt for a fifth of a second.
        yield f'<path d="M8 {y}h2v-{MM_PER_MV}h{MM_PER_SECOND / 5:g}v{MM_PER_MV}h2" {_STROKE}/>'
        yield f'<text x="12.5" y="{y + 4}" font-size="2.5" text-anchor="middle">1 mV</text>'
    else:
        kind = "" if trace.lead is None else f"{_TYPES.get(trace.type, trace.type)}, "
        yield f'<text x="7" y="{top + 8}" font-size="2.5">{_text(kind)}no scale</text>'
    if band.is_cut_off:
        yield f'<text x="7" y="{top + band.above + band.below - 2}" font-size="2.5">cut off</text>'
    path = " ".join(_path(band, alert_at))
    yield f'<path transform="translate(0 {y}) scale(.01)" d="{path}" {_STROKE_IN_UNITS}/>'


def _path(band: _Band, alert_at: datetime) -> Iterator[str]:
    """The trace as path commands, in hundredths of a mm from the baseline; a gap is not drawn over."""
    ended_at: datetime | None = None
    x = y = 0
    for segment in band.trace.segments:
        points = _points(band, segment, alert_at)
        period = timedelta(seconds=1 / segment.sample_rate_hz)
        if ended_at is None or abs(segment.started_at - ended_at) > period:
            x, y = next(points)
            # The first line goes nowhere, so that a single sample is a dot.
            yield f"M{x} {y}l0 0"
        for next_x, next_y in points:
            yield f"{next_x - x} {next_y - y}"
            x, y = next_x, next_y
        ended_at = segment.ended_at


def _points(band: _Band, segment: Segment, alert_at: datetime) -> Iterator[tuple[int, int]]:
    """Each sample; where they are too many, the lowest and the highest of each column, as they came."""
    start = (ALERT_X_MM + (segment.started_at - alert_at).total_seconds() * MM_PER_SECOND) * UNITS_PER_MM
    step = MM_PER_SECOND * UNITS_PER_MM / segment.sample_rate_hz
    highest, lowest = -band.above * UNITS_PER_MM, band.below * UNITS_PER_MM
    factor = -band.mm_per_unit * UNITS_PER_MM
    counts = segment.integers()
    for index in _drawn(counts, step, start):
        value = segment.offset + counts[index] * segment.scale
        y = (value - band.baseline) * factor
        yield round(start + index * step), round(min(max(y, highest), lowest))


def _drawn(counts: Iterable[int], step: float, start: float) -> Iterator[int]:
    """The places of the samples that are drawn."""
    counts = list(counts)
    if step >= COLUMN_UNITS / 2:
        yield from range(len(counts))
        return
    first, column = 0, floor(start / COLUMN_UNITS)
    while first < len(counts):
        column += 1
        stop = min(len(counts), max(first + 1, ceil((column * COLUMN_UNITS - start) / step)))
        of_column = range(first, stop)
        lowest, highest = min(of_column, key=counts.__getitem__), max(of_column, key=counts.__getitem__)
        yield from sorted({lowest, highest})
        first = stop


def _band(trace: Trace) -> _Band:
    """The place that a trace needs."""
    extremes = [
        segment.offset + count * segment.scale
        for segment in trace.segments
        for count in (min(segment.integers()), max(segment.integers()))
    ]
    lowest, highest = min(extremes), max(extremes)
    mm_per_unit = _SCALES.get((trace.type, trace.unit))
    if mm_per_unit is None:
        # Halves, because the whole of what a float can say is more than a float can say.
        half = highest / 2 - lowest / 2
        fill = UNSCALED_MM / 2 / half if half else 0.0
        return _Band(trace, 2 * BOX_MM, 2 * BOX_MM, fill, lowest / 2 + highest / 2, is_scaled=False, is_cut_off=False)
    middle = max(trace.segments, key=lambda segment: segment.length)
    baseline = middle.offset + median_low(middle.integers()) * middle.scale
    above, below = (highest - baseline) * mm_per_unit, (baseline - lowest) * mm_per_unit
    return _Band(
        trace,
        _boxes(above, LEAST_ABOVE_MM),
        _boxes(below, LEAST_BELOW_MM),
        mm_per_unit,
        baseline,
        is_scaled=True,
        is_cut_off=max(above, below) > MOST_MM,
    )


def _boxes(needed_mm: float, least_mm: int) -> int:
    """Whole boxes of paper, with a little air."""
    return min(MOST_MM, max(least_mm, BOX_MM * ceil((min(needed_mm, MOST_MM) + 1) / BOX_MM)))


def _time_axis(bottom: int) -> Iterator[str]:
    """Seconds from the alert, and a line where it is."""
    for second in range(-int(BEFORE.total_seconds()), int(AFTER.total_seconds()) + 1):
        x = ALERT_X_MM + second * MM_PER_SECOND
        label = f"{second:+d} s".replace("-", "−") if second else "alert"
        weight = "" if second else ' font-weight="bold"'
        yield f'<path d="M{x:g} {bottom}v1.5" stroke="#000" stroke-width=".3"/>'
        yield f'<text x="{x:g}" y="{bottom + 5}" font-size="3" text-anchor="middle"{weight}>{label}</text>'
    yield (
        f'<path d="M{ALERT_X_MM:g} {HEADER_MM}V{bottom}" stroke="#000" stroke-width=".3" stroke-dasharray="2 1"/>'
        f'<path d="M{ALERT_X_MM:g} {HEADER_MM}l-1.5 -2.5h3z"/>'
    )


def _reading_order(trace: Trace) -> tuple[int, int, str]:
    lead = (trace.lead or "").upper().removeprefix("ML")  # MLII is II, with the electrodes on the trunk
    types = tuple(_TYPES)
    return (
        types.index(trace.type) if trace.type in types else len(types),
        _LEADS.index(lead) if lead in _LEADS else len(_LEADS),
        lead,
    )


def _title(heading: Heading) -> str:
    return f"{heading.symbol} {heading.condition}: {'; '.join(heading.reasons)}"


def _description(strip: Strip, heading: Heading) -> str:
    names = ", ".join(trace.lead or _TYPES.get(trace.type, trace.type) for trace in strip.traces)
    state = "complete" if strip.is_complete else "incomplete"
    return (
        f"Alert {strip.alert_id} of patient {strip.patient_id} at {_when(strip.alert_at)}: {_title(heading)}. "
        f"Traces: {names}; from {-BEFORE.total_seconds():g} s to +{AFTER.total_seconds():g} s, {state}."
    )


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(text: str) -> str:
    """Any text, such that XML takes it for text."""
    return escape(_NO_XML.sub("\ufffd", text))


_STROKE: Final = 'fill="none" stroke="#000" stroke-width=".3" stroke-linejoin="round"'
_STROKE_IN_UNITS: Final = 'fill="none" stroke="#000" stroke-width="30" stroke-linejoin="round" stroke-linecap="round"'

#: A large box of 25 small ones; darker than the small lines also where it is printed in black and white.
_DEFINITIONS: Final = (
    '<defs><pattern id="grid" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M1 0V5M2 0V5M3 0V5M4 0V5M0 1H5M0 2H5M0 3H5M0 4H5" stroke="#f2c9c3" stroke-width=".1"/>'
    '<path d="M0 0V5M5 0V5M0 0H5M0 5H5" stroke="#d98880" stroke-width=".2"/>'
    "</pattern></defs>"
)
