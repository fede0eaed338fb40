"""Cuts an expression into tokens: the rules of the library, and `${}` names, wrapped values, words of the language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from liquid import Token, TokenStream
from liquid.exceptions import LiquidSyntaxError
from liquid.token import (
    TOKEN_EOF,
    TOKEN_EXPRESSION,
    TOKEN_IDENTINDEX,
    TOKEN_IDENTSTRING,
    TOKEN_ILLEGAL,
    TOKEN_WORD,
    operators,
)

from journeys.engine.content.html_reading import in_text
from journeys.engine.content.limits import TOKENS
from journeys.engine.content.lookup import Indexed

ROOT = "$"
"""The namespace of bare `${x}`: standard attributes, apart from all variables."""

_RULES = (
    ("name", r"(?P<dot>\.\s*+)?\$\{(?P<called>[^{}]*+)\}"),  # L3
    ("brace", r"\{\{|\}\}|[{}]"),
    ("rangeexpression", r"\((?=[^()]*?\.\.)"),
    (TOKEN_IDENTINDEX, r"\[\s*(?P<index>-?\d+)\s*\]"),
    (TOKEN_IDENTSTRING, r"\[\s*(?P<q>[\"'])(?P<quoted>[^\"']*)(?P=q)\s*\]"),
    ("string", r"\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"),
    ("range", r"\.\."),
    ("float", r"-?\d+\.(?!\.)\d*"),
    ("integer", r"-?\d+\b"),
    ("dot", r"\."),
    (TOKEN_WORD, r"\$?\w[\w\-]*\??"),
    ("lparen", r"\("),
    ("rparen", r"\)"),
    ("lbracket", r"\["),
    ("rbracket", r"\]"),
    ("colon", r":"),
    ("comma", r","),
    ("dpipe", r"\|\|"),
    ("pipe", r"\|"),
    ("reference", r"&(?:#\w{1,8}|\w{2,32});"),
    ("op", r"[!=<>]{1,2}"),
    ("skip", r"\s+"),  # L5
    (TOKEN_ILLEGAL, r"."),
)
_TOKENS = re.compile("|".join(f"(?P<{name}_>{rule})" for name, rule in _RULES), re.DOTALL)
_INDEX = re.compile(r"^(?P<name>[^\[\]]*)(?P<indices>(?:\[-?[0-9]{1,9}\])+)$")

NOW_ISO = "$isoTimestamp"
"""Prints the render clock in ISO 8601 (section 9)."""

KEYWORDS = frozenset({"true", "false", "nil", "null", "empty", "blank", "and", "or", "contains"})
"""Words that are never names. Those of `for` (`limit`, `reversed` …) are names everywhere else."""

CURLY = "“”‘’„‚"


class Unreadable(LiquidSyntaxError):
    """What cannot be read, where, and what may have been meant."""

    def __init__(self, message: str, token: Token, hint: str = "") -> None:
        super().__init__(message, token=token)
        self.hint = hint


class Unbalanced(Unreadable):
    """A tag that is none (`known` is false then), that nothing opens, or that nothing closes: others may hang on it."""

    def __init__(self, message: str, token: Token, hint: str = "", *, known: bool = True) -> None:
        super().__init__(message, token, hint)
        self.known = known


def tokenize(source: str, parent: Token) -> Iterator[Token]:
    """The tokens of an expression. Raises LiquidSyntaxError at the exact place of what cannot be read."""
    for count, match in enumerate(_TOKENS.finditer(source)):
        kind = (match.lastgroup or TOKEN_ILLEGAL)[:-1]
        value = match.group()
        start = parent.start_index + match.start()
        if count > TOKENS:
            raise Unreadable(f"an expression has more than {TOKENS:,} words and signs", parent)
        if kind == "skip":
            continue
        if kind == "name":
            yield from _name(match, start, parent.source)
            continue
        if kind == TOKEN_WORD and value in KEYWORDS:
            kind = value
        elif kind == TOKEN_IDENTINDEX:
            value = match["index"]
        elif kind == TOKEN_IDENTSTRING:
            value = match["quoted"]
        elif kind == "string":
            value = match["double"] if match["double"] is not None else match["single"]
        elif kind == "op" and value in operators:
            kind = operators[value]
        elif kind == "reference":
            token = Token(kind, value, start_index=start, source=parent.source)
            sign = in_text(value)
            hint = "write a plain space" if sign.isspace() else f"write {sign}"
            raise Unreadable(f"“{value}” is written as in HTML, which counts for nothing here", token, hint)
        elif kind in ("op", TOKEN_ILLEGAL):
            raise _unexpected(value, Token(kind, value, start_index=start, source=parent.source))
        elif value.startswith("$") and value != NOW_ISO:
            token = Token(kind, value, start_index=start, source=parent.source)
            raise Unreadable(f"“{value}” is not a name", token, f"write ${{{value[1:]}}}")
        yield Token(kind, value, start_index=start, source=parent.source)


def _unexpected(value: str, token: Token) -> Unreadable:
    if value in CURLY:
        return Unreadable(f"curly quotes ({value}) are not supported: use straight quotes", token)  # L10
    if value == "&":
        return Unreadable("“&&” is not supported: write “and”", token)  # V7
    if value in ARITHMETIC:
        return Unreadable(f"“{value}” is not allowed here", token, f"write | {ARITHMETIC[value]}: 2")  # V7
    if value in "\"'":
        return Unreadable(f"this quote ({value}) is never closed", token)
    return Unreadable(f"unexpected “{value}”", token)


ARITHMETIC = {"+": "plus", "-": "minus", "*": "times", "/": "divided_by", "%": "modulo"}


def _name(match: re.Match[str], start: int, source: str) -> Iterator[Token]:
    """`ns.${x}` is a key of what stands before it, bare `${x}` a standard attribute; an index may stand inside (L6)."""
    called = match["called"].strip()
    if not called:
        token = Token(TOKEN_ILLEGAL, match.group(), start_index=start, source=source)
        raise Unreadable("“${}” has no name", token)
    if match["dot"] is None:  # L3, L12
        yield Token(TOKEN_WORD, ROOT, start_index=start, source=source)
    inside = _INDEX.match(called)  # L6
    if inside is None:
        yield Token(TOKEN_IDENTSTRING, called, start_index=start, source=source)
        return
    indices = tuple(int(index) for index in re.findall(r"-?\d+", inside["indices"]))
    whole = Indexed.of(called, inside["name"], indices)
    yield Token(TOKEN_IDENTSTRING, whole, start_index=start, source=source)


class Stream(TokenStream):
    """A token stream whose expressions are cut by our rules."""

    @classmethod
    def of(cls, expression: Token) -> Stream:
        """The tokens of an expression. What is missing is missing at its end."""
        found = cls(tokenize(expression.value, expression))
        end = expression.start_index + len(expression.value)
        found.eof = Token(TOKEN_EOF, TOKEN_EOF, start_index=end, source=expression.source)
        return found

    def into_inner(self, *, tag: Token | None = None, eat: bool = True) -> TokenStream:
        """See base class."""
        token = self.current
        if token.kind != TOKEN_EXPRESSION:
            raise Unreadable("an expression is missing", tag or token)
        if eat:
            next(self)
        return Stream.of(token)
