"""Outputs, and the tags that print or set values: `echo`, `assign`, `capture`, `cycle`, `increment`, `random` …"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from liquid import Node, RenderContext, Tag, Token, TokenStream
from liquid.ast import BlockNode
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.expressions.primitive import Literal as Constant
from liquid.builtin.expressions.primitive import Nil
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.assign_tag import AssignNode, AssignTag
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.decrement_tag import DecrementNode, DecrementTag
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.builtin.tags.increment_tag import IncrementNode, IncrementTag
from liquid.builtin.tags.liquid_tag import LiquidNode, LiquidTag
from liquid.exceptions import LiquidInterrupt
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.token import TOKEN_EOF, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG

from journeys.engine.content.expression_tokens import Stream, Unreadable
from journeys.engine.content.filters.argument_limits import WrongArgument, integer
from journeys.engine.content.filters.dates import Hidden
from journeys.engine.content.grammar import closed, end, filtered, identifier, primitive
from journeys.engine.content.scanner import RAW
from journeys.engine.content.stringify import stringify
from journeys.engine.content.tags.content_blocks import BlockOutput, block_of

DRAW = Hidden("@draw")
"""Under this lies what draws the random numbers of a message."""


class Printed(OutputNode):
    """An output that prints as Ruby does."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(stringify(self.expression.evaluate(context)))

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(stringify(await self.expression.evaluate_async(context)))


class OurOutput(Output):
    """`{{ … }}` with our expressions. A value may be wrapped as an argument only (L4, L10)."""

    def parse(self, stream: TokenStream) -> OutputNode:
        """See base class."""
        token = stream.eat(TOKEN_OUTPUT)
        expression = stream.expect(TOKEN_EXPRESSION)
        if not expression.value:
            return Printed(token, Nil(token))
        inner = Stream.of(expression)
        if inner.current.kind == "brace":  # L10
            raise Unreadable("two braces are expected, not more", inner.current)
        printed = filtered(self.env, inner)
        block = block_of(printed)
        return Printed(token, printed) if block is None else BlockOutput(token, printed, block)


class OurEchoTag(EchoTag):
    """`echo`."""

    def parse(self, stream: TokenStream) -> Node:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        if stream.current.kind != TOKEN_EXPRESSION:
            stream.pos -= 1  # the parser goes on after the tag's last token
            return Printed(token, Nil(token))
        return Printed(token, filtered(self.env, stream.into_inner(tag=token, eat=False)))


class OurAssignTag(AssignTag):
    """`assign name = value | filters`."""

    def parse(self, stream: TokenStream) -> AssignNode:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token, eat=False)
        name = identifier(tokens)
        sign = next(tokens)
        if sign.value != "=":
            raise Unreadable("an assign is written: name = value", sign if sign.kind != TOKEN_EOF else token)
        return AssignNode(token, name=name, expression=filtered(self.env, tokens))


class Captured(CaptureNode):
    """`capture`: keeps all that is printed within it, white space too."""

    def __init__(self, token: Token, name: object, block: BlockNode) -> None:
        super().__init__(token, name, block)  # type: ignore[arg-type]
        block.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class. What was printed before a loop was left is kept."""
        kept = context.get_buffer(buffer)
        try:
            self.block.render(context, kept)
        except LiquidInterrupt:
            context.assign(self.name, kept.getvalue())
            raise
        context.assign(self.name, kept.getvalue())
        return 0

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class, and above."""
        kept = context.get_buffer(buffer)
        try:
            await self.block.render_async(context, kept)
        except LiquidInterrupt:
            context.assign(self.name, kept.getvalue())
            raise
        context.assign(self.name, kept.getvalue())
        return 0


class OurCaptureTag(CaptureTag):
    """`capture`."""

    def parse(self, stream: TokenStream) -> Captured:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token)
        name = identifier(tokens)
        end(tokens, "the name")
        block = get_parser(self.env).parse_block(stream, ("endcapture",))
        closed(stream, token, "endcapture")
        return Captured(token, name, block)


class Cycle(CycleNode):
    """`cycle`: one value after the other. Tags without a name share their turn where they say the same constants."""

    def __init__(self, token: Token, group: Expression | None, args: list[Expression]) -> None:
        super().__init__(token, group, args)
        constant = all(isinstance(each, Constant) for each in args)
        self._own: object = (
            tuple((type(each), getattr(each, "value", None)) for each in args)
            if constant
            else token.start_index
        )

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        place = self.place(context, None if self.group is None else self.group.evaluate(context))
        return buffer.write(stringify(self.args[place].evaluate(context)) if place < len(self.args) else "")

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        place = self.place(context, None if self.group is None else await self.group.evaluate_async(context))
        return buffer.write(
            stringify(await self.args[place].evaluate_async(context)) if place < len(self.args) else ""
        )

    def place(self, context: RenderContext, group: object) -> int:
        """Whose turn it is."""
        key = ("own", self._own) if self.group is None else ("group", stringify(group))
        return context.cycle(key, len(self.args))


