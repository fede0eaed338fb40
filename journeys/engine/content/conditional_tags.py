"""`if`, `unless` and `case` with Ruby's comparisons and its white space (T1, V2 to V6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from liquid import Environment, Node, RenderContext, Token, TokenStream
from liquid.ast import BlockNode, ConditionalBlockNode
from liquid.builtin.expressions.logical import BooleanExpression
from liquid.builtin.tags.case_tag import CaseNode, CaseTag, MultiExpressionBlockNode, _AnyExpression
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG

from journeys.engine.content.compare import equal
from journeys.engine.content.expression_tokens import Unreadable
from journeys.engine.content.grammar import closed, condition, end, operand, primitive


def _even(node: IfNode | UnlessNode) -> None:
    """White space is dropped in all branches, or in none."""
    for alternative in node.alternatives:
        alternative.block.blank = node.blank  # T1


class OurIf(IfNode):
    """`if`."""

    def __init__(
        self,
        token: Token,
        condition: Expression,
        consequence: BlockNode,
        alternatives: list[ConditionalBlockNode],
        default: BlockNode | None,
    ) -> None:
        super().__init__(token, condition, consequence, alternatives, default)
        _even(self)

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """Each condition is asked once."""
        if await self.condition.evaluate_async(context):
            return await self.consequence.render_async(context, buffer)
        for alternative in self.alternatives:
            if await alternative.expression.evaluate_async(context):
                return await alternative.block.render_async(context, buffer)
        return await self.default.render_async(context, buffer) if self.default else 0


class OurUnless(UnlessNode):
    """`unless`."""

    def __init__(
        self,
        token: Token,
        condition: Expression,
        consequence: BlockNode,
        alternatives: list[ConditionalBlockNode] | None = None,
        default: BlockNode | None = None,
    ) -> None:
        super().__init__(token, condition, consequence, alternatives, default)
        _even(self)


def _branches(
    env: Environment, stream: TokenStream, name: str
) -> tuple[Token, BooleanExpression, BlockNode, list[ConditionalBlockNode], BlockNode | None]:
    """What `if` and `unless` are made of. Branches after the first `else` are read and never taken."""
    token = stream.eat(TOKEN_TAG)
    close = f"end{name}"
    stops = (close, "elsif", "else")
    parse_block = get_parser(env).parse_block
    asked = condition(env, stream.into_inner(tag=token))
    consequence = parse_block(stream, stops)
    alternatives: list[ConditionalBlockNode] = []
    default: BlockNode | None = None
    while stream.current.is_tag("elsif") or stream.current.is_tag("else"):
        here = next(stream)
        if here.value == "elsif":
            expression = condition(env, stream.into_inner(tag=here))
            block = parse_block(stream, stops)
            if default is None:
                alternatives.append(ConditionalBlockNode(here, expression=expression, block=block))
            continue
        if stream.current.kind == TOKEN_EXPRESSION:
            next(stream)
        block = parse_block(stream, stops)
        default = default or block
    closed(stream, token, close)
    return token, asked, consequence, alternatives, default


class OurIfTag(IfTag):
    """`if`."""

    def parse(self, stream: TokenStream) -> Node:
        """See base class."""
        return OurIf(*_branches(self.env, stream, "if"))


class OurUnlessTag(UnlessTag):
    """`unless`."""

    def parse(self, stream: TokenStream) -> Node:
        """See base class."""
        return OurUnless(*_branches(self.env, stream, "unless"))


class Matches(_AnyExpression):
    """The values of one `when`: for each, whether it equals what `case` asks."""

    def evaluate(self, context: RenderContext) -> list[bool]:
        """See base class."""
        left = self.left.evaluate(context)
        return [equal(left, each.evaluate(context)) for each in self.expressions]

    async def evaluate_async(self, context: RenderContext) -> list[bool]:
        """See base class."""
        left = await self.left.evaluate_async(context)
        return [equal(left, await each.evaluate_async(context)) for each in self.expressions]


class OurCase(CaseNode):
    """`case`; text between it and the first `when` is not printed."""

    def __init__(
        self,
        token: Token,
        expression: Expression,
        blocks: Sequence[MultiExpressionBlockNode | BlockNode],
        before: BlockNode,
    ) -> None:
        super().__init__(token, expression, list(blocks))
        self.blank = self.blank and before.blank  # T1
        for node in self.blocks:
            node.blank = self.blank
            if isinstance(node, MultiExpressionBlockNode):
                node.block.blank = self.blank  # T1

    def expressions(self) -> Iterable[Expression]:
        """See base class."""
        yield self.expression


class OurCaseTag(CaseTag):
    """`case`."""

    def parse(self, stream: TokenStream) -> Node:
        """See base class."""
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token)
        left = primitive(self.env, tokens)
        end(tokens, "the value of a case")
        parse_block = get_parser(self.env).parse_block
        stops = ("endcase", "when", "else")
        before = parse_block(stream, stops)
        blocks: list[MultiExpressionBlockNode | BlockNode] = []
        while stream.current.is_tag("when") or stream.current.is_tag("else"):
            here = next(stream)
            if here.value == "else":
                if stream.current.kind == TOKEN_EXPRESSION:
                    raise Unreadable("nothing may follow “else”", stream.current)
                blocks.append(parse_block(stream, stops))
                continue
            wanted = self._wanted(stream.into_inner(tag=here))
            block = parse_block(stream, stops)
            blocks.append(MultiExpressionBlockNode(here, block, Matches(here, left, wanted)))
        closed(stream, token, "endcase")
        return OurCase(token, left, blocks, before)

    def _wanted(self, tokens: TokenStream) -> list[Expression]:
        """The values after `when`, between commas or `or`."""
        found = [operand(self.env, tokens)]
        while tokens.current.kind in ("comma", "or"):
            next(tokens)
            found.append(operand(self.env, tokens))
        end(tokens, "the values of a when")
        return found
