"""The dialect beside Ruby's own Liquid, on templates that Hypothesis makes. Collected only where that Ruby is installed.

`make ruby` asks for 5,000 different templates with fresh lots, `make test` for a few hundred that are always the same.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from journeys.engine.content import RenderError, TemplateError, Values, compile
from journeys.engine.content.filters import FILTERS
from tests.content.ruby import Ruby
from tests.content.templates import sources, values

WANTED = int(os.environ.get("JOURNEYS_RUBY_TEMPLATES", "200"))
"""How many different templates are compared."""
FIRST = int(os.environ.get("JOURNEYS_RUBY_SEED", "1"))
ROUND = 100
"""Templates that are made from one seed: later ones of a seed resemble earlier ones."""
MOST = 12
SHARE = 0.02
WORDS = re.compile(r"\| \w+|\w+[:.]|\(1\.\.|\w+|\{\{-|-\}\}|\{%-|-%\}|#")
NOW = datetime(2026, 12, 7, 9, 5, 3, tzinfo=UTC)

Reason = Callable[[str, str | None, str | None], bool]

OURS = {
    "money", "number_with_delimiter", "md5", "sha1", "sha2", "url_escape", "url_param_escape", "json_escape", "json_parse",
    "as_json_string", "property_accessor", "time_zone", *(name for name in FILTERS if name.startswith("hmac_")),
}  # fmt: skip
"""Filters that Ruby's Liquid has not."""
SHARED = {f"| {name}" for name in FILTERS if name not in OURS} | {
    "assign", "capture", "if", "elsif", "else", "unless", "case", "when", "for", "break", "continue", "cycle", "increment",
    "decrement", "tablerow", "comment", "raw", "echo", "liquid", "#", "{{-", "-}}", "{%-", "-%}", "reversed", "limit:", "offset:",
    "(1..", "blank", "empty", "forloop.", "tablerowloop.", "contains", "and", "or",
}  # fmt: skip
"""What both have, and templates must be full of."""

REASONS: Mapping[str, Reason] = {
    "V8: objects are printed as compact JSON": lambda _source, ruby, _ours: ruby is not None and "=>" in ruby,
}
"""Why the two may differ: the rule, and whether it is the reason for what Ruby and we have said of a template."""


@pytest.fixture(scope="module")
def ruby() -> Iterator[Ruby]:
    one = Ruby()
    yield one
    one.close()


def rendered(source: str, given: Mapping[str, Any]) -> str | None:
    try:
        return compile(source).render(Values(namespaces=given, now=NOW))
    except (TemplateError, RenderError):
        return None


def most_by_chance(templates: int) -> int:
    """How often something whose share is `SHARE` is seen among so few templates, but for one run in a million."""
    if templates >= 5000:
        return int(SHARE * templates)
    times = NormalDist().inv_cdf(1 - 1e-6) * sqrt(templates * SHARE * (1 - SHARE))
    return ceil(templates * SHARE + times)


def test_templates_come_to_what_ruby_makes_of_them_or_a_rule_says_why_not(ruby: Ruby) -> None:
    """L1, V1, V2, V3, V4, V5, V6, V8, V9, V10, T1, T3, F1, F2, F3, F4, DT2, DT3"""
    seen: set[str] = set()
    explained: Counter[str] = Counter()
    unexplained: list[str] = []
    worked = 0

    def compare(source: str, given: dict[str, Any]) -> None:
        nonlocal worked
        if source in seen or len(seen) >= WANTED:
            return
        seen.add(source)
        theirs, ours = ruby.render(source, given), rendered(source, given)
        worked += theirs is not None
        if theirs == ours:
            return
        reason = next((rule for rule, holds in REASONS.items() if holds(source, theirs, ours)), None)
        if reason is None:
            unexplained.append(f"{source!r} with {given!r}: Ruby {theirs!r}, we {ours!r}")
        else:
            explained[reason] += 1

    quick = settings(
        max_examples=ROUND, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    start = FIRST
    while len(seen) < WANTED:
        seed(start)(quick(given(sources, values)(compare)))()
        start += 1

    print(f"{len(seen)} templates, {worked} of them without an error in Ruby; explained: {dict(explained)}")
    assert not unexplained, "\n".join(sorted(unexplained, key=len)[:5])
    assert worked > 0.9 * len(seen)
    if len(seen) >= 5000:
        used = Counter(word for source in seen for word in set(WORDS.findall(source)) & SHARED)
        assert {word for word in SHARED if used[word] < 10} == set()
    assert len(REASONS) <= MOST
    for reason, times in explained.items():
        assert times <= most_by_chance(len(seen)), reason
