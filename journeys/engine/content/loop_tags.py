"""`for` and `tablerow`: their items, and how they are iterated (T3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TextIO, cast

from liquid import Environment, RenderContext, Token, TokenStream
from liquid.ast import BlockNode
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.tags.for_tag import BreakNode, BreakTag, ContinueNode, ContinueTag, ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TableRow, TablerowNode, TablerowTag
from liquid.exceptions import BreakLoop, ContinueLoop, LiquidInterrupt
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.token import TOKEN_EOF, TOKEN_TAG, TOKEN_WORD

from journeys.canvas.problems import meant
from journeys.engine.content.expression_tokens import Unreadable
from journeys.engine.content.filters.argument_limits import integer, leading
from journeys.engine.content.grammar import closed, passed, primitive
from journeys.engine.content.limits import short

CONTINUE = "continue"
"""As an offset: go on where the last loop of this name over the same list has stopped."""


class Loop(LoopExpression):
    """`name in list reversed limit:n offset:m`."""

    def evaluate(self, context: RenderContext) -> tuple[Iterator[object], int]:
        """The items, and how many they are."""
        return self.items(
            context,
            self.iterable.evaluate(context),
            None if self.limit is None else self.limit.evaluate(context),
            None if self.offset is None else self.offset.evaluate(context),
        )

    async def evaluate_async(self, context: RenderContext) -> tuple[Iterator[object], int]:
        """See `evaluate`."""
        return self.items(
            context,
            await self.iterable.evaluate_async(context),
            None if self.limit is None else await self.limit.evaluate_async(context),
            None if self.offset is None else await self.offset.evaluate_async(context),
        )

    def items(
        self, context: RenderContext, value: Any, limit: Any, offset: Any
    ) -> tuple[Iterator[object], int]:
        """The part of a value that is gone through, and its length."""
        name = self.place
        begin = context.stopindex(name) if self.continues else 0 if offset is None else self.number(offset)
        found = sequence(value)
        if not isinstance(value, str):
            stop = len(found) if limit is None else max(0, begin + self.number(limit))
            found = found[max(0, begin) : stop]
        context.stopindex(name, begin + len(found))
        return iter(found[::-1] if self.reversed else found), len(found)

    @cached_property
    def place(self) -> str:
        """Under which it is remembered where the loop stopped."""
        return f"{self.identifier}-{self.iterable}"

    @property
    def continues(self) -> bool:
        """Whether it goes on where the last loop has stopped."""
        return isinstance(self.offset, StringLiteral) and self.offset.value == CONTINUE

    def number(self, value: Any) -> int:
        """A limit or offset. Raises `WrongArgument` where it is no whole number."""
        return integer(value)


class Cells(Loop):
    """`name in list cols:n limit:n offset:m` of a table."""

    def number(self, value: Any) -> int:
        """A limit or offset: the whole number that it begins with."""
        return cells(value)


def cells(value: Any) -> int:
    """A number of columns and the like: fractions are cut, what is no number is 0."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    return leading(value) if isinstance(value, str) else 0


def columns(value: Any) -> int:
    """After how many cells a row ends. Where none are said, or 0, all is one row (-1), as in Ruby."""
    return cells(value) or -1


def sequence(value: Any) -> Sequence[object]:
    """What a loop goes through: a text once, an object by pairs of name and value, nothing of all else (T3)."""
    if isinstance(value, list | tuple | range):
        return cast("Sequence[object]", short(value))
    if isinstance(value, str):
        return [value] if value else []  # T3
    if isinstance(value, Mapping):
        return [[name, each] for name, each in value.items()]  # T3
    return []


def _loop(env: Environment, tokens: TokenStream, kind: type[Loop], words: tuple[str, ...]) -> Loop:
    token = tokens.current
    name = tokens.current
    if name.kind != TOKEN_WORD:
        raise Unreadable("a loop is written: item in list", name)
    next(tokens)
    if tokens.current.value != "in":
        raise Unreadable(
            "a loop is written: item in list", tokens.current if tokens.pos < len(tokens.tokens) else name
        )
    next(tokens)
    iterable = primitive(env, tokens)
    options: dict[str, Expression | None] = dict.fromkeys(("limit", "offset", "cols"))
    backwards = False
    while tokens.current.kind != TOKEN_EOF:
        word = next(tokens)
        if word.kind == "comma":
            continue
        if word.value not in words:
            raise Unreadable(f"“{word.value}” is not allowed in a loop", word, meant(word.value, words))
        if word.value == "reversed":
            backwards = True
            continue
        if tokens.current.kind != "colon":
            raise Unreadable(f"“:” and a number are expected after “{word.value}”", word)
        next(tokens)
        if word.value == "offset" and tokens.current.value == CONTINUE:
            options["offset"] = StringLiteral(next(tokens), CONTINUE)
        else:
            options[word.value] = primitive(env, tokens)
    return kind(token, name.value, iterable, reversed_=backwards, **options)


