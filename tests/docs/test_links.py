"""What the pages point at is there: other pages, files of the repository, settings, metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.core.config import unknown_variables
from tests.docs.pages import DOCS, README
from tests.servers import ROOT

PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

#: Every name of a metric as `app/core/metrics.py` writes it; Prometheus puts `_total` behind counters.
_METRICS = set(re.findall(r'"(tocsin_\w+)"', (ROOT / "app" / "core" / "metrics.py").read_text(encoding="utf-8")))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@every_page
def test_every_link_to_a_page_of_ours_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, place = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


@every_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = re.findall(r"`((?:app|tests|docs|examples|bench|migrations)/[\w./-]*)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists() and "NNNN" not in path] == []


@every_page
def test_every_setting_that_is_named_can_be_set(page: Path) -> None:
    named = re.findall(r"\bTOCSIN_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))
    assert [name for name in unknown_variables(dict.fromkeys(named, "")) if name != "TOCSIN_URL"] == []


@every_page
def test_every_metric_that_is_named_is_counted(page: Path) -> None:
    """A name in a `grep` may be the beginning of several."""
    named = re.findall(r"\btocsin_[a-z_]+[a-z]\b", page.read_text(encoding="utf-8"))
    assert [it for it in named if not any(metric.startswith(it.removesuffix("_total")) for metric in _METRICS)] == []
