"""Regular expressions that cannot run away: what an author writes is matched in bounded time."""

from __future__ import annotations

import re
import re._constants as _constants  # type: ignore[import-not-found]
import re._parser as _parser  # type: ignore[import-not-found]
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

LONGEST_TEXT = 255
"""Only so many characters of a text are looked at, as many as a string attribute may have (ATT-1)."""

MOST_REPEATS = 3
"""So many unbounded repetitions may follow one another: the time is at most this power of the text's length."""

_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, case-insensitive (SEG-8).

    Raises ValueError where it is no regular expression, or one whose time could explode: a repetition or a choice
    within an unbounded repetition, a back-reference, more than three unbounded repetitions.
    """
    try:
        parsed = _parser.parse(pattern)
        found = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if _repeats(parsed, within=False) > MOST_REPEATS:
        raise ValueError(f"it repeats without bound more than {MOST_REPEATS} times")
    return found


def search(pattern: str, text: str) -> bool:
    """Whether the text, as far as it is looked at, contains a match."""
    return compiled(pattern).search(text[:LONGEST_TEXT]) is not None


def _repeats(parsed: Iterable[Any], *, within: bool) -> int:
    """How many unbounded repetitions there are; raises ValueError for shapes that may explode."""
    count = 0
    for code, argument in parsed:
        if code in _REPEATS:
            _, most, inner = argument
            unbounded = most == _constants.MAXREPEAT or most > 50
            if unbounded and within:
                raise ValueError("it repeats something that repeats")
            count += int(unbounded) + _repeats(inner, within=within or unbounded)
        elif code is _constants.BRANCH:
            if within:
                raise ValueError("it repeats a choice")
            count += sum(_repeats(branch, within=within) for branch in argument[1])
        elif code in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
            raise ValueError("it refers back to a group")
        elif code is _constants.SUBPATTERN:
            count += _repeats(argument[3], within=within)
        elif code in (_constants.ASSERT, _constants.ASSERT_NOT):
            count += _repeats(argument[1], within=within)
        elif code is _constants.ATOMIC_GROUP:
            count += _repeats(argument, within=within)
    return count
