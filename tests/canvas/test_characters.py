"""Characters that can be neither stored nor sent: found, replaced where values are read, refused in definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeys.canvas.loading import load
from journeys.canvas.storable_characters import storable, storable_json, strange
from journeys.canvas.yaml_definitions import read_text

ANY = st.text(st.characters(codec=None), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(ANY, each, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_mended_value_has_no_such_character_and_a_sound_one_stays_as_it_is(value: Any) -> None:
    """V11"""
    assert strange(storable(value)) == ""
    assert strange(value) or storable(value) == value
    json.dumps(storable(value), ensure_ascii=False).encode()


@given(JSON, st.booleans())
def test_a_mended_json_text_reads_as_the_mended_value(value: Any, escaped: bool) -> None:
    """V11: whatever is escaped before and after it."""
    written = json.dumps(value, ensure_ascii=escaped)
    read = json.loads(storable_json(written))
    assert storable(read) == storable(json.loads(written))
    assert not escaped or strange(read) == ""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a\0", "U+0000"),
        (["x", {"k": "\udc00"}], "U+DC00"),
        ({"\ud800": 1}, "U+D800"),
        (("é😀", 5, None), ""),
    ],
)
def test_the_first_of_them_is_named(value: Any, name: str) -> None:
    assert strange(value) == name


HEAD = "kind: template\nformat: 1\nname: t\nchannel: webhook\nurl: https://e.com\n"


@pytest.mark.parametrize(
    ("rest", "line", "sign"),
    [
        ('text: "a\\0b"', 6, "U+0000"),
        ('body:\n  a: ["x", "\\ud83d"]', 7, "U+D83D"),
        ('body:\n  "k\\0": 1', 7, "U+0000"),
    ],
)
def test_a_definition_holds_none_however_it_is_written(rest: str, line: int, sign: str) -> None:
    """What is published would be another than what was read."""
    found, problems = read_text(HEAD + rest, "t.yaml")
    assert found == []
    [problem] = problems
    assert str(problem).startswith(f"t.yaml:{line}:")
    assert f"J002 the character {sign} is not allowed in a definition" in str(problem)


def test_a_definition_in_python_holds_none_either(tmp_path: Path) -> None:
    file = tmp_path / "t.py"
    head = "from journeys import WebhookTemplate\n\n"
    file.write_text(head + "t = WebhookTemplate(name='t', url='https://e.com', text='a' + chr(0))\n")
    [problem] = load([file]).problems
    assert str(problem).startswith(f"{file}:3:")
    assert "J002 the character U+0000 is not allowed in a definition" in str(problem)
