"""PURE: numbers made of numbers, and how they are written."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(ordered: Sequence[int], share: float) -> int:
    """The smallest value that at least this share of them do not exceed; 0 where there is none."""
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1))]


@dataclass(frozen=True, slots=True)
class Latency:
    """From publishing to receipt, in milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, latencies_ns: array[int]) -> Latency:
        ordered = sorted(latencies_ns)
        return cls(
            percentile(ordered, 0.5) / 1e6, percentile(ordered, 0.99) / 1e6, (ordered[-1] if ordered else 0) / 1e6
        )


def ratio(above: float | None, below: float | None) -> float | None:
    """None where either is missing or nothing."""
    return above / below if above and below else None


def number(value: float) -> str:
    """With so many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
