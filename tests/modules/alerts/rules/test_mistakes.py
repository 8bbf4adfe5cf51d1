"""A mistake in a rules file is told, with its place and what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.modules.alerts.rules.file import Mistake, RulesFileError, load_rules, parse_rules
from app.modules.vitals.signs import NUMERICS
from tests.modules.alerts.rules.ward_file import (
    Change,
    Document,
    document,
    level,
    parsed,
    step,
)


@pytest.mark.parametrize(
    ("change", "line", "place", "advice"),
    [
        (lambda it: it.pop("tiers"), 1, "", "`tiers` is needed"),
        (lambda it: it.update(tier={}), 69, "tier", "no such field"),
        (lambda it: it.update(maxReadingAgeSeconds=0), 2, "maxReadingAgeSeconds", "greater than 0"),
        (lambda it: it.update(maxReadingAgeSeconds=86_401), 2, "maxReadingAgeSeconds", "less than or equal to 86400"),
        (lambda it: it["tiers"].pop("slight"), 3, "tiers", "`slight` is needed"),
        (lambda it: it["tiers"].update(fatal={"recipients": ["nurse"]}), None, "tiers.fatal", "no such field"),
        (lambda it: it["tiers"]["slight"].update(recipients=[]), 5, "tiers.slight.recipients", "at least 1"),
        (
            lambda it: it["tiers"]["slight"].update(recipients=["cook"]),
            6,
            "tiers.slight.recipients[0]",
            "use one of patient,",
        ),
        (lambda it: it["tiers"]["slight"].update(recipients=["device"]), 6, "tiers.slight.recipients[0]", "use one"),
        (lambda it: it["tiers"]["slight"].update(escalate=[]), 8, "tiers.slight.escalate", "no such field"),
        (lambda it: step(it).update(recipients=["device"]), None, "escalation[0].recipients[0]", "use one of"),
        (lambda it: step(it).update(recipients=[]), None, "tiers.moderate.escalation[0].recipients", "at least 1"),
        (lambda it: step(it).update(afterSeconds=-1), None, "tiers.moderate.escalation[0].afterSeconds", "than 0"),
        (lambda it: step(it).update(afterSeconds=1e300), None, "escalation[0].afterSeconds", "equal to 86400"),
        (lambda it: step(it).update(afterSeconds="60"), None, "tiers.moderate.escalation[0].afterSeconds", "number"),
        (lambda it: step(it).update(after=60), None, "tiers.moderate.escalation[0].after", "no such field"),
        (lambda it: level(it, 1).update(sample=3), None, "conditions[0].levels[1].sample", "no such field"),
        (lambda it: it["conditions"][1].update(type="x"), None, "conditions[1].type", "no such field"),
        (lambda it: it["conditions"][1].pop("unit"), None, "conditions[1]", "`unit` is needed"),
        (lambda it: it["conditions"][1].update(name="a b"), None, "conditions[1].name", "1 to 64 of A-Z"),
        (lambda it: it.update(tiers=[]), 3, "tiers", "must be an object"),
        (lambda it: it["conditions"][1].update(name="heart_rate_high"), None, "conditions[1].name", "used twice"),
        (
            lambda it: it["conditions"][1].update(clear={"samples": 0}),
            None,
            "conditions[1].clear.samples",
            "equal to 1",
        ),
        (lambda it: it["conditions"][1].update(clear={"hysteresis": -1}), None, "clear.hysteresis", "equal to 0"),
        (lambda it: it["conditions"][1].update(levels=[]), None, "conditions[1].levels", "at least 1"),
        (lambda it: level(it, 1).update(samples=0), None, "conditions[0].levels[1].samples", "equal to 1"),
        (lambda it: level(it, 1).update(samples=1001), None, "conditions[0].levels[1].samples", "equal to 1000"),
        (lambda it: level(it, 1).update(samples=2.5), None, "conditions[0].levels[1].samples", "integer"),
        (lambda it: level(it, 1).update(samples=True), None, "conditions[0].levels[1].samples", "integer"),
        (lambda it: level(it, 1).update(burden=0), None, "conditions[0].levels[1].burden", "than 0"),
        (lambda it: level(it, 1).update(when={"above": None}), None, "conditions[0].levels[1].when.above", "number"),
        (lambda it: level(it, 1).update(when={}), None, "conditions[0].levels[1].when", "exactly one of above, below"),
        (lambda it: level(it, 1).update(when={"above": 1, "below": 2}), None, "levels[1].when", "exactly one of"),
        (lambda it: level(it, 1).update(when={"outside": [5, 1]}), None, "when.outside", "lower limit first"),
        (lambda it: level(it, 1).update(when={"rise": 5}), None, "levels[1].when", "`withinSeconds` is needed"),
        (lambda it: level(it, 1).update(when={"news2Total": 21}), None, "when.news2Total", "equal to 20"),
        (lambda it: level(it, 1).update(when={"news2Single": 4}), None, "when.news2Single", "equal to 3"),
        (lambda it: level(it, 1).update(when={"all": [{"above": 1}]}), None, "when.all", "at least 2"),
        (
            lambda it: level(it, 1).update(when={"any": [{"above": 190}, {"all": [{"below": 2}, {"under": 1}]}]}),
            None,
            "conditions[0].levels[1].when.any[1].all[1]",
            "exactly one of",
        ),
        (lambda it: level(it, 1).update(tier="moderate"), None, "conditions[0]", "`moderate` stands there twice"),
        (
            lambda it: level(it, 1).update(when={"above": 110}),
            None,
            "conditions[0].levels",
            "limit of `critical` (110) must be above that of `moderate` (120)",
        ),
        (lambda it: level(it, 1).update(when={"above": 120}), None, "conditions[0].levels", "must be above"),
        (
            lambda it: it["conditions"][1]["levels"].append({"tier": "slight", "when": {"below": 39}}),
            None,
            "conditions[1].levels",
            "limit of `critical` (40) must be below that of `slight` (39)",
        ),
        (
            lambda it: it["conditions"][1].update(
                levels=[
                    {"tier": "moderate", "when": {"outside": [50, 120]}},
                    {"tier": "critical", "when": {"outside": [40, 115]}},
                ]
            ),
            None,
            "conditions[1].levels",
            "limit of `critical` (115) must be above that of `moderate` (120)",
        ),
        (
            lambda it: it["conditions"][1].update(
                levels=[
                    {"tier": "slight", "when": {"above": 100}},
                    {"tier": "moderate", "when": {"below": 50}},
                    {"tier": "critical", "when": {"any": [{"above": 90}, {"below": 40}]}},
                ]
            ),
            None,
            "conditions[1].levels",
            "limit of `critical` (90) must be above that of `slight` (100)",
        ),
        *(
            (
                lambda it, when=when: level(it, 1).update(when=when, burden=50),
                None,
                "conditions[0].levels[1]",
                "`burden` is of one limit",
            )
            for when in (
                {"all": [{"above": 180}, {"above": 190}]},
                {"any": [{"above": 180}, {"vitalType": "pulse", "above": 190}]},
                {"noReadingForSeconds": 5},
            )
        ),
    ],
)
def test_a_mistake_is_explained_with_its_place(change: Change, line: int | None, place: str, advice: str) -> None:
    wrong = document()
    change(wrong)

    with pytest.raises(RulesFileError) as refused:
        parse_rules(json.dumps(wrong, indent=1).encode())

    [mistake] = refused.value.mistakes
    assert place in mistake.place
    assert advice in mistake.advice
    if line is not None:
        assert mistake.line == line
    assert "\n" not in str(refused.value)


def test_every_mistake_is_told_in_the_order_of_the_file() -> None:
    """The one line of a start that is refused says the first, and how many more there are."""
    wrong = document()
    wrong["maxReadingAgeSeconds"] = "long"
    wrong["tiers"]["critical"]["escalation"] = [{"afterSeconds": 0, "recipients": ["nurse"]}]
    level(wrong, 0)["samples"] = 0
    level(wrong, 1)["when"] = {"over": 180}

    with pytest.raises(
        RulesFileError, match=r"line 2: maxReadingAgeSeconds: .* \(and 3 more: `tocsin rules check`"
    ) as refused:
        parse_rules(json.dumps(wrong, indent=1).encode())

    assert [mistake.place for mistake in refused.value.mistakes] == [
        "maxReadingAgeSeconds",
        "tiers.critical.escalation[0].afterSeconds",
        "conditions[0].levels[0].samples",
        "conditions[0].levels[1].when",
    ]
    lines = [mistake.line for mistake in refused.value.mistakes]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (b'{\n"a": "\xff"}', Mistake(2, "", "this is not UTF-8")),
        (
            b'{\n"a": 1,}',
            Mistake(2, "", "this is not JSON: Expecting property name enclosed in double quotes, column 8"),
        ),
        (b"[\n" * 150 + b"]" * 150, Mistake(101, "[0]" * 100, "this is nested too deeply")),
        (b"[" * 100_000, Mistake(1, "", "this is nested too deeply")),
    ],
)
def test_what_is_no_json_is_told_with_its_line(text: bytes, mistake: Mistake) -> None:
    with pytest.raises(RulesFileError) as refused:
        parse_rules(text)
    assert refused.value.mistakes == (mistake,)


def test_what_no_json_may_hold_is_told_where_it_stands_and_the_rest_is_looked_at() -> None:
    text = json.dumps(document(), indent=1)
    text = text.replace('"maxReadingAgeSeconds": 60', '"maxReadingAgeSeconds": ' + "1" * 5000)
    text = text.replace('"above": 120', '"above": NaN').replace('"below": 40', '"below": 40, "below": 999')
    text = text.replace('"samples": 3', '"samples": -Infinity, "colour": NaN')

    with pytest.raises(RulesFileError) as refused:
        parse_rules(text.encode(), signs=NUMERICS)

    lines = text.splitlines()
    assert [(lines[it.line - 1].strip().partition(":")[0], it.place, it.advice) for it in refused.value.mistakes] == [
        ('"maxReadingAgeSeconds"', "maxReadingAgeSeconds", "this number has more than 100 digits"),
        ('"above"', "conditions[0].levels[0].when.above", "NaN is no number that JSON knows"),
        ('"samples"', "conditions[0].levels[1].samples", "-Infinity is no number that JSON knows"),
        ('"samples"', "conditions[0].levels[1].colour", "NaN is no number that JSON knows"),
        ('"samples"', "conditions[0].levels[1].colour", "there is no such field here"),
        ('"levels"', "conditions[1].levels", "no value would be normal: `heart_rate_low` alarms below 999, "
         "`heart_rate_high` above 180"),
        ('"below"', "conditions[1].levels[0].when.below", "`below` stands there twice"),
        ('"below"', "conditions[1].levels[0].when.below", "`heart_rate` is between 0 and 350 /min: it is always below "
         "999"),
    ]  # fmt: skip


def test_whatever_a_key_or_a_name_is_its_mistake_is_told_on_one_line() -> None:
    wrong = document()
    wrong["a\nb\ud800"] = 1
    for it in wrong["conditions"]:
        it["name"] = "\x1b[2J\u2028"

    with pytest.raises(RulesFileError) as refused:
        parse_rules(json.dumps(wrong).encode())

    assert {mistake.place for mistake in refused.value.mistakes} >= {"a\\nb\\ud800"}
    assert all(str(mistake).isprintable() and str(mistake).encode() for mistake in refused.value.mistakes)
    assert any(it.advice == "`\\u001b[2J\\u2028` is used twice" for it in refused.value.mistakes)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b'{"tiers": "\xff"}', b'{"tiers": {}, "conditions": [1e400]}'],
    ids=["nothing", "half", "list", "null", "no UTF-8", "too large"],
)
def test_a_text_that_is_no_rules_file_is_refused(text: bytes) -> None:
    with pytest.raises(RulesFileError):
        parse_rules(text)


def test_an_error_begins_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ward.json"
    with pytest.raises(RulesFileError, match=r"ward\.json: No such file or directory$"):
        load_rules(path)

    path.write_text("{}")
    with pytest.raises(RulesFileError, match=r"ward\.json: line 1: `tiers` is needed here"):
        load_rules(path)

    path.write_text(json.dumps(document()))
    assert load_rules(path) == parsed(document())


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["nurse", "slight"]),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(["above", "outside", "all", "any", "when", "tier", "x\ud800", "news2Total", "burden"]),
            part,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.data(), ANYTHING)
def test_whatever_stands_in_a_file_it_is_read_or_its_mistakes_are_told(data: st.DataObject, junk: Any) -> None:
    """Anything at all in the place of any value: no other error than the one that tells of it."""
    written = document()
    place: Any = written
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = junk
            break
        place = place[key]

    mistakes = mistakes_in(written)

    assert mistakes is None or (mistakes and all(mistake.advice and "\n" not in str(mistake) for mistake in mistakes))


def mistakes_in(written: Document) -> tuple[Mistake, ...] | None:
    """What is told of a file; none where it is read."""
    try:
        parsed(written)
    except RulesFileError as error:
        return error.mistakes
    return None
