"""The examples of the page on templates give what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from journeys.engine.content.batch import answer
from journeys.engine.content.lint import Setting, lint

PAGE = (Path(__file__).parents[2] / "docs" / "liquid.md").read_text(encoding="utf-8")
CONTEXT = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
EXAMPLES = re.findall(r"```liquid\n(.*?)\n```\n\n```(text|aborted)\n(.*?)\n```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("source", "kind", "wanted"), EXAMPLES)
async def test_an_example_comes_to_what_the_page_says(source: str, kind: str, wanted: str) -> None:
    line = json.dumps({"id": 1, "template": source, "context": CONTEXT}).encode()

    said = json.loads(await answer(line, 1))

    assert said.get("output" if kind == "text" else "reason") == wanted, said
    assert lint(source, Setting("email", CONTEXT["content_blocks"], CONTEXT["catalogs"])) == []


def test_every_example_has_its_answer() -> None:
    assert len(EXAMPLES) == PAGE.count("```liquid") >= 14
