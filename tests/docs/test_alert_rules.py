"""The page on rules shows what the code has: the shipped rules, the margins of suggestions, a file that can be used."""

from __future__ import annotations

import json
import re

import pytest

from app.modules.alerts.lifecycle import Tier
from app.modules.alerts.rules.book import Condition
from app.modules.alerts.rules.criteria import Direction, Limit
from app.modules.alerts.rules.file import RulesFileError, load_rules, parse_rules
from app.modules.limits.suggestions import MARGINS, SPO2_LOWEST_ON_SCALE_2, Line, Margins
from tests.docs.pages import DOCS, blocks

RULES = DOCS / "alert-rules.md"


def test_the_page_on_rules_shows_the_margins_of_suggestions_as_they_are() -> None:
    rows = re.findall(r"^\| ((?:`\w+` ?)+) \|(.*)\|(.*)\| ([^|]*) \|$", RULES.read_text(), re.M)
    shown = {
        sign: (low.strip(), high.strip(), bounds)
        for signs, low, high, bounds in rows
        for sign in re.findall(r"\w+", signs)
        if sign in MARGINS
    }
    assert shown == {sign: written_margins(margins) for sign, margins in MARGINS.items()}


def written_margins(margins: Margins) -> tuple[str, str, str]:
    """How suggestions for a sign are found, as the page's table has it."""

    def written(line: Line | None) -> str:
        if line is None:
            return ""
        factor = f"× {line.factor:g}" if line.factor != 1 else ""
        summand = f"{'+' if line.summand > 0 else '−'} {abs(line.summand):g}" if line.summand else ""
        return f"{factor} {summand}".strip()

    bounds = f"{margins.lowest:g}, {margins.highest:g}"
    if margins.high is None:
        bounds = f"{margins.lowest:g}; on scale 2: {SPO2_LOWEST_ON_SCALE_2:g}"
    return written(margins.low), written(margins.high), bounds


def test_the_mistake_that_the_page_on_rules_shows_is_told_as_it_stands_there() -> None:
    told = re.findall(r"^tocsin: (ward\.json: .*)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)
    wrong = blocks(RULES, "json")[0].replace('"below": 80', '"below": 95')

    with pytest.raises(RulesFileError) as refused:
        parse_rules(wrong.encode(), name="ward.json")

    assert [str(refused.value)] == told


def test_the_page_on_rules_shows_criteria_that_can_be_used() -> None:
    shown = re.findall(r"`(\{\"\w+\": .*?\})`(?= |\.)", RULES.read_text(encoding="utf-8"))
    criteria = [json.loads(text) for text in shown if "…" not in text and "times" not in text]
    assert {key for criterion in criteria for key in criterion} >= {
        "above",
        "below",
        "outside",
        "rise",
        "news2Total",
        "all",
    }
    for criterion in criteria:
        rules = json.loads(blocks(RULES, "json")[0])
        rules["conditions"][0]["levels"] = [{"tier": "moderate", "when": criterion}]
        parse_rules(json.dumps(rules).encode())


def test_the_page_on_rules_shows_rules_that_can_be_used_and_those_that_are_shipped() -> None:
    parse_rules(blocks(RULES, "json")[0].encode())
    rows = re.findall(
        r"^\| `(\w+)` (\S+) \|(.*)\|(.*)\|(.*)\| (\d+) samples?, back by (\S+) \|$", RULES.read_text(), re.M
    )
    shown = {
        name: (unit, int(clear), float(margin), [level.strip() for level in levels])
        for name, unit, *levels, clear, margin in rows
    }
    shipped = {
        it.name: (it.unit, it.clearing.samples, it.clearing.hysteresis, [written(it, tier) for tier in Tier])
        for it in load_rules().conditions
    }
    assert shown == shipped


def written(condition: Condition, tier: Tier) -> str:
    """A level as the page's table has it: `> 180, 3 samples`."""
    for level in condition.levels:
        if level.tier is tier:
            limit, timing = level.criterion, level.timing
            assert isinstance(limit, Limit)
            parts = [f"{'>' if limit.direction is Direction.ABOVE else '<'} {limit.limit:g}"]
            parts += [f"{timing.samples} samples"] if timing.samples > 1 else []
            if timing.repetition is not None:
                parts.append(f"{timing.repetition.times} times in {timing.repetition.within.total_seconds():g} s")
            parts += [f"burden {timing.burden:g}"] if timing.burden is not None else []
            return ", ".join(parts)
    return ""
