"""Removes HTML comments from a mail's HTML before Liquid is read (L8)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache

from liquid import Token
from liquid.exceptions import LiquidSyntaxError

from journeys.engine.content.scanner import scan

_BEGIN = re.compile(r"<!--")
_CONDITIONAL = re.compile(r"<!--\s*\[if\b[^\]]{0,300}+\]>|<!--\s*<!\[endif\]|<!--\s*>", re.IGNORECASE)
"""How `<!--[if mso]>` and its kin begin and end: what stands between is HTML that some programs show. Conditions are short:
to look for the end of each throughout the rest would take the square of the length."""


def spans(source: str) -> Iterator[tuple[int, int]]:
    """Where the comments stand. One that is never closed is none; conditional comments are none either."""
    at = 0
    while found := _BEGIN.search(source, at):
        begin = found.start()
        if conditional := _CONDITIONAL.match(source, begin):  # L8
            at = conditional.end()
            continue
        end = source.find("-->", found.end())
        if end < 0:
            return
        at = end + 3
        yield begin, at  # L8


@lru_cache(maxsize=500)
def without_comments(source: str) -> str:
    """The source without its comments."""
    kept, at = [], 0
    for begin, end in spans(source):
        kept.append(source[at:begin])
        at = end
    return "".join(kept) + source[at:]


def scan_html(source: str) -> Iterator[Token]:
    """The tokens of HTML without its comments, at their places in the source. Raises as `scan`."""
    ends: list[int] = []
    moved: list[int] = []
    gone = 0
    for begin, end in spans(source):
        ends.append(begin - gone)
        gone += end - begin
        moved.append(gone)

    def placed(token: Token) -> Token:
        before = bisect_right(ends, token.start_index)
        return token._replace(
            start_index=token.start_index + (moved[before - 1] if before else 0), source=source
        )

    try:
        for token in scan(without_comments(source)):
            yield placed(token)
    except LiquidSyntaxError as error:
        error.token = None if error.token is None else placed(error.token)
        raise
