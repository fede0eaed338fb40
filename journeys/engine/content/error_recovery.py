"""Finds as many errors of a template as possible: each is reported, and replaced by a harmless stand-in.

An error that follows from another is not reported: a `{% endif %}` whose `{% if %}` has no end, a name whose assignment cannot
be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from liquid import Token
from liquid.exceptions import LiquidError, LiquidSyntaxError
from liquid.parser import get_parser
from liquid.token import TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG

from journeys.engine.content.bound_template import Bound
from journeys.engine.content.expression_tokens import Stream, Unbalanced
from journeys.engine.content.limits import TAGS
from journeys.engine.content.liquid_dialect import Dialect

MOST = 20
"""The maximum number of errors that are reported for one template."""

STAND_INS = {
    "if": "1", "unless": "1", "elsif": "1", "case": "1", "when": "1", "else": "", "for": "x in nil",
    "tablerow": "x in nil", "capture": "x",
}  # fmt: skip
"""What stands in for the text of a tag on which others hang. All other tags and outputs are left out."""

_LOST = re.compile(r"\{(?:\{\{?|%).*?(?:[}%]\}+|(?=\{[{%])|$)", re.MULTILINE)
"""An opening that the scanner cannot make anything of, and what seems to belong to it."""
_SWALLOWS = re.compile(r"\{%-?\s*(?:comment|raw)\b")
_LINE = re.compile(r"(\s*\w+)(.*)")


@dataclass
class Recovered:
    """What was found in a template: its errors, and the rest; None where nothing can be said of that.

    `words` are those of what was left out: names that may be set there.
    """

    errors: list[LiquidError | RecursionError | ValueError] = field(default_factory=list)
    bound: Bound | None = None
    words: set[str] = field(default_factory=set)


def recovered(source: str, dialect: Dialect) -> Recovered:
    """The errors of a template, `MOST` at most, and what stands beside them."""
    found = Recovered()
    tokens = _scanned(source, dialect, found)
    unbalanced = bool(found.errors)
    for _ in range(2 * MOST):
        if len(found.errors) >= MOST:
            break
        try:
            nodes = get_parser(dialect).parse(Stream(iter(tokens)))
        except LiquidSyntaxError as error:
            if not (unbalanced and _follows(error)):
                found.errors.append(error)
            unbalanced |= isinstance(error, Unbalanced)
            _mend(tokens, error, found.words)
        except (LiquidError, RecursionError, ValueError) as error:
            found.errors.append(error)
            break
        else:
            found.bound = Bound(dialect, nodes)
            break
    return found


def _follows(error: LiquidSyntaxError) -> bool:
    """Whether an error may come from another: of a tag that has no partner, not of one that there is not."""
    name = error.token.value if error.token is not None else ""
    return isinstance(error, Unbalanced) and (error.known or name.startswith("end"))


def _scanned(source: str, dialect: Dialect, found: Recovered) -> list[Token]:
    """The tokens of what can be scanned."""
    tokens: list[Token] = []
    while len(found.errors) < MOST:
        tokens = []
        try:
            for token in dialect.tokenizer()(source):
                tokens.append(token)
        except LiquidSyntaxError as error:
            found.errors.append(error)
            if sum(token.kind in OPENING for token in tokens) >= TAGS:
                break
            at = error.token.start_index if error.token else 0
            lost = _LOST.match(source, at)
            end = len(source) if lost is None or _SWALLOWS.match(source, at) else lost.end()
            source = source[:at] + " " * (end - at) + source[end:]
        else:
            break
    return tokens


OPENING = (TOKEN_OUTPUT, TOKEN_TAG)


def _mend(tokens: list[Token], error: LiquidSyntaxError, words: set[str]) -> None:
    """Let what says nothing stand in for the tag or output that an error is in."""
    assert error.token is not None
    index = error.token.start_index
    before = (n for n, token in enumerate(tokens) if token.kind in OPENING and token.start_index <= index)
    place = max(before, default=0)
    opening, text = tokens[place], tokens[place + 1 : place + 2]
    if text and text[0].kind != TOKEN_EXPRESSION:
        text = []
    words.update(re.findall(r"[\w-]+", text[0].value) if text else ())
    end = place + 1 + len(text)
    within = _without_line(text[0], index, error) if text and opening.value == "liquid" else None
    if within is not None:
        tokens[place + 1] = text[0]._replace(value=within)
    elif isinstance(error, Unbalanced) or opening.kind == TOKEN_OUTPUT or opening.value not in STAND_INS:
        del tokens[place:end]
    else:
        stand_in = STAND_INS[opening.value]
        start = opening.start_index + len(opening.value)
        new = Token(TOKEN_EXPRESSION, stand_in, start_index=start, source=opening.source)
        tokens[place + 1 : end] = [new] if stand_in else []


def _without_line(text: Token, index: int, error: LiquidSyntaxError) -> str | None:
    """The text of a `liquid` tag without what is wrong in one line of it; None if that is not possible."""
    at = index - text.start_index
    begin = text.value.rfind("\n", 0, at) + 1
    end = text.value.find("\n", at)
    end = len(text.value) if end < 0 else end
    line = _LINE.match(text.value, begin, end)
    stand_in = None if line is None else STAND_INS.get(line[1].strip())
    if line is None or stand_in is None or isinstance(error, Unbalanced):
        new = ""
    elif len(stand_in) < len(line[2]):
        new = f"{line[1]} {stand_in}"
    else:
        return None
    return text.value[:begin] + new.ljust(end - begin) + text.value[end:]
