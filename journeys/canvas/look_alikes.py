"""Names in which one character looks like another, or cannot be seen: they are equal to no name that is typed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from journeys.canvas.problems import Problem, told_of
from journeys.canvas.source_positions import Path, Places

NAMING = frozenset({
    "name", "event", "purchase", "attribute", "property", "context", "segment", "template", "catalog", "field", "conversion",
})  # fmt: skip
"""Keys whose values are names."""

NAMED = frozenset({"attributes", "properties"})
"""Keys of mappings whose keys are names."""

ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
"""Alphabets with letters that look like those of another one of them."""

_WORD = re.compile(r"[^\W\d_]+")


def look_alikes(data: Any, places: Places) -> Iterator[Problem]:
    """J917: names with a letter of another alphabet than the letters beside it, or with a character that cannot be seen."""
    for path, name, key in _names(data, ()):
        if (message := odd_name(name)) is not None:
            yield Problem("J917", places.where(path, key=key), message, "type the name anew")


def odd_name(name: str) -> str | None:
    """What is said of a name with a character that hardly belongs to it; None where it has none."""
    sign = odd_character(name)
    if sign is None:
        return None
    return f"the name “{name}” is written with a character that hardly belongs to it.{told_of(sign)}"


def odd_character(name: str) -> str | None:
    """The first character of a name that belongs to another alphabet than most letters of its word, or cannot be seen."""
    for before, sign in zip(f" {name}", name, strict=False):
        if unicodedata.category(sign) == "Cf" and before.isascii():
            return sign
    for word in _WORD.findall(name):
        alphabets: list[tuple[str, str]] = [
            (unicodedata.name(letter, "").partition(" ")[0], letter) for letter in word
        ]
        known = Counter(alphabet for alphabet, _ in alphabets if alphabet in ALPHABETS)
        if len(known) > 1:
            rarest = min(known, key=lambda alphabet: (known[alphabet], alphabet == "LATIN"))
            return next(letter for alphabet, letter in alphabets if alphabet == rarest)
    return None


def _names(value: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """The names in a definition, each with its path, and whether it is a key."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            below = (*path, key)
            if path and path[-1] in NAMED and isinstance(key, str):
                yield below, key, True
            elif key in NAMING and isinstance(part, str):
                yield below, part, False
            yield from _names(part, below)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _names(part, (*path, place))
