"""The demo's patients: plausible, repeatable, and some of them in trouble in time."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from app.commands.demo.simulator import CYCLE_SECONDS, PATIENTS, Patient, Second, simulate
from app.commands.demo.ward import BEDS
from app.commands.readings import UNITS
from app.commands.recordings import Row
from app.commands.report.alarms import play
from app.modules.alerts.rules.file import load_rules
from app.modules.vitals.signs import NUMERICS

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

#: What the shipped rules make of each patient in the first cycle: condition, tier, and between which seconds it begins.
SCRIPTED = {
    "bed-2": [("respiratory_rate_high", "slight", 225, 260)],
    "bed-3": [("spo2_low", "moderate", 10, 25), ("spo2_low", "critical", 275, 295)],
    "bed-5": [("heart_rate_high", "moderate", 140, 165)],
}

EVENTFUL = next(patient for patient in PATIENTS if patient.id == "bed-3")
LOOSE = next(patient for patient in PATIENTS if patient.electrode)
QUIET = [patient for patient in PATIENTS if patient.id not in SCRIPTED]


def seconds(patient: Patient, count: int, seed: int = 1) -> list[Second]:
    return list(islice(simulate(patient, seed), count))


def shown(patient: Patient, count: int, seed: int = 1) -> list[dict[str, float]]:
    return [second.numerics for second in seconds(patient, count, seed)]


def test_every_bed_has_a_patient() -> None:
    assert [patient.id for patient in PATIENTS] == [bed.id for bed in BEDS]


def test_the_same_seed_gives_the_same_patient_and_another_does_not() -> None:
    assert seconds(EVENTFUL, 300) == seconds(EVENTFUL, 300)
    assert seconds(EVENTFUL, 300) != seconds(EVENTFUL, 300, seed=2)
    assert shown(QUIET[0], 60) != shown(QUIET[1], 60)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_numerics_come_as_often_as_a_monitor_gives_them(patient: Patient) -> None:
    taken = seconds(patient, 600)
    assert all(second.numerics.keys() >= EVERY_SECOND for second in taken if not second.is_lead_off)
    assert taken[0].numerics.keys() == UNITS.keys()
    assert 20 <= sum("systolic_bp" in second.numerics for second in taken) <= 22
    assert 10 <= sum("temperature" in second.numerics for second in taken) <= 12
    for second in taken:
        pressures = {"systolic_bp", "diastolic_bp", "mean_bp"} & second.numerics.keys()
        assert len(pressures) in {0, 3}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patient", QUIET, ids=lambda patient: patient.id)
def test_a_quiet_patient_never_crosses_a_limit(patient: Patient, seed: int) -> None:
    for numerics in shown(patient, HALF_AN_HOUR, seed):
        for kind, value in numerics.items():
            least, most = LIMITS[kind]
            assert least < value <= most, (kind, value)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_nothing_jumps_from_one_second_to_the_next(patient: Patient) -> None:
    for before, after in pairwise(shown(patient, HALF_AN_HOUR)):
        assert abs(after["spo2"] - before["spo2"]) <= 4
        assert abs(after["pulse"] - before["pulse"]) <= 9
        assert abs(after["pulse"] - after.get("heart_rate", after["pulse"])) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_eventful_patient_is_well_at_first_and_low_within_half_a_minute(seed: int) -> None:
    numerics = shown(EVENTFUL, 215, seed)
    assert all(second["spo2"] >= 94 for second in numerics[:8])
    assert min(second["spo2"] for second in numerics[:30]) <= 84
    assert all(80 <= second["spo2"] <= 85 for second in numerics[30:])
    assert numerics[30]["heart_rate"] >= numerics[0]["heart_rate"] + 20


def test_the_eventful_patient_recovers_and_falls_again_in_the_next_cycle() -> None:
    numerics = shown(EVENTFUL, 2 * CYCLE_SECONDS)
    recovered = numerics[470 : CYCLE_SECONDS + 8]
    assert all(second["spo2"] >= 94 for second in recovered)
    assert min(second["spo2"] for second in numerics[CYCLE_SECONDS : CYCLE_SECONDS + 30]) <= 84


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.id)
def test_the_shipped_rules_alarm_as_scripted_and_for_nothing_else(patient: Patient, seed: int) -> None:
    rows = [Row(float(at), numerics) for at, numerics in enumerate(shown(patient, CYCLE_SECONDS, seed))]
    alarms = play(patient.id, rows, load_rules(None, signs=NUMERICS)).alarms
    scripted = SCRIPTED.get(patient.id, [])
    assert [(alarm.condition, alarm.tier) for alarm in alarms] == [(name, tier) for name, tier, _, _ in scripted]
    for alarm, (_, _, earliest, latest) in zip(alarms, scripted, strict=True):
        assert earliest <= alarm.began_seconds <= latest
        assert alarm.ended_seconds < CYCLE_SECONDS - 60


def test_without_an_electrode_a_monitor_has_neither_heart_rate_nor_respiration() -> None:
    taken = seconds(LOOSE, CYCLE_SECONDS)
    off = [second for second in taken if second.is_lead_off]
    assert 30 <= len(off) <= 60
    assert all(second.numerics.keys() & EVERY_SECOND == {"pulse", "spo2"} for second in off)
