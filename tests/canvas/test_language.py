"""The pages of the language say what the models say, and each key says what it means."""

from __future__ import annotations

import json
import re

import pytest

from journeys.canvas import canvas, frozen_model
from journeys.canvas.field_docs import _read, meanings, models
from journeys.canvas.frozen_model import Frozen
from journeys.canvas.schema import schema
from tests import from_braze, language
from tests.pages import ROOT

OURS = sorted(
    (model for model in models() if model.__module__.startswith("journeys.")), key=lambda each: each.__name__
)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_each_key_of_the_language_says_what_it_means(model: type[Frozen]) -> None:
    assert [name for name in model.model_fields if name not in meanings(model)] == []
    assert all(text.endswith((".", "`")) for text in meanings(model).values())


def test_editors_are_told_the_meaning_of_each_key() -> None:
    whole = schema()
    conversion = whole["$defs"]["Conversion"]["properties"]
    assert conversion["revenue"]["description"] == meanings(canvas.Conversion)["revenue"]
    [one] = [kind for kind in whole["oneOf"] if kind.get("title") == "Canvas"]
    assert one["properties"]["audience"]["description"] == "Who may enter."
    silent = [
        (name, key)
        for name, definition in whole["$defs"].items()
        for key, field in definition.get("properties", {}).items()
        if "description" not in field
    ]
    assert silent == []
    assert json.dumps(whole)


def test_a_class_without_a_source_has_no_meanings() -> None:
    assert _read("builtins") == {}
    assert meanings(frozen_model.Frozen) == {}


def test_every_model_that_a_definition_can_hold_is_on_the_page() -> None:
    shown = {model.__name__ for several in language.PARTS.values() for model in several}
    inner = {
        "Past",
        "Awaited",
        "Timetable",
        "Step",
        "Asking",
        "Rate",
        "Unread",
        "_Changing",
        "_Shell",
        "OneState",
    }
    assert {model.__name__ for model in OURS} - inner <= shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("canvas.md", language.page()),
        ("canvas.html", language.html_page()),
        ("from-braze.md", from_braze.page()),
    ],
)
def test_the_pages_are_as_the_models_stand(name: str, text: str) -> None:
    """`make docs` writes them."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


def test_the_page_with_a_search_needs_no_network_and_has_every_key() -> None:
    page = language.html_page()
    assert re.findall(r"(?:src|href)=\"(?!#)", page) == []
    for several in language.PARTS.values():
        for model in several:
            for one in language.keys(model):
                assert f"<code>{one.name}</code>" in page


def test_what_the_checks_refuse_is_what_the_page_from_braze_says_is_not_built_yet() -> None:
    assert from_braze.spoken_of() == language.refused()


def test_each_example_and_link_of_the_page_leads_somewhere() -> None:
    page = language.page()
    heads = {head.lower() for head in re.findall(r"^### (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\(#([a-z]+)\)", page)) <= heads
