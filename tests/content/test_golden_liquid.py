"""The public suite of Liquid cases (golden-liquid, MIT), where its file lies beside the repository. It is not copied.

What the dialect treats otherwise is listed in `golden_liquid_differences.toml`, each case with the rule that says so.
"""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from journeys.engine.content import RenderError, TemplateError, Values, compile

SUITE = Path(__file__).parents[3] / "shared" / "data" / "golden_liquid.json"
LISTED = Path(__file__).with_name("golden_liquid_differences.toml")
MOST = 200

CASES: list[dict[str, Any]] = json.loads(SUITE.read_text("utf-8"))["tests"] if SUITE.exists() else []
DIFFERENCES = tomllib.loads(LISTED.read_text("utf-8"))["difference"]
RULE_OF = {name: one["rule"] for one in DIFFERENCES for name in one["cases"]}


def came_to(case: dict[str, Any]) -> str | None:
    """What a case comes to; None where it is refused or fails."""
    values = Values(namespaces=case.get("data", {}), now=datetime(2026, 12, 7, tzinfo=UTC))
    try:
        return compile(case["template"]).render(values)
    except (TemplateError, RenderError):
        return None


def as_wanted(case: dict[str, Any]) -> bool:
    got = came_to(case)
    if case.get("invalid"):
        return got is None
    return got in case.get("results", [case.get("result")])


ABSENT = pytest.param({"name": "all"}, marks=pytest.mark.skip(f"the golden-liquid suite is not at {SUITE}"))


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case["name"])
def test_a_case_of_the_suite_comes_to_what_it_wants_or_is_listed_with_the_rule(case: dict[str, Any]) -> None:
    """L1"""
    rule = RULE_OF.get(case["name"])
    if rule is None:
        assert as_wanted(case), f"{case['template']!r} comes to {came_to(case)!r}"
    else:
        assert not as_wanted(case), f"listed under {rule}, but it does not differ any more"


def test_the_list_of_differences_is_short_names_each_case_once_and_only_cases_that_exist() -> None:
    named = [name for one in DIFFERENCES for name in one["cases"]]
    assert len(named) == len(set(named)) <= MOST
    assert all(one["rule"] and one["why"] for one in DIFFERENCES)
    if CASES:
        assert set(named) <= {case["name"] for case in CASES}
