"""PURE: reads what a server says of itself in the Prometheus text format."""

from __future__ import annotations

import math
import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? (\S+)", re.MULTILINE)
_BOUND = re.compile(r'le="([^"]+)"')


def total(text: str, name: str) -> float | None:
    """The sum over all labels of a metric; none when there is no such metric."""
    values = [float(value) for found, _, value in _SAMPLE.findall(text) if found == name]
    return sum(values) if values else None


def buckets(text: str, name: str) -> dict[float, float]:
    """How many observations of a histogram were at most each bound; empty when there is no such histogram."""
    return {
        float(bound[1]): float(value)
        for found, labels, value in _SAMPLE.findall(text)
        if found == f"{name}_bucket" and (bound := _BOUND.search(labels))
    }


def since(before: dict[float, float], after: dict[float, float]) -> dict[float, float]:
    """What a histogram has taken in between two readings."""
    return {bound: number - before.get(bound, 0.0) for bound, number in after.items()}


def above(histogram: dict[float, float], bound: float) -> float | None:
    """How many observations were greater than a bound; none where the histogram has no such bound."""
    if bound not in histogram:
        return None
    return histogram[math.inf] - histogram[bound]


def longest(histogram: dict[float, float]) -> float:
    """The smallest bound that no observation exceeds; infinite when some exceed them all."""
    whole = histogram.get(math.inf, 0.0)
    return min((bound for bound, number in histogram.items() if number == whole), default=math.inf)
