"""Cuts a template's source into text, outputs and tags, in one pass and in linear time.

An output ends at the `}}` that closes it, not at the first one: names in `${}` and wrapped values (`{{a | plus: {{b}}}}`)
may stand within (L4). Positions stay exact, because nothing of the source is rewritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from liquid import Token
from liquid.exceptions import LiquidSyntaxError
from liquid.token import (
    TOKEN_CONTENT,
    TOKEN_EOF,
    TOKEN_EXPRESSION,
    TOKEN_OUTPUT,
    TOKEN_TAG,
)

from journeys.engine.content.limits import TAGS

_OPEN = re.compile(r"\{[{%]")
_INSIDE = re.compile(r"\$\{[^{}]*\}|'(?:[^'}]|\}(?!\}))*'|\"(?:[^\"}]|\}(?!\}))*\"|\{\{|\}\}")
"""What matters within an output: names, texts (which have no `}}`), braces."""
_NAME = re.compile(r"-?\s*(#|\w+)")
_END_RAW = re.compile(r"\{%-?\s*endraw\b[^%]*%\}")
RAW = "raw"
"""The kind of token that the body of `raw` makes."""
SPACE = "\0\t\n\v\f\r "
"""What white space control takes away: ASCII white space alone."""


def scan(source: str) -> Iterator[Token]:
    """The tokens of a template, as python-liquid's parser wants them.

    Raises LiquidSyntaxError, at the place of the opening, where something is not closed.
    """
    at = tags = 0
    strip = False
    while True:
        opening = _OPEN.search(source, at)
        end = opening.start() if opening else len(source)
        if end > at:
            text = source[at:end]
            if strip:  # T2
                text = text.lstrip(SPACE)
            if opening and source.startswith("-", end + 2):
                text = text.rstrip(SPACE)
            if text:
                yield Token(TOKEN_CONTENT, text, start_index=at, source=source)
        if not opening:
            return
        tags += 1
        if tags > TAGS:
            token = Token(TOKEN_TAG, source[end : end + 2], start_index=end, source=source)
            raise LiquidSyntaxError(f"the template has more than {TAGS:,} outputs and tags", token=token)
        if source[end + 1] == "{":
            at = _close_output(source, end)
            yield from _output(source, end, at)
        else:
            at = source.find("%}", end + 2) + 2
            if at == 1:
                raise _unclosed(source, end, "%}")
            name = _NAME.match(source, end + 2)
            if name is None:
                raise LiquidSyntaxError(
                    "the tag has no name", token=Token(TOKEN_TAG, "", start_index=end, source=source)
                )
            if name[1] == "raw":
                begin, (until, at) = at, _raw_end(source, at, end)
                if until > begin:
                    yield Token(RAW, source[begin:until], start_index=begin, source=source)
            elif name[1] == "comment":
                at = _comment_end(source, at, end)
            else:
                yield from _tag(source, name, at)
        strip = source[at - 3] == "-"


def _unclosed(source: str, at: int, wanted: str) -> LiquidSyntaxError:
    token = Token(TOKEN_EOF, source[at : at + 2], start_index=at, source=source)
    return LiquidSyntaxError(f"this is never closed by {wanted}", token=token)


def _close_output(source: str, begin: int) -> int:
    """The end of the output that begins here: braces of names and of wrapped values are counted."""
    if source.startswith("{{{", begin):  # L10
        token = Token(TOKEN_OUTPUT, "{{{", start_index=begin, source=source)
        raise LiquidSyntaxError("two braces are expected, not three", token=token)
    depth, at = 1, begin + 2
    while True:
        found = _INSIDE.search(source, at)
        if found is None:
            raise _unclosed(source, begin, "}}")
        at = found.end()
        if found[0] == "{{":  # L4
            depth += 1
        elif found[0] == "}}":
            depth -= 1
            if depth == 0:
                return at


def _trimmed(source: str, begin: int, end: int) -> tuple[int, str]:
    """An expression without its white space and dashes, and where it begins."""
    if source.startswith("-", begin):
        begin += 1  # L5
    if end > begin and source[end - 1] == "-":
        end -= 1
    text = source[begin:end]
    return begin + len(text) - len(text.lstrip(SPACE)), text.strip()


def _output(source: str, begin: int, end: int) -> Iterator[Token]:
    yield Token(TOKEN_OUTPUT, source[begin:end], start_index=begin, source=source)
    at, text = _trimmed(source, begin + 2, end - 2)
    yield Token(TOKEN_EXPRESSION, text, start_index=at, source=source)


def _tag(source: str, name: re.Match[str], end: int) -> Iterator[Token]:
    yield Token(TOKEN_TAG, name[1], start_index=name.start(1), source=source)
    at, text = _trimmed(source, name.end(), end - 2)
    if text:
        yield Token(TOKEN_EXPRESSION, text, start_index=at, source=source)


def _raw_end(source: str, begin: int, tag: int) -> tuple[int, int]:
    """Where the body of `raw` ends, and its end tag."""
    found = _END_RAW.search(source, begin)
    if found is None:
        raise _unclosed(source, tag, "{% endraw %}")
    return found.start(), found.end()


def _comment_end(source: str, at: int, tag: int) -> int:
    """The place after a comment: comments may stand in comments, and what is raw in one closes nothing."""
    depth, raws = 1, True
    while depth:
        begin = source.find("{%", at)
        close = -1 if begin < 0 else source.find("%}", begin + 2)
        if close < 0:
            raise _unclosed(source, tag, "{% endcomment %}")
        at = close + 2
        name = _NAME.match(source, begin + 2)
        match name[1] if name else "":
            case "raw" if raws:
                end = _END_RAW.search(source, at)
                at, raws = (
                    (end.end(), True) if end else (at, False)
                )  # where none follows, none is looked for again
            case "comment":
                depth += 1
            case "endcomment":
                depth -= 1
    return at
