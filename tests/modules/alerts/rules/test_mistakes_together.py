"""Of several mistakes in one rules file each is told, whatever the others are."""

from __future__ import annotations

import pytest

from tests.modules.alerts.rules.ward_file import (
    Change,
    condition,
    level,
    levels,
    told,
)


def test_what_entries_say_of_one_another_is_looked_at_whatever_else_is_wrong_with_them() -> None:
    """Fails where the file must be right by itself first (checked so)."""
    found = told(
        lambda it: it.update(maxReadingAgeSeconds="long"),
        lambda it: condition(it, colour="red", unit="Hz"),
        lambda it: level(it, 1).update(when={"above": 110}, smaples=3),
        lambda it: it["conditions"][0]["levels"].append({"tier": "fatal", "when": {"above": 1}}),
        lambda it: it["conditions"][1].update(name="heart_rate_high", vitalType="hr", clear={"hysteresis": -1}),
    )
    assert sorted(place for place, _ in found) == [
        "conditions[0].colour",
        "conditions[0].levels",
        "conditions[0].levels[1].smaples",
        "conditions[0].levels[2].tier",
        "conditions[0].unit",
        "conditions[1].clear.hysteresis",
        "conditions[1].name",
        "conditions[1].vitalType",
        "maxReadingAgeSeconds",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [
                lambda it: condition(
                    it, levels=levels({"outside": [50, 120]}, {"outside": [55, 110]}, {"outside": [60, 100]})
                )
            ],
            [
                ("conditions[0].levels", "the limit of `moderate` (55) must be below that of `slight` (50)"),
                ("conditions[0].levels", "the limit of `moderate` (110) must be above that of `slight` (120)"),
                ("conditions[0].levels", "the limit of `critical` (60) must be below that of `slight` (50)"),
                ("conditions[0].levels", "the limit of `critical` (100) must be above that of `slight` (120)"),
            ],
        ),
        (
            [
                lambda it: level(it, 1).update(when={"above": 110}),
                lambda it: it["conditions"][1].update(levels=levels({"below": 115})),
                lambda it: it["conditions"].append(
                    it["conditions"][1] | {"name": "third", "levels": levels({"below": 130})}
                ),
            ],
            [
                ("conditions[0].levels", "the limit of `critical` (110) must be above that of `moderate` (120)"),
                ("conditions[1].levels", "no value would be normal: `heart_rate_low` alarms below 115, "
                 "`heart_rate_high` above 110"),
                ("conditions[2].levels", "no value would be normal: `third` alarms below 130, "
                 "`heart_rate_high` above 110"),
            ],
        ),
        (
            [
                lambda it: condition(it, colour="red", clear={"hysteresis": 500, "samples": 0}),
                lambda it: level(it, 1).update(tier="moderate", samples=0),
                lambda it: it["conditions"][1].update(levels=levels({"all": [{"below": 40}, {"below": 30}]})),
                lambda it: it["conditions"][1]["levels"][0].update(burden=5, colour="red"),
            ],
            [
                ("conditions[0].clear.hysteresis", "with this no value of `heart_rate` would be normal again"),
                ("conditions[0].clear.samples", "input should be greater than or equal to 1"),
                ("conditions[0].colour", "there is no such field here"),
                ("conditions[0].levels[1].samples", "input should be greater than or equal to 1"),
                ("conditions[0].levels[1].tier", "the tier `moderate` stands there twice"),
                ("conditions[1].levels[0].burden",
                 "`burden` is of one limit: `all`, `any` and `noReadingForSeconds` have no magnitude"),
                ("conditions[1].levels[0].colour", "there is no such field here"),
            ],
        ),
        (
            [
                lambda it: it["conditions"].pop(),
                lambda it: condition(
                    it,
                    vitalType="spo2",
                    unit="%",
                    levels=levels(
                        {"any": [{"below": 90}, {"abov": 99}, {"below": 200}, {"below": -1, "colour": "red"}]}
                    ),
                ),
            ],
            [
                ("conditions[0].levels[0].when.any[1]", "say what must hold with exactly one of above, below, outside, "
                 "rise, fall, change, noReadingForSeconds, news2Total, news2Single, all, any"),
                ("conditions[0].levels[0].when.any[2].below", "`spo2` is between 0 and 100 %: it is always below 200"),
                ("conditions[0].levels[0].when.any[3].below", "`spo2` is between 0 and 100 %: it is never below -1"),
                ("conditions[0].levels[0].when.any[3].colour", "there is no such field here"),
            ],
        ),
    ],
)  # fmt: skip
def test_no_mistake_hides_another(changes: list[Change], expected: list[tuple[str, str]]) -> None:
    assert sorted(told(*changes)) == sorted(expected)


def test_what_cannot_be_read_is_not_taken_for_something_else() -> None:
    """An unknown sign is not the condition's, and beside an unknown part an `all` may be back."""
    assert [place for place, _ in told(
        lambda it: level(it, 1).update(when={"any": [{"above": 190}, {"vitalType": 5, "below": 300}]}),
        lambda it: it["conditions"][1].update(
            vitalType=None, levels=levels({"all": [{"below": 300}, {"abov": 1}]}), clear={"hysteresis": 400}
        ),
    )] == [
        "conditions[0].levels[1].when.any[1].vitalType",
        "conditions[1].vitalType",
        "conditions[1].levels[0].when.all[1]",
    ]  # fmt: skip
