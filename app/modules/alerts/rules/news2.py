"""PURE: the National Early Warning Score 2.

Royal College of Physicians: National Early Warning Score (NEWS) 2, London 2017; the table is free to use
with this acknowledgement. What has not been measured scores nothing, so that a total is never more than
what is certain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Up to and including this value it scores so much; the last of a row has no end.
_Row = tuple[tuple[float, int], ...]

_END: Final = math.inf

RESPIRATORY_RATE: Final[_Row] = ((8, 3), (11, 1), (20, 0), (24, 2), (_END, 3))
SPO2_SCALE_1: Final[_Row] = ((91, 3), (93, 2), (95, 1), (_END, 0))
SPO2_SCALE_2_ON_AIR: Final[_Row] = ((83, 3), (85, 2), (87, 1), (_END, 0))
SPO2_SCALE_2_ON_OXYGEN: Final[_Row] = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (_END, 3))
SYSTOLIC_BP: Final[_Row] = ((90, 3), (100, 2), (110, 1), (219, 0), (_END, 3))
PULSE: Final[_Row] = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (_END, 3))
TEMPERATURE: Final[_Row] = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (_END, 2))

ON_OXYGEN: Final = 2

#: New confusion, voice, pain, unresponsive: everything but alert.
NOT_ALERT: Final = 3


@dataclass(frozen=True, slots=True)
class Observations:
    """What was measured; none for what was not.

    Attributes:
        respiratory_rate: /min.
        spo2: %.
        oxygen: above 0 where the patient is given any.
        systolic_bp: mmHg.
        pulse: /min.
        consciousness: the place among A C V P U, so that 0 is alert.
        temperature: degrees Celsius.
    """

    respiratory_rate: float | None = None
    spo2: float | None = None
    oxygen: float | None = None
    systolic_bp: float | None = None
    pulse: float | None = None
    consciousness: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Points by parameter; a parameter that was not measured is not among them."""

    points: Mapping[str, int]

    @property
    def total(self) -> int:
        """0 to 20."""
        return sum(self.points.values())

    @property
    def highest(self) -> int:
        """The most points that a single parameter has, 0 to 3."""
        return max(self.points.values(), default=0)

    @property
    def is_complete(self) -> bool:
        """Whether all seven parameters were measured."""
        return len(self.points) == len(Observations.__slots__)


def score(seen: Observations, *, spo2_scale: int = 1) -> Score:
    """The points of these observations.

    Args:
        spo2_scale: 2 only where a clinician has set it for this patient (88 to 92 % is their target).
    """
    points = {
        "respiratory_rate": _points(RESPIRATORY_RATE, seen.respiratory_rate),
        "spo2": _points(_spo2_row(spo2_scale, seen.oxygen), seen.spo2),
        "oxygen": None if seen.oxygen is None else ON_OXYGEN * (seen.oxygen > 0),
        "systolic_bp": _points(SYSTOLIC_BP, seen.systolic_bp),
        "pulse": _points(PULSE, seen.pulse),
        "consciousness": None if seen.consciousness is None else NOT_ALERT * (seen.consciousness > 0),
        "temperature": _points(TEMPERATURE, seen.temperature, decimals=1),
    }
    return Score({name: its_points for name, its_points in points.items() if its_points is not None})


def _spo2_row(scale: int, oxygen: float | None) -> _Row:
    if scale == 1:
        return SPO2_SCALE_1
    # Where nobody has said that oxygen is given, the points are those that are certain: on air.
    return SPO2_SCALE_2_ON_OXYGEN if oxygen else SPO2_SCALE_2_ON_AIR


def _points(row: _Row, value: float | None, *, decimals: int = 0) -> int | None:
    """The points of a value, rounded (halves up) to what is written on the chart: 91.6 % is 92 %."""
    if value is None:
        return None
    charted = math.floor(value * 10**decimals + 0.5) / 10**decimals
    return next(points for highest, points in row if charted <= highest)
