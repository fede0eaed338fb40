"""Parses expressions: values with filters, conditions, loops. Errors say what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from liquid import Environment, RenderContext, Token, TokenStream
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.arguments import KeywordArgument, PositionalArgument
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    Identifier,
    IntegerLiteral,
    Nil,
    RangeLiteral,
    StringLiteral,
    TrueLiteral,
)
from liquid.expression import Expression
from liquid.token import TOKEN_EOF, TOKEN_EXPRESSION, TOKEN_IDENTINDEX, TOKEN_IDENTSTRING, TOKEN_WORD

from journeys.canvas.problems import meant
from journeys.engine.content.compare import Comparison
from journeys.engine.content.expression_tokens import NOW_ISO, Unbalanced, Unreadable
from journeys.engine.content.filters import takes
from journeys.engine.content.filters.argument_limits import WrongArgument, integer, leading
from journeys.engine.content.filters.dates import NOW

COMPARISONS: dict[str, Any] = {
    "==": EqExpression, "!=": NeExpression, "<>": NeExpression, "<": LtExpression, ">": GtExpression,
    "<=": LeExpression, ">=": GeExpression, "contains": ContainsExpression,
}  # fmt: skip


class Span(RangeLiteral):
    """`(a..b)`: texts count as the number that they begin with."""

    def evaluate(self, context: RenderContext) -> range:
        """See base class."""
        return span(self.start.evaluate(context), self.stop.evaluate(context))

    async def evaluate_async(self, context: RenderContext) -> range:
        """See base class."""
        return span(await self.start.evaluate_async(context), await self.stop.evaluate_async(context))


def span(start: Any, stop: Any) -> range:
    """The whole numbers from one to another. Raises `WrongArgument` for what is no number."""
    return range(_bound(start), _bound(stop) + 1)


def _bound(value: Any) -> int:
    if value is None:
        return 0
    return leading(value) if isinstance(value, str) else integer(value)


def filtered(env: Environment, tokens: TokenStream) -> FilteredExpression:
    """A value with its filters, to the end of the tokens."""
    if tokens.current.kind == "brace" and tokens.current.value == "{{":
        found = _wrapped(env, tokens)
        if tokens.current.kind != TOKEN_EOF:
            found = FilteredExpression(found.token, found, _filters(env, tokens))
    else:
        found = _chain(env, tokens)
    end(tokens, "a value")
    return found


def _chain(env: Environment, tokens: TokenStream) -> FilteredExpression:
    left = primitive(env, tokens)
    return FilteredExpression(left.token, left, _filters(env, tokens))


def _wrapped(env: Environment, tokens: TokenStream) -> FilteredExpression:
    """`{{ value | filters }}` within an expression (L4)."""
    opening = next(tokens)
    if tokens.current.kind == "brace" and tokens.current.value in ("{", "{{"):
        raise Unreadable("two braces are expected, not more", tokens.current)
    found = _chain(env, tokens)
    if tokens.current.kind != "brace" or tokens.current.value != "}}":
        raise Unreadable("“{{” is not closed by “}}” here", opening)
    next(tokens)
    return found


def _filters(env: Environment, tokens: TokenStream) -> list[Filter]:
    found = []
    while tokens.current.kind == "pipe":
        next(tokens)
        name = next(tokens)
        if name.kind not in NAMES:
            raise Unreadable("the name of a filter is expected after “|”", name)
        if name.value not in env.filters and name.value not in EDITORS:  # L1, E1
            raise Unreadable(f"there is no filter “{name.value}”", name, meant(name.value, env.filters))
        given: list[KeywordArgument | PositionalArgument] = []
        if tokens.current.kind == "colon":
            next(tokens)
            given = _arguments(env, tokens)
        if name.value in EDITORS:
            continue
        _check(name, given)
        found.append(Filter(name, name.value, given))
    return found


EDITORS = frozenset({"id", "lid"})
"""What an editor writes like filters, to find its own blocks and links again: it has no effect."""


def _arguments(env: Environment, tokens: TokenStream) -> list[KeywordArgument | PositionalArgument]:
    given: list[KeywordArgument | PositionalArgument] = []
    while tokens.current.kind not in (TOKEN_EOF, "pipe") and tokens.current.value != "}}":
        token = tokens.current
        if token.kind in NAMES and tokens.peek.kind == "colon":
            next(tokens)
            next(tokens)
            given.append(KeywordArgument(token, token.value, primitive(env, tokens)))
        else:
            given.append(PositionalArgument(primitive(env, tokens)))
        if tokens.current.kind != "comma":
            break
        next(tokens)
    return given


def _check(name: Token, given: list[KeywordArgument | PositionalArgument]) -> None:
    """Raises `Unreadable` where a filter does not take what it is given."""
    wanted = takes(name.value)
    for one in given:
        if isinstance(one, KeywordArgument) and one.name not in wanted.named:
            raise Unreadable(
                f"“{name.value}” has no argument “{one.name}”", one.token, meant(one.name, wanted.named)
            )
    placed = sum(isinstance(one, PositionalArgument) for one in given)
    if wanted.least <= placed <= wanted.most:
        return
    many = "no value" if not wanted.most else f"{wanted.least} to {wanted.most} values"
    if wanted.least == wanted.most and wanted.most:
        many = "one value" if wanted.most == 1 else f"{wanted.most} values"
    raise Unreadable(f"“{name.value}” takes {many} after “:”, not {placed}", name)


NAMES = frozenset({TOKEN_WORD, "contains", "and", "or"})
"""What may stand for the name of a filter or argument."""


def primitive(env: Environment, tokens: TokenStream) -> Expression:
    """A literal, a path, a range, or one of these wrapped. `blank` and `empty` are empty texts here."""
    token = tokens.current
    simple = _LITERALS.get(token.kind)
    if simple is not None:
        return simple(next(tokens))
    if token.kind == "rangeexpression":
        return _range(env, tokens)
    if token.kind == TOKEN_WORD and token.value == NOW_ISO:
        next(tokens)
        written = PositionalArgument(StringLiteral(token, "%Y-%m-%dT%H:%M:%S.%LZ"))
        return FilteredExpression(token, Path(token, [NOW]), [Filter(token, "date", [written])])
    if token.kind in (TOKEN_WORD, TOKEN_IDENTSTRING, "lbracket"):
        return path(env, tokens)
    if token.kind == "brace" and token.value == "{{":
        found = _wrapped(env, tokens)
        return found if found.filters else found.left
    raise _no_value(token)


_LITERALS: dict[str, Callable[[Token], Expression]] = {
    "true": TrueLiteral, "false": FalseLiteral, "nil": Nil, "null": Nil,
    "string": lambda token: StringLiteral(token, token.value),
    "integer": lambda token: IntegerLiteral(token, _integer(token)),
    "float": lambda token: FloatLiteral(token, _fraction(token)),
    "blank": lambda token: StringLiteral(token, ""),
    "empty": lambda token: StringLiteral(token, ""),
}  # fmt: skip


def _integer(token: Token) -> int:
    try:
        return integer(token.value)
    except WrongArgument:
        raise Unreadable(TOO_LONG, token) from None


def _fraction(token: Token) -> float:
    found = float(token.value)
    if not isfinite(found):
        raise Unreadable(TOO_LONG, token)
    return found


TOO_LONG = "the number has too many digits"


def _no_value(token: Token) -> Unreadable:
    if token.kind == TOKEN_EOF:
        return Unreadable("a value is missing", token)
    if token.kind == "brace":
        return Unreadable("two braces are expected, and only around a value", token)
    if token.kind == "lparen":
        return Unreadable(
            "parentheses are not supported in conditions", token, "and/or are evaluated from right to left"
        )  # V4
    return Unreadable(f"a value is expected, not “{token.value}”", token)


def _range(env: Environment, tokens: TokenStream) -> Span:
    token = next(tokens)
    start = _whole(primitive(env, tokens))
    if next(tokens).kind != "range":
        raise Unreadable("a range is written (1..5)", token)
    stop = _whole(primitive(env, tokens))
    if next(tokens).kind != "rparen":
        raise Unreadable("a range is written (1..5)", token)
    return Span(token, start, stop)


def _whole(bound: Expression) -> Expression:
    """A bound that is written as a fraction is cut to a whole number."""
    return IntegerLiteral(bound.token, int(bound.value)) if isinstance(bound, FloatLiteral) else bound


def path(env: Environment, tokens: TokenStream) -> Path:
    """A name and what is asked of its value: `.key`, `[index]`, `['key']`, `[other.path]`."""
    token = tokens.current
    segments: list[Any] = []
    if token.kind == TOKEN_WORD:
        segments.append(next(tokens).value)
    while True:
        here = tokens.current
        if here.kind == TOKEN_IDENTSTRING:
            segments.append(next(tokens).value)
        elif here.kind == TOKEN_IDENTINDEX:
            next(tokens)
            segments.append(_integer(here))
        elif here.kind == "lbracket":
            next(tokens)
            segments.append(_key(env, tokens))
        elif here.kind == "dot" and segments:
            next(tokens)
            name = next(tokens)
            if name.kind not in WORDS:
                raise Unreadable("a name is expected after “.”", name if name.kind != TOKEN_EOF else here)
            segments.append(name.value)
        else:
            return Path(token, segments)


WORDS = frozenset({TOKEN_WORD, "true", "false", "nil", "null", "empty", "blank", "and", "or", "contains"})
"""What may stand for a key after a dot."""


def _key(env: Environment, tokens: TokenStream) -> Any:
    """What stands in brackets: a path, or a literal."""
    found = primitive(env, tokens)
    closing = next(tokens)
    if closing.kind == "pipe":
        raise Unreadable(
            "filters are not supported in brackets",
            closing,
            "assign first: {% assign key = x | upcase %}, then a[key]",
        )
    if closing.kind != "rbracket":
        raise Unreadable("“[” is not closed by “]” here", found.token)
    if isinstance(found, Path):
        return found
    if isinstance(found, StringLiteral | IntegerLiteral):
        return found.value
    raise Unreadable("a name, a text or a whole number is expected in brackets", found.token)


def condition(env: Environment, tokens: TokenStream) -> BooleanExpression:
    """Comparisons with `and` and `or`, read from right to left (V4), to the end of the tokens."""
    found = _either(env, tokens)
    end(tokens, "a condition")
    return BooleanExpression(found.token, found)


def _either(env: Environment, tokens: TokenStream) -> Expression:
    left = _comparison(env, tokens)
    token = tokens.current
    if token.kind not in ("and", "or"):
        return left
    next(tokens)
    right = _either(env, tokens)  # V4
    return (LogicalAndExpression if token.kind == "and" else LogicalOrExpression)(token, left, right)


def _comparison(env: Environment, tokens: TokenStream) -> Expression:
    left = operand(env, tokens)
    token = tokens.current
    kind = COMPARISONS.get(token.value) if token.kind != "string" else None
    if kind is None:
        return left
    next(tokens)
    return Comparison(kind(token, left, operand(env, tokens)))


def operand(env: Environment, tokens: TokenStream) -> Expression:
    """One side of a comparison: here `blank` and `empty` are questions (V3)."""
    token = tokens.current
    if token.kind in ("blank", "empty"):
        next(tokens)
        return (Blank if token.kind == "blank" else Empty)(token)  # V3
    if token.kind == TOKEN_WORD and token.value == "not" and tokens.peek.kind in NEGATED:
        raise Unreadable("“not” is not supported", token, "write {% unless … %}, or compare with false")  # V4
    found = primitive(env, tokens)
    if isinstance(found, FilteredExpression) and found.token.value != NOW_ISO:
        raise _filter_in(found.filters[0].token if found.filters else found.token, "a condition")  # V7
    return found


NEGATED = frozenset(
    {TOKEN_WORD, TOKEN_IDENTSTRING, "true", "false", "string", "integer", "float", "brace", "lparen"}
)
"""What follows a `not` that is no name."""


def _filter_in(token: Token, where: str) -> Unreadable:
    hint = "assign first: {% assign x = name | upcase %}, then {% if x == 'A' %}"
    return Unreadable(f"filters are not supported in {where}", token, hint)


def end(tokens: TokenStream, what: str) -> None:
    """Raises `Unreadable` where something is left."""
    token = tokens.current
    if token.kind == TOKEN_EOF:
        return
    if token.kind == "pipe":  # V7
        raise _filter_in(token, what)
    if token.kind == TOKEN_WORD and token.value.lower() in SMALL:
        raise Unreadable(
            f"“{token.value}” is not known", token, f"write “{token.value.lower()}”, in small letters"
        )
    if token.kind == "dpipe":
        raise Unreadable("“||” is not supported: write “or”", token)
    if token.kind == "brace":
        raise Unreadable("two braces are expected, and only around a value", token)
    if what == "a value" and (token.value in COMPARISONS or token.kind in ("and", "or")):  # V7
        raise Unreadable(
            f"“{token.value}” is not allowed here", token, "compare in {% if %}, and assign in its branches"
        )
    if token.value.startswith("-"):
        raise Unreadable(
            f"“{token.value}” is not allowed here", token, f"write | minus: {token.value[1:] or 1}"
        )
    if token.value == "=":
        raise Unreadable("“=” is not a comparison", token, "write “==”")
    raise Unreadable(f"nothing may follow {what}, but “{token.value}” does", token)


SMALL = frozenset({"and", "or", "contains"})
"""Words between values."""


def identifier(tokens: TokenStream) -> Identifier:
    """A name of a variable, maybe in quotes."""
    token = next(tokens)
    if token.kind not in (TOKEN_WORD, "integer", "string") or token.value.endswith("?"):
        raise Unreadable("the name of a variable is expected here", token)
    return Identifier(token.value, token=token)


def closed(stream: TokenStream, opening: Token, close: str) -> None:
    """Raises `Unreadable` where the block of this tag is not closed here."""
    if stream.current.kind == TOKEN_EOF:
        raise Unbalanced(f"this is never closed by {{% {close} %}}", opening)
    if not stream.current.is_tag(close):
        raise Unbalanced(f"{{% {close} %}} is expected here", stream.current)
    passed(stream)


def passed(stream: TokenStream) -> None:
    """Pass over the words of a tag that takes none, as Ruby does; `idle_tags.py` finds them (T5)."""
    if stream.peek.kind == TOKEN_EXPRESSION:
        next(stream)
