"""Rules that could never be met, or whose alarm would never end, are refused; those on the edge are not."""

from __future__ import annotations

import json

import pytest

from app.modules.alerts.rules.checks import RESERVED_NAMES
from app.modules.alerts.rules.file import parse_rules
from app.modules.devices.conditions import OF_DEVICE
from app.modules.devices.sensors import ASYSTOLE, SIGNAL_BAD, lead_condition
from app.modules.vitals.signs import NUMERICS
from tests.modules.alerts.rules.ward_file import (
    Change,
    Document,
    condition,
    document,
    level,
    levels,
    told,
)

RESPIRING_FAST: Document = {"vitalType": "respiratory_rate", "above": 24}


@pytest.mark.parametrize(
    ("change", "place", "advice"),
    [
        (lambda it: condition(it, vitalType="hr"), "conditions[0].vitalType", "`hr` is none of consciousness, diast"),
        (lambda it: condition(it, unit="Hz"), "conditions[0].unit", "heart_rate is measured in `/min`"),
        (
            lambda it: condition(
                it, levels=levels({"all": [{"below": 50}, {"any": [{"above": 9}, {"vitalType": "x", "below": 1}]}]})
            ),
            "conditions[0].levels[0].when.all[1].any[1].vitalType",
            "`x` is none of",
        ),
        (
            lambda it: condition(it, vitalType="news2", unit="", levels=levels({"above": 5})),
            "conditions[0].levels[0].when",
            "`news2` is a score and no reading: use news2Total",
        ),
        (
            lambda it: condition(
                it, vitalType="news2", unit="", levels=levels({"all": [{"news2Total": 5}, {"below": 2}]})
            ),
            "conditions[0].levels[0].when.all[1]",
            "`news2` is a score",
        ),
        (
            lambda it: level(it, 1).update(when={"above": 350}),
            "conditions[0].levels[1].when.above",
            "`heart_rate` is between 0 and 350 /min: it is never above 350",
        ),
        (
            lambda it: condition(it, vitalType="pulse", levels=levels({"above": -1})),
            "conditions[0].levels[0].when.above",
            "always above -1",
        ),
        (lambda it: condition(it, levels=levels({"below": 0})), "conditions[0].levels[0].when.below", "never below 0"),
        (lambda it: condition(it, levels=levels({"below": 999})), "levels[0].when.below", "always below 999"),
        (lambda it: condition(it, levels=levels({"outside": [40, 400]})), "levels[0].when.outside", "never above 400"),
        (
            lambda it: condition(it, levels=levels({"any": [{"rise": 351, "withinSeconds": 9}, {"news2Total": 7}]})),
            "conditions[0].levels[0].when.any[0].rise",
            "never moves by 351",
        ),
        (lambda it: condition(it, name="asystole"), "conditions[0].name", "a name that the server uses itself"),
        (lambda it: condition(it, name="device_silent"), "conditions[0].name", "a name that the server uses itself"),
        (lambda it: condition(it, name="lead_off:ecg:II"), "conditions[0].name", "a name that the server uses itself"),
        (
            lambda it: condition(it, levels=levels({"news2Total": 7}, {"news2Total": 5})),
            "conditions[0].levels",
            "the limit of `moderate` (5) must be above that of `slight` (7)",
        ),
        (
            lambda it: condition(it, levels=levels({"noReadingForSeconds": 60}, {"noReadingForSeconds": 30})),
            "conditions[0].levels",
            "the limit of `moderate` (30) must be above that of `slight` (60)",
        ),
        (
            lambda it: condition(it, levels=levels({"rise": 20, "withinSeconds": 9}, {"rise": 10, "withinSeconds": 9})),
            "conditions[0].levels",
            "the limit of `moderate` (10) must be above that of `slight` (20)",
        ),
        (
            lambda it: it["conditions"][1].update(levels=levels({"below": 130})),
            "conditions[1].levels",
            "no value would be normal: `heart_rate_low` alarms below 130, `heart_rate_high` above 120",
        ),
        (
            lambda it: condition(it, levels=levels({"any": [{"below": 90}, {"above": 60}]})),
            "conditions[0].levels",
            "no value would be normal",
        ),
        (
            lambda it: condition(it, levels=levels({"outside": [50, 60]}), clear={"hysteresis": 6}),
            "conditions[0].clear.hysteresis",
            "with this no value of `heart_rate` would be normal again",
        ),
        (
            lambda it: condition(
                it, vitalType="spo2", unit="%", levels=levels({"below": 90}), clear={"hysteresis": 11}
            ),
            "conditions[0].clear.hysteresis",
            "no value of `spo2`",
        ),
        (
            lambda it: condition(it, levels=levels({"news2Total": 5}), clear={"hysteresis": 5}),
            "conditions[0].clear.hysteresis",
            "`when` asks for no more than 5",
        ),
        (
            lambda it: condition(it, levels=levels({"change": 5, "withinSeconds": 5}), clear={"hysteresis": 5}),
            "conditions[0].clear.hysteresis",
            "`when` asks for no more than 5",
        ),
        *(
            (lambda it, when=when: condition(it, levels=levels(when)), f"conditions[0].levels[0].when.{place}", advice)
            for when, place, advice in (
                ({"all": [{"below": 80}, {"above": 90}]}, "all", "never hold at once: no value of `heart_rate` is"),
                ({"all": [{"below": 80}, {"above": 80}]}, "all", "never hold at once: no value of `heart_rate` is"),
                ({"all": [{"below": 80}, {"all": [{"above": 90}, RESPIRING_FAST]}]}, "all", "no value of `heart_rate`"),
                ({"all": [{"outside": [60, 90]}, {"above": 65}, {"below": 85}]}, "all", "no value of `heart_rate` is"),
                ({"all": [{"rise": 30, "withinSeconds": 60}, {"below": 20}]}, "all", "no value of `heart_rate` is"),
                (
                    {"any": [{"above": 190}, {"all": [{"outside": [60, 90]}, {"any": [{"above": 65}, {"above": 70}]},
                                                      {"below": 85}]}]},
                    "any[1].all",
                    "no value of `heart_rate` is within all of them",
                ),
                (
                    {"all": [{"noReadingForSeconds": 600}, {"below": 90}]},
                    "all",
                    "never hold at once: after such a silence no value of `heart_rate` counts any more",
                ),
                ({"all": [{"noReadingForSeconds": 60}, {"below": 90, "maxAgeSeconds": 60}]}, "all", "such a silence"),
                (
                    {"all": [{"noReadingForSeconds": 60}, {"fall": 9, "withinSeconds": 60}]},
                    "all",
                    "after such a silence",
                ),
            )
        ),
        (
            lambda it: condition(
                it, vitalType="spo2", unit="%", levels=levels({"all": [{"below": 92}, RESPIRING_FAST]}),
                clear={"hysteresis": 30}
            ),
            "conditions[0].clear.hysteresis",
            "with this no value of `respiratory_rate` or `spo2` would be normal again",
        ),
        (
            lambda it: condition(
                it,
                vitalType="spo2",
                unit="%",
                levels=levels({"any": [{"below": 80}, {"all": [{"below": 92}, {"news2Total": 5}]}]}),
                clear={"hysteresis": 8.5},
            ),
            "conditions[0].clear.hysteresis",
            "with this no value of `spo2` would be normal again",
        ),
        (
            lambda it: condition(it, levels=levels({"any": [{"above": 50}, {"all": [{"below": 60}, {"below": 70}]}]})),
            "conditions[0].levels",
            "no value of `heart_rate` would be normal again",
        ),
    ],
)  # fmt: skip
def test_what_could_never_be_met_or_never_end_is_refused(change: Change, place: str, advice: str) -> None:
    [mistake] = told(change)
    assert mistake[0].endswith(place)
    assert advice in mistake[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"levels": levels({"outside": [50, 60]}), "clear": {"hysteresis": 5}},
        {"vitalType": "spo2", "unit": "%", "levels": levels({"below": 90}), "clear": {"hysteresis": 10}},
        {"vitalType": "consciousness", "unit": "", "levels": levels({"above": 0}, {"above": 3})},
        {"levels": levels({"news2Total": 5}, {"news2Single": 3}), "clear": {"hysteresis": 2}},
        {"levels": levels({"noReadingForSeconds": 60}, {"noReadingForSeconds": 90})},
        {"levels": levels({"rise": 20, "withinSeconds": 9}, {"rise": 10, "withinSeconds": 2})},
        {"levels": levels({"all": [{"above": 60}, {"below": 90}]}), "clear": {"hysteresis": 40}},
        {"name": "asystole_suspected"},
        {"name": "lead_offset"},
        {"levels": levels({"all": [{"below": 90}, {"above": 80}]})},
        {"levels": levels({"all": [{"noReadingForSeconds": 299}, {"below": 90}]})},
        {"levels": levels({"all": [{"noReadingForSeconds": 600}, RESPIRING_FAST]})},
        {"levels": levels({"all": [{"noReadingForSeconds": 600}, {"below": 90, "maxAgeSeconds": 601}]})},
        {"levels": levels({"any": [{"noReadingForSeconds": 600}, {"above": 150}]})},
        {"levels": levels({"all": [{"outside": [60, 90]}, {"above": 65}]})},
        {"levels": levels({"all": [{"rise": 30, "withinSeconds": 60}, {"below": 31}]})},
        {"levels": levels({"all": [{"change": 30, "withinSeconds": 60}, {"below": 20}]})},
        {"levels": levels({"all": [{"above": 100}, RESPIRING_FAST]}), "clear": {"hysteresis": 24}},
        {"levels": levels({"all": [{"news2Total": 5}, {"above": 100}]}), "clear": {"hysteresis": 60}},
        {"levels": levels({"any": [{"above": 100}, {"above": 120}]}, {"above": 110})},
        {
            "vitalType": "temperature",
            "unit": "Cel",
            "levels": levels({"outside": [36, 38]}),
            "clear": {"hysteresis": 1},
        },
        {"vitalType": "consciousness", "unit": "", "levels": levels({"all": [{"above": 0}, {"below": 3}]})},
        {"vitalType": "oxygen_supplement", "unit": "L/min", "levels": levels({"above": 0}, {"above": 10})},
    ],
)
def test_what_is_on_the_edge_is_right(fields: Document) -> None:
    right = document()
    condition(right, **fields)
    parse_rules(json.dumps(right).encode(), signs=NUMERICS)


def test_no_rule_may_have_a_name_under_which_the_server_raises_something_itself() -> None:
    names = [ASYSTOLE, SIGNAL_BAD, lead_condition("ecg", None), lead_condition("ecg", "II"), f"{OF_DEVICE}silent:x"]
    assert all(RESERVED_NAMES.fullmatch(name) for name in names)
