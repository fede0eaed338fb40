"""Regular expressions of authors, checked so that matching takes bounded time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol, cast

import re2

LONGEST_TEXT = 255
"""How many characters of a text are matched, as many as a string attribute may have (ATT-1)."""

LONGEST_PATTERN = 2000
"""Characters that a pattern may have (SEG-8)."""

MOST_INSTRUCTIONS = 2000
"""Instructions that a pattern may become: a match takes at most this, times the text's length, steps."""

MOST_CLASSES = 100
"""Classes of Unicode, such as `\\p{L}`, that a pattern may name: each has hundreds of ranges, and takes as long to read."""

_MEMORY = 256 * 1024
"""Bytes that one compiled pattern may take."""

_CLASS = re.compile(r"\\[pP]")
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")
_REFERS_BACK = re.compile(r"\\[1-9gk]|\(\?P$|\(\?[(R&]")


class Pattern(Protocol):
    """A pattern that can be looked for in a text."""

    @property
    def programsize(self) -> int:
        """The number of its instructions."""

    def search(self, text: str) -> object | None:
        """A match anywhere in the text; None where there is none."""


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Pattern:
    """The pattern, case-insensitive (SEG-8).

    Raises ValueError, which says the reason, where it is no regular expression, where it wants what cannot be done in
    linear time (looking around, referring back to a group), and where it is too large.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"it is longer than {LONGEST_PATTERN} characters")
    if len(_CLASS.findall(pattern)) > MOST_CLASSES:
        raise ValueError(f"it is too large: it names more than {MOST_CLASSES} classes such as \\p{{L}}")
    options = re2.Options()
    options.case_sensitive, options.never_capture, options.log_errors = False, True, False
    options.max_mem = _MEMORY
    try:
        found = cast("Pattern", re2.compile(pattern, options))
    except UnicodeEncodeError as error:
        raise ValueError("it contains half of a surrogate pair") from error
    except re2.error as error:
        raise ValueError(_reason(error)) from error
    if found.programsize > MOST_INSTRUCTIONS:
        raise ValueError("it is too large: it has too many repetitions")
    return found


def search(pattern: str, text: str) -> bool:
    """Whether the text, as far as it is looked at, contains a match."""
    looked_at = text[:LONGEST_TEXT].encode("utf-8", "replace").decode()  # half of a pair matches nothing
    return compiled(pattern).search(looked_at) is not None


def _reason(error: Exception) -> str:
    """Why RE2 does not take a pattern, in words for its author."""
    raw = error.args[0] if error.args else ""
    said = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    _, _, found = said.partition(": ")
    if _LOOKS_AROUND.search(found):
        return f"it has a look-around (“{found}”), which cannot be done in linear time"
    if _REFERS_BACK.search(found):
        return f"it has a back-reference (“{found}”), which cannot be done in linear time"
    if "too large" in said or "repetition size" in said:
        return f"it is too large: {said}"
    return f"{said} (patterns are read as RE2 reads them)"
