"""The demo's patients: plausible, repeatable, and one of them in trouble in time."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from app.commands.demo.simulator import PATIENTS, Desaturation, Patient, simulate
from app.commands.demo.ward import BEDS
from app.commands.readings import UNITS

EVERY_SECOND = {"heart_rate", "pulse", "spo2", "respiratory_rate"}
HALF_AN_HOUR = 1800

#: What an adult's monitor alarms at by default.
LIMITS = {
    "heart_rate": (50, 120),
    "pulse": (50, 120),
    "spo2": (90, 100),
    "respiratory_rate": (8, 30),
    "systolic_bp": (90, 160),
    "diastolic_bp": (50, 90),
    "mean_bp": (60, 110),
    "temperature": (35, 39),
}

(EVENTFUL,) = (patient for patient in PATIENTS if patient.script)
QUIET = [patient for patient in PATIENTS if not patient.script]


def seconds(patient: Patient, count: int, seed: int = 1) -> list[dict[str, float]]:
    return list(islice(simulate(patient, seed), count))


def test_every_bed_has_a_patient() -> None:
    assert [patient.id for patient in PATIENTS] == [bed.id for bed in BEDS]


def test_the_same_seed_gives_the_same_patient_and_another_does_not() -> None:
    assert seconds(EVENTFUL, 300) == seconds(EVENTFUL, 300)
    assert seconds(EVENTFUL, 300) != seconds(EVENTFUL, 300, seed=2)
    assert seconds(QUIET[0], 60) != seconds(QUIET[1], 60)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_numerics_come_as_often_as_a_monitor_gives_them(patient: Patient) -> None:
    shown = seconds(patient, 600)
    assert all(numerics.keys() >= EVERY_SECOND for numerics in shown)
    assert shown[0].keys() == UNITS.keys()
    assert 20 <= sum("systolic_bp" in numerics for numerics in shown) <= 22
    assert 10 <= sum("temperature" in numerics for numerics in shown) <= 12
    for numerics in shown:
        pressures = {"systolic_bp", "diastolic_bp", "mean_bp"} & numerics.keys()
        assert len(pressures) in {0, 3}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patient", QUIET, ids=lambda patient: patient.id)
def test_a_quiet_patient_never_crosses_a_limit(patient: Patient, seed: int) -> None:
    for numerics in seconds(patient, HALF_AN_HOUR, seed):
        for kind, value in numerics.items():
            least, most = LIMITS[kind]
            assert least < value <= most, (kind, value)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_nothing_jumps_from_one_second_to_the_next(patient: Patient) -> None:
    for before, after in pairwise(seconds(patient, HALF_AN_HOUR)):
        assert abs(after["spo2"] - before["spo2"]) <= 4
        assert abs(after["heart_rate"] - before["heart_rate"]) <= 9
        assert abs(after["pulse"] - after["heart_rate"]) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_eventful_patient_is_well_at_first_and_low_within_half_a_minute(seed: int) -> None:
    shown = seconds(EVENTFUL, 240, seed)
    assert all(numerics["spo2"] >= 94 for numerics in shown[:8])
    assert min(numerics["spo2"] for numerics in shown[:30]) <= 84
    assert all(80 <= numerics["spo2"] <= 85 for numerics in shown[30:])
    assert shown[30]["heart_rate"] >= shown[0]["heart_rate"] + 20


def test_the_eventful_patient_recovers_and_falls_again() -> None:
    script = EVENTFUL.script or Desaturation()
    cycle = int(script.cycle_seconds)
    shown = seconds(EVENTFUL, 2 * cycle)
    recovered = shown[int(script.well_at) : cycle + int(script.falls_at)]
    assert len(recovered) >= 60
    assert all(numerics["spo2"] >= 94 for numerics in recovered)
    assert min(numerics["spo2"] for numerics in shown[cycle : cycle + 30]) <= 84
