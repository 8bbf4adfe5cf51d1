"""PURE: the alarm load as a bar chart in SVG, which prints in black and white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10
from typing import Final, Protocol
from xml.sax.saxutils import escape

WIDTH: Final = 860
_LABELS: Final = 250
_RIGHT: Final = 110
_BAR: Final = 18
_GAP: Final = 14
_TOP: Final = 84

#: What there is room for beside the bars, and above them.
_LONGEST_LABEL: Final = 32
_LONGEST_NAME: Final = 28

#: Told apart by lightness as well as by hue.
_COLOURS: Final = ("#1f4e79", "#9db8d2")


class Bars(Protocol):
    """One set of rules.

    Attributes:
        name: of the rules.
        hours: patient-hours.
    """

    @property
    def name(self) -> str: ...
    @property
    def hours(self) -> float: ...
    def count(self, condition: str) -> int: ...
    def short(self, condition: str) -> int: ...


def draw(title: str, conditions: Sequence[str], loads: Sequence[Bars], *, short_seconds: float) -> str:
    """A bar for each condition and set of rules: alarms per patient-hour; the hatched part is what was short."""
    group = len(loads) * _BAR + _GAP
    height = _TOP + max(1, len(conditions)) * group + 46
    longest = max([_rate(load, load.count(it)) for load in loads for it in conditions], default=0.0) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        '<defs><pattern id="short" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2.5" height="6" fill="#ffffff"/></pattern></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="17" font-weight="600">{escape(title)}</text>',
        *_legend(loads, short_seconds),
        *_grid(longest, height),
    ]
    for row, condition in enumerate(conditions):
        top = _TOP + row * group
        middle = top + len(loads) * _BAR / 2 + 5
        parts.append(
            f'<text x="{_LABELS - 10}" y="{middle:g}" text-anchor="end">{_name(condition, _LONGEST_LABEL)}</text>'
        )
        for number, load in enumerate(loads):
            parts += _bar(load, condition, number, top + number * _BAR, longest)
    if not conditions:
        parts.append(f'<text x="{_LABELS}" y="{_TOP + 16}">no alarms</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(load: Bars, condition: str, number: int, top: float, longest: float) -> Iterator[str]:
    count, short = load.count(condition), load.short(condition)
    width, hatched = (_length(_rate(load, it), longest) for it in (count, short))
    bar = f'y="{top:g}" height="{_BAR - 3}"'
    yield f'<rect x="{_LABELS}" {bar} width="{width:.1f}" fill="{_COLOURS[number % 2]}"/>'
    if short:
        yield f'<rect x="{_LABELS + width - hatched:.1f}" {bar} width="{hatched:.1f}" fill="url(#short)"/>'
    label = f"{_rate(load, count):.2f}  ({count})" if count else "0"
    place = f'x="{_LABELS + width + 6:.1f}" y="{top + _BAR - 6:g}" font-size="12"'
    # The white around it keeps the lines of the grid out of the figures.
    yield f'<text {place} stroke="#ffffff" stroke-width="4" paint-order="stroke">{label}</text>'


def _legend(loads: Sequence[Bars], short_seconds: float) -> Iterator[str]:
    x = 16.0
    for number, load in enumerate(loads):
        yield f'<rect x="{x:g}" y="44" width="14" height="14" fill="{_COLOURS[number % 2]}"/>'
        yield f'<text x="{x + 20:g}" y="56">{_name(load.name, _LONGEST_NAME)}</text>'
        x += 40 + 7.5 * min(len(load.name), _LONGEST_NAME)
    yield f'<rect x="{x:g}" y="44" width="14" height="14" fill="{_COLOURS[0]}"/>'
    yield f'<rect x="{x:g}" y="44" width="14" height="14" fill="url(#short)"/>'
    yield f'<text x="{x + 20:g}" y="56">hatched: over in less than {short_seconds:g} s</text>'


def _name(text: str, length: int) -> str:
    """A name that fits; what does not is told where one points at it."""
    if len(text) <= length:
        return escape(text)
    return f"{escape(text[: length - 1])}…<title>{escape(text)}</title>"


def _grid(longest: float, height: float) -> Iterator[str]:
    for rate in round_steps(longest):
        x = _LABELS + _length(rate, longest)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{height - 34}" stroke="#d0d0d0"/>'
        yield f'<text x="{x:.1f}" y="{height - 16}" text-anchor="middle" fill="#444444">{rate:g}</text>'
    yield f'<text x="{_LABELS - 10}" y="{height - 16}" text-anchor="end" fill="#444444">alarms per patient-hour</text>'


def round_steps(highest: float) -> list[float]:
    """0 and two to five places more on an axis, up to `highest`, by 1, 2 or 5 times a power of ten."""
    smallest = floor(log10(highest / 5))
    factor, power = next(
        (factor, power)
        for power in (smallest, smallest + 1)
        for factor in (1, 2, 5)
        if factor * 10.0**power * 6 > highest
    )
    # Read as it would be written, so that three steps of a tenth are 0.3.
    places = [float(f"{number * factor}e{power}") for number in range(6)]
    return [place for place in places if place <= highest]


def _length(rate: float, longest: float) -> float:
    return rate / longest * (WIDTH - _LABELS - _RIGHT)


def _rate(load: Bars, count: int) -> float:
    return count / load.hours if load.hours else 0.0