class OurCycleTag(CycleTag):
    """`cycle`."""

    def parse(self, stream: TokenStream) -> CycleNode:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token, eat=False)
        found = [primitive(self.env, tokens)]
        group = None
        if tokens.current.kind == "colon":
            next(tokens)
            group, found = found[0], [primitive(self.env, tokens)]
        while tokens.current.kind == "comma":
            next(tokens)
            if tokens.current.kind != TOKEN_EOF:
                found.append(primitive(self.env, tokens))
        end(tokens, "the values of a cycle")
        return Cycle(token, group, found)


class OurIncrementTag(IncrementTag):
    """`increment`."""

    def parse(self, stream: TokenStream) -> IncrementNode:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        return IncrementNode(token, identifier(stream.into_inner(tag=token, eat=False)))


class OurDecrementTag(DecrementTag):
    """`decrement`."""

    def parse(self, stream: TokenStream) -> DecrementNode:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        return DecrementNode(token, identifier(stream.into_inner(tag=token, eat=False)))


class OurLiquidTag(LiquidTag):
    """`liquid`: a tag a line."""

    def parse(self, stream: TokenStream) -> Node:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        if stream.current.kind != TOKEN_EXPRESSION:
            stream.pos -= 1  # the parser goes on after the tag's last token
            return LiquidNode(token, None, BlockNode(token, []))
        written = stream.current
        inner = Stream(lines(written), block_depth_carry=stream.block_depth)
        return LiquidNode(token, written, get_parser(self.env).parse_block(inner, ()))


def lines(written: Token) -> Iterator[Token]:
    """The tokens of what `liquid` says. Raises Unreadable where a line is no tag."""
    at = 0
    for line in written.value.split("\n"):
        bare = line.strip(" \t\r")
        if bare:
            found = re.match(r"(#|\w+)[ \t]*(.*)", bare, re.DOTALL)
            begin = written.start_index + at + line.index(bare)
            if found is None or "\r" in bare:
                here = Token(TOKEN_TAG, bare, start_index=begin, source=written.source)
                raise Unreadable("each line of “liquid” is a tag", here)
            if found[1] != "#":
                yield Token(TOKEN_TAG, found[1], start_index=begin, source=written.source)
                if found[2]:
                    place = begin + found.start(2)
                    yield Token(TOKEN_EXPRESSION, found[2], start_index=place, source=written.source)
        at += len(line) + 1


class RandomNode(Node):
    """`random`: a number in [0, 1), or a whole one below a bound (T4)."""

    __slots__ = ("bound",)

    def __init__(self, token: Token, bound: Expression | None) -> None:
        super().__init__(token)
        self.bound = bound
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(
            stringify(drawn(context, None if self.bound is None else self.bound.evaluate(context)))
        )

    def expressions(self) -> Iterable[Expression]:
        """See base class."""
        return [] if self.bound is None else [self.bound]


def drawn(context: RenderContext, bound: object) -> float | int:
    """The next random number of the message."""
    lot: float = context.globals[DRAW]()  # type: ignore[operator]
    if bound is None:
        return lot
    most = integer(bound)
    if most < 1:
        raise WrongArgument("random takes a whole number above 0")
    return int(lot * most)  # T4


class RandomTag(Tag):
    """`{% random %}`, `{% random 10 %}`."""

    name = "random"
    block = False

    def parse(self, stream: TokenStream) -> RandomNode:
        """See base class."""
        token = stream.expect(TOKEN_TAG)
        if stream.peek.kind != TOKEN_EXPRESSION:
            return RandomNode(token, None)
        next(stream)
        tokens = stream.into_inner(tag=token, eat=False)
        bound = primitive(self.env, tokens)
        end(tokens, "the bound")
        return RandomNode(token, bound)


class OurLiteral(Literal):
    """Text. What stands in `raw` is never blank (T1)."""

    def parse(self, stream: TokenStream) -> ContentNode:
        """See base class."""
        token = stream.current
        node = ContentNode(token, token.value)
        node.blank = token.kind != RAW and (not token.value or token.value.isspace())  # T1
        return node