class OurFor(ForNode):
    """`for`, blank only where both its branches are (T1)."""

    def __init__(
        self, token: Token, expression: LoopExpression, block: BlockNode, default: BlockNode | None = None
    ) -> None:
        super().__init__(token, expression, block, default)
        block.blank = self.blank
        if default is not None:
            default.blank = self.blank


class OurForTag(ForTag):
    """`for`."""

    def parse(self, stream: TokenStream) -> OurFor:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        words = ("reversed", "limit", "offset")
        expression = _loop(self.env, stream.into_inner(tag=token), Loop, words)
        parse_block = get_parser(self.env).parse_block
        block = parse_block(stream, ("endfor", "else"))
        default = None
        if stream.current.is_tag("else"):
            passed(stream)
            next(stream)
            default = parse_block(stream, ("endfor",))
        closed(stream, token, "endfor")
        return OurFor(token, expression, block, default)


class OurBreak(BreakNode):
    """`break`: not blank, as in Ruby, so the white space around it stays (T1)."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.blank = False


class OurBreakTag(BreakTag):
    """`break`."""

    def parse(self, stream: TokenStream) -> OurBreak:
        """See base class."""
        token = stream.expect(TOKEN_TAG, value="break")
        passed(stream)
        return OurBreak(token)


class OurContinue(ContinueNode):
    """`continue`: not blank, as in Ruby, so the white space around it stays (T1)."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.blank = False


class OurContinueTag(ContinueTag):
    """`continue`."""

    def parse(self, stream: TokenStream) -> OurContinue:
        """See base class."""
        token = stream.expect(TOKEN_TAG, value="continue")
        passed(stream)
        return OurContinue(token)


class OurTablerow(TablerowNode):
    """`tablerow`. Where no columns are said, all is one row that has no last column, as in Ruby."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        over = self.expression
        items, length = over.evaluate(context)
        if not length:
            return self._nothing(over.iterable.evaluate(context), buffer)
        cols = -1 if over.cols is None else columns(over.cols.evaluate(context))
        row = TableRow(over.identifier, items, length, cols)
        with self._table(context, row, buffer) as namespace:
            for item in row:
                namespace[row.name] = item
                with self._cell(row, buffer):
                    self.block.render(context, buffer)
        return True

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        over = self.expression
        items, length = await over.evaluate_async(context)
        if not length:
            return self._nothing(await over.iterable.evaluate_async(context), buffer)
        cols = -1 if over.cols is None else columns(await over.cols.evaluate_async(context))
        row = TableRow(over.identifier, items, length, cols)
        with self._table(context, row, buffer) as namespace:
            for item in row:
                namespace[row.name] = item
                with self._cell(row, buffer):
                    await self.block.render_async(context, buffer)
        return True

    @staticmethod
    @contextmanager
    def _table(context: RenderContext, row: TableRow, buffer: TextIO) -> Iterator[dict[str, object]]:
        """The tags around all cells, and what these see. `break` leaves it."""
        namespace: dict[str, object] = {"tablerowloop": row}
        buffer.write('<tr class="row1">\n')
        with context.loop(namespace, row), suppress(BreakLoop):
            yield namespace
        buffer.write("</tr>\n")

    @staticmethod
    @contextmanager
    def _cell(row: TableRow, buffer: TextIO) -> Iterator[None]:
        """The tags around a cell, and of the rows: also where the cell is left early."""
        buffer.write(f'<td class="col{row.col}">')
        left: LiquidInterrupt | None = None
        try:
            yield
        except (BreakLoop, ContinueLoop) as interrupt:
            left = interrupt
        buffer.write("</td>")
        if row.col_last and not row.last:
            buffer.write(f'</tr>\n<tr class="row{row.row + 1}">')
        if isinstance(left, BreakLoop):
            raise left

    @staticmethod
    def _nothing(value: object, buffer: TextIO) -> int:
        """One row without cells; nothing at all for nil and false."""
        return 0 if value is None or value is False else buffer.write('<tr class="row1">\n</tr>\n')


class OurTablerowTag(TablerowTag):
    """`tablerow`."""

    def parse(self, stream: TokenStream) -> OurTablerow:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        words = ("cols", "limit", "offset")
        expression = _loop(self.env, stream.into_inner(tag=token), Cells, words)
        block = get_parser(self.env).parse_block(stream, ("endtablerow",))
        closed(stream, token, "endtablerow")
        block.blank = False
        return OurTablerow(token, expression, block)
