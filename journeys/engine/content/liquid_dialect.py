"""The dialect: python-liquid with our scanner, tokenizer, comparisons, printing, tags and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from liquid import Environment, Mode, Node, Tag, Token, TokenStream
from liquid.ast import IllegalNode
from liquid.builtin.illegal import Illegal
from liquid.parser import get_parser
from liquid.token import TOKEN_TAG

from journeys.canvas.problems import meant
from journeys.engine.content import conditional_tags, loop_tags, variable_tags
from journeys.engine.content.bound_template import Bound
from journeys.engine.content.expression_tokens import Stream, Unbalanced
from journeys.engine.content.filters import FILTERS
from journeys.engine.content.html_comments import scan_html
from journeys.engine.content.limits import NESTING, bounded
from journeys.engine.content.scanner import scan
from journeys.engine.content.tags import TAGS

DROPPED = ("include", "render", "ifchanged", "doc")  # L1
"""Tags of the library that the dialect does not have."""

INTERNAL = frozenset({"content", "illegal", "output"})
"""Under these names the library keeps what reads text and outputs: no tags that a template may write."""
BRANCHES = ("else", "elsif", "when")
"""Tags that stand within others only."""


class Tags(dict[str, Tag]):
    """The tags by their names. The parser gets those of the library's own use by index, and what is written by `get`."""

    def get(self, name: str, default: Any = None) -> Any:
        """What reads a tag that is written in a template."""
        return default if name in INTERNAL else super().get(name, default)

    def written(self) -> list[str]:
        """All that may stand after `{%`, beside what closes a block."""
        return sorted({*self, *BRANCHES, "raw"} - INTERNAL)


class UnknownTag(Illegal):
    """What has no tag's name, or stands where nothing is open that it belongs to (E1)."""

    def parse(self, stream: TokenStream) -> IllegalNode:
        """See base class."""
        token = stream.expect(TOKEN_TAG)
        known = self.env.tags.written()  # type: ignore[attr-defined]
        if token.value in BRANCHES or token.value.removeprefix("end") in known:
            raise Unbalanced(f"{{% {token.value} %}} has no open tag that it belongs to", token)
        raise Unbalanced(f"there is no tag “{token.value}”", token, meant(token.value, known), known=False)


STOCK: tuple[type[Tag], ...] = (
    UnknownTag, variable_tags.OurLiteral, variable_tags.OurOutput, variable_tags.OurEchoTag, variable_tags.OurAssignTag, variable_tags.OurCaptureTag,
    variable_tags.OurCycleTag, variable_tags.OurIncrementTag, variable_tags.OurDecrementTag, variable_tags.OurLiquidTag,
    variable_tags.RandomTag, conditional_tags.OurIfTag, conditional_tags.OurUnlessTag, conditional_tags.OurCaseTag, loop_tags.OurForTag,
    loop_tags.OurBreakTag, loop_tags.OurContinueTag, loop_tags.OurTablerowTag,
)  # fmt: skip
"""Tags that Shopify's Liquid has too, with Ruby's ways."""


def nothing(*_args: object, **_more: object) -> None:
    """What is not there is nil (V2, E2)."""
    return


class Dialect(Environment):
    """One environment for all templates: parsed templates hold no state and are safe across threads and tasks."""

    template_class = Bound
    block_nesting_limit = NESTING
    context_depth_limit = 4 * NESTING

    def __init__(self) -> None:
        super().__init__(tolerance=Mode.STRICT, strict_filters=True, autoescape=False)  # F5
        self.undefined = nothing  # type: ignore[assignment]  # all that is done with it is to call it

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """See base class."""
        self.tags: Tags = Tags()
        super().setup_tags_and_filters(extra=extra)
        for tag in DROPPED:
            self.tags.pop(tag, None)
        kinds: tuple[type[Tag], ...] = (*STOCK, *TAGS)
        for kind in kinds:
            self.add_tag(kind)
        self.filters = {name: bounded(name, filter_) for name, filter_ in FILTERS.items()}

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """See base class."""
        return scan

    def _parse(self, source: str) -> list[Node]:
        return get_parser(self).parse(Stream(self.tokenizer()(source)))


class HtmlDialect(Dialect):
    """The same for HTML, whose comments are no part of it (L8)."""

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """See base class."""
        return scan_html


DIALECT = Dialect()
HTML = HtmlDialect()
