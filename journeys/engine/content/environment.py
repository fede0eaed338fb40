"""The dialect: python-liquid with our scanner, tokenizer, comparisons, printing, tags and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TextIO

from liquid import Environment, Mode, Node, RenderContext, Token, TokenStream
from liquid.ast import BlockNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.exceptions import LiquidSyntaxError
from liquid.parser import get_parser
from liquid.token import TOKEN_EXPRESSION, TOKEN_OUTPUT

from journeys.engine.content.compare import ruby
from journeys.engine.content.context import Bound
from journeys.engine.content.expr import Stream, tokenize
from journeys.engine.content.filters import dates, texts
from journeys.engine.content.limits import NESTING, bounded
from journeys.engine.content.loops import OurForTag, OurTablerowTag
from journeys.engine.content.scanner import scan
from journeys.engine.content.stringify import stringify
from journeys.engine.content.tags import TAGS
from journeys.engine.content.tags.blocks import BlockOutput, block_of


class Printed(OutputNode):
    """An output that prints as Ruby does."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(stringify(self.expression.evaluate(context)))

    async def render_to_output_async(self, context: RenderContext, buffer: TextIO) -> int:
        """See base class."""
        return buffer.write(stringify(await self.expression.evaluate_async(context)))


class OurOutput(Output):
    """`{{ … }}` with our expressions."""

    def parse(self, stream: TokenStream) -> OutputNode:
        """See base class."""
        token = stream.eat(TOKEN_OUTPUT)
        expression = stream.expect(TOKEN_EXPRESSION)
        if not expression.value:
            raise LiquidSyntaxError("the output is empty", token=token)
        inner = Stream(tokenize(expression.value, expression))
        printed = FilteredExpression.parse(self.env, inner)
        block = block_of(printed)
        return Printed(token, printed) if block is None else BlockOutput(token, printed, block)


class OurIf(IfNode):
    """`if` with Ruby's comparisons."""

    def __init__(
        self, token: Token, condition: Any, consequence: BlockNode, alternatives: Any, default: Any
    ) -> None:
        for alternative in alternatives:
            alternative.expression = ruby(alternative.expression)
        super().__init__(token, ruby(condition), consequence, alternatives, default)


class OurUnless(UnlessNode):
    """`unless` with Ruby's comparisons."""

    def __init__(
        self, token: Token, condition: Any, consequence: BlockNode, alternatives: Any, default: Any
    ) -> None:
        for alternative in alternatives:
            alternative.expression = ruby(alternative.expression)
        super().__init__(token, ruby(condition), consequence, alternatives, default)


class OurIfTag(IfTag):
    """`if`."""

    node_class = OurIf


class OurUnlessTag(UnlessTag):
    """`unless`."""

    node_class = OurUnless  # type: ignore[assignment]  # the library narrows it to its own class


DROPPED = ("include", "render", "ifchanged")
"""Tags of the library that the dialect does not have."""


class Dialect(Environment):
    """One environment for all templates: parsed templates hold no state and are safe across threads and tasks."""

    template_class = Bound
    block_nesting_limit = NESTING
    context_depth_limit = NESTING + 5

    def __init__(self) -> None:
        super().__init__(tolerance=Mode.STRICT, strict_filters=True, autoescape=False)
        self.filters.update({name: bounded(name, filter_) for name, filter_ in self.filters.items()})

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """See base class."""
        super().setup_tags_and_filters(extra=extra)
        for tag in DROPPED:
            self.tags.pop(tag, None)
        for kind in (OurOutput, OurIfTag, OurUnlessTag, OurForTag, OurTablerowTag, *TAGS):
            self.add_tag(kind)
        self.add_filter("date", dates.date)
        self.add_filter("time_zone", dates.time_zone)
        for name in (
            "md5", "sha1", "sha2", "json_escape", "as_json_string", "url_escape", "url_param_escape", "escape",
            "append", "prepend", "join", "split",
        ):  # fmt: skip
            self.add_filter(name, getattr(texts, name))

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """See base class."""
        return scan

    def _parse(self, source: str) -> list[Node]:
        return get_parser(self).parse(Stream(scan(source)))


DIALECT = Dialect()
