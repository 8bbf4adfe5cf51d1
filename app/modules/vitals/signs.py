"""PURE: the vital signs there are, their units, and what can be at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Numeric:
    """A vital sign that is one number.

    Attributes:
        unit: how we write it; empty where there is none.
        spellings: how devices write it too, in lower case.
        lowest: below this it is a broken sensor or a broken sender, not a patient; in `unit`.
        highest: the same, above.
    """

    unit: str
    spellings: frozenset[str]
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class WaveformSign:
    """A vital sign that is a curve: the unit when none is told, and spellings of those accepted.

    Attributes:
        spellings: from how devices write a unit to how we do; none where any short text will do,
            because the curve has a shape and no scale.
    """

    unit: str
    spellings: Mapping[str, str] | None


HEART_RATE: Final = "heart_rate"
CONSCIOUSNESS: Final = "consciousness"
OXYGEN: Final = "oxygen_supplement"

#: Alert, new confusion, responds to voice, responds to pain, unresponsive: stored as their positions.
CONSCIOUSNESS_LEVELS: Final = ("A", "C", "V", "P", "U")

LONGEST_UNIT: Final = 16

_PER_MINUTE = frozenset({"/min", "1/min", "bpm", "min-1", "{beats}/min", "beats/min", "{breaths}/min", "breaths/min"})
_PERCENT = frozenset({"%"})
_PRESSURE = frozenset({"mmhg", "mm[hg]"})
_CELSIUS = frozenset({"cel", "°c", "℃", "c", "degc"})
_FLOW = frozenset({"l/min", "lpm"})

NUMERICS: Final[Mapping[str, Numeric]] = {
    HEART_RATE: Numeric("/min", _PER_MINUTE, 0, 350),
    "spo2": Numeric("%", _PERCENT, 0, 100),
    "respiratory_rate": Numeric("/min", _PER_MINUTE, 0, 150),
    "systolic_bp": Numeric("mmHg", _PRESSURE, 0, 400),
    "diastolic_bp": Numeric("mmHg", _PRESSURE, 0, 300),
    "mean_bp": Numeric("mmHg", _PRESSURE, 0, 350),
    "temperature": Numeric("Cel", _CELSIUS, 10, 50),
    "pulse": Numeric("/min", _PER_MINUTE, 0, 350),
    CONSCIOUSNESS: Numeric("", frozenset({""}), 0, len(CONSCIOUSNESS_LEVELS) - 1),
    OXYGEN: Numeric("L/min", _FLOW, 0, 100),
}

WAVEFORMS: Final[Mapping[str, WaveformSign]] = {
    "ecg": WaveformSign("mV", {"mV": "mV", "uV": "uV", "µV": "uV", "μV": "uV"}),
    "pleth": WaveformSign("", None),
    "resp_wave": WaveformSign("", None),
}


def canonical_unit(vital_type: str, spelling: str | None, *, is_yes_or_no: bool) -> str | None:
    """How we write the unit that a numeric came with; `None` when it cannot be its unit.

    A unit that is left out is taken for ours. Oxygen that is only given or not given has none.
    """
    sign = NUMERICS[vital_type]
    if is_yes_or_no:
        return None if spelling else ""
    if spelling is None or spelling.strip().lower() in sign.spellings:
        return sign.unit
    return None


def canonical_waveform_unit(vital_type: str, spelling: str | None) -> str | None:
    """How we write the unit that a waveform came with; `None` when it cannot be its unit."""
    sign = WAVEFORMS[vital_type]
    if spelling is None:
        return sign.unit
    if sign.spellings is None:
        return spelling if spelling.isprintable() and len(spelling) <= LONGEST_UNIT else None
    return sign.spellings.get(spelling)
