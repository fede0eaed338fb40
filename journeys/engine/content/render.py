"""Compiles a template once and renders it many times: the values that templates see, and how they fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from random import SystemRandom
from typing import Any, cast

from liquid.exceptions import LiquidError

from journeys.canvas.storable_characters import storable
from journeys.engine.content.bound_template import Bound
from journeys.engine.content.codegen import Function
from journeys.engine.content.content_blocks import LEVELS
from journeys.engine.content.expression_tokens import ROOT
from journeys.engine.content.filters.dates import NOW
from journeys.engine.content.limits import BRIEF, LIMITS, SOURCE, Limits
from journeys.engine.content.liquid_dialect import DIALECT, HTML, Dialect
from journeys.engine.content.services import Services
from journeys.engine.content.size_limited_cache import Cache, weight
from journeys.engine.content.tags.promotion import PromotionNode
from journeys.engine.content.thread_offloading import Offload, Pace
from journeys.engine.content.variable_tags import DRAW


class Recommendations(dict[str, Any]):
    """Recommendations by name; one that is not there is an empty list (S2)."""

    def __missing__(self, name: str) -> list[Any]:
        return []


@dataclass(frozen=True, slots=True)
class Values:
    """What a template may see: plain values only. `profile` is what bare `${x}` names; `now` the render clock (UTC);
    `draw` gives a number in [0, 1) for each `random`."""

    profile: Mapping[str, Any] = field(default_factory=dict)
    custom_attributes: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    event_properties: Mapping[str, Any] = field(default_factory=dict)
    campaign: Mapping[str, Any] = field(default_factory=dict)
    canvas: Mapping[str, Any] = field(default_factory=dict)
    namespaces: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    draw: Callable[[], float] = SystemRandom().random

    def globals(self) -> dict[str, Any]:
        """The values by the names that templates use (liquid.md section 2)."""
        return {
            **self.namespaces,
            ROOT: self.profile,
            "custom_attribute": self.custom_attributes,
            "context": self.context,
            "canvas_entry_properties": self.context,
            "event_properties": self.event_properties,
            "product_recommendation": Recommendations(self.namespaces.get("product_recommendation") or {}),
            "campaign": self.campaign,
            "canvas": self.canvas,
            NOW: self.now,
            DRAW: self.draw,
        }


class TemplateError(Exception):
    """A template that cannot be read (E1). `line` and `column` count from 1, within its source."""

    code = "template_parse_error"

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        self.message, self.line, self.column, self.hint = message, line, column, hint
        super().__init__(f"line {line}, column {column}: {message}" + (f" ({hint})" if hint else ""))


class RenderError(Exception):
    """A message that could not be rendered (E3, E4): it is cancelled, never printed into. `line` and `column` as above."""

    code = "template_parse_error"

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(f"line {line}, column {column}: {message}")


class Template:
    """A compiled template: holds no state, may be shared."""

    def __init__(self, source: str, bound: Bound) -> None:
        self.source = source
        self._bound = bound
        self._pace = Pace()

    def render(self, values: Values, services: Services | None = None, *, limits: Limits = LIMITS) -> str:
        """The text for these values, of a template that makes no calls.

        Raises `Aborted` where the template says so, `RenderError` where a value cannot be worked with or a limit is
        passed.
        """
        try:
            return self._bound.text(values.globals(), services or Services(), limits)
        except LiquidError as error:
            raise _render_error(error) from error

    def render_by_tree(
        self, values: Values, services: Services | None = None, *, limits: Limits = LIMITS
    ) -> str:
        """The same by the library's syntax tree, node by node: the reference. Raises as `render`."""
        try:
            return self._bound.text_by_tree(values.globals(), services or Services(), limits)
        except LiquidError as error:
            raise _render_error(error) from error

    async def render_async(self, values: Values, services: Services, *, limits: Limits = LIMITS) -> str:
        """The text for these values, with what the services answer.

        It is there at once if no calls are made and the rendering is short; a long one moves to a thread (`thread_offloading.py`).
        Raises as `render`, and `Retry` where a call is to be made again later.
        """
        given, offload = _begun(values, services, self._pace)
        if any(each.calls for each in self.within(services.block)):
            services.values = values
            steps = partial(self._bound.text_async, given, services)
            return await _settled(offload.text_of_steps(steps, limits), services)
        try:
            return await offload.text(partial(self._bound.text, given, services), limits)
        except LiquidError as error:
            raise _render_error(error) from error

    async def render_by_tree_async(
        self, values: Values, services: Services, *, limits: Limits = LIMITS
    ) -> str:
        """The same by the library's syntax tree. Raises as `render_async`."""
        given, offload = _begun(values, services, self._pace)
        services.values = values
        steps = partial(self._bound.text_by_tree_async, given, services)
        return await _settled(offload.text_of_steps(steps, limits), services)

    @property
    def function(self) -> Function | None:
        """The template as a Python function, made when it is first rendered. None: it is rendered by the tree."""
        return self._bound.function

    @property
    def bound(self) -> Bound:
        """Its syntax tree."""
        return self._bound

    @property
    def calls(self) -> bool:
        """Whether it makes calls of its own while it is rendered."""
        return self._bound.calls

    @property
    def needs_async(self) -> bool:
        """Whether it may make calls while it is rendered: its own, or those of content blocks that it names."""
        return self.calls or bool(self._bound.blocks)

    @property
    def blocks(self) -> frozenset[str]:
        """The content blocks that it names."""
        return self._bound.blocks

    @cached_property
    def promotions(self) -> frozenset[str]:
        """The promotion lists that it names in any branch, each to be charged before it is rendered (P2)."""
        return frozenset(node.snippet for node in self._bound.walk() if isinstance(node, PromotionNode))

    def within(self, block: Callable[[str], str | None]) -> Sequence[Template]:
        """Itself and the content blocks that it includes, by their sources; one that cannot be read is left out."""
        if not self.blocks:
            return (self,)
        found: dict[str, Template] = {}
        level: Sequence[Template] = (self,)
        for _ in range(LEVELS):
            names = {name for each in level for name in each.blocks}
            level = [made for name in sorted(names) for made in self._compiled(block(name))]
            found |= {made.source: made for made in level}
        return (self, *found.values())

    def _compiled(self, source: str | None) -> Iterator[Template]:
        if source is not None:
            with suppress(TemplateError):
                yield compile_html(source) if self._bound.env is HTML else compile(source)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The values that it asks for, as `namespace.name`; `profile.x` for bare `${x}`."""
        names = {ROOT: "profile"}
        found = set()
        for segments in (one.segments for each in self._bound.analysis.globals.values() for one in each):
            if str(segments[0]).startswith("@"):
                continue
            head = names.get(str(segments[0]), str(segments[0]))
            name = getattr(segments[1], "name", segments[1]) if len(segments) > 1 else "*"
            found.add(f"{head}.{name}")
        return frozenset(found)


def compile(source: str) -> Template:  # noqa: A001 - the verb of the design
    """The template of a source, compiled once.

    Raises `TemplateError` with the place of what cannot be read: syntax, unknown tags, unknown filters.
    """
    return _kept(_TEMPLATES, DIALECT, source)


def compile_html(source: str) -> Template:
    """The template of a mail's HTML, whose comments are gone before any Liquid is read (L8). Raises as `compile`."""
    return _kept(_PAGES, HTML, source)


COMPILERS: Mapping[str, Callable[[str], Template]] = {"removed": compile_html, "kept": compile}
"""What becomes of HTML comments, and the reading of a template that does so (L8)."""


DIALECTS: Mapping[Callable[[str], Template], Dialect] = {compile: DIALECT, compile_html: HTML}
"""The dialect that a compiler reads."""


_TEMPLATES: Cache[Template] = Cache(32 * 1024 * 1024, "templates")
_PAGES: Cache[Template] = Cache(32 * 1024 * 1024, "html_templates")


def _kept(cache: Cache[Template], dialect: Dialect, source: str) -> Template:
    found = cache.get(source)
    if found is None:
        found = parse(source, dialect)
        cache.keep(source, found, weight(source))
    return found


def parse(source: str, dialect: Dialect = DIALECT) -> Template:
    """As `compile`, without a cache."""
    if len(source) > SOURCE:
        raise TemplateError(f"the template has more than {SOURCE:,} characters", 1, 1)
    try:
        bound = cast("Bound", dialect.from_string(source))
    except (LiquidError, RecursionError, ValueError) as error:
        raise unread(error, source) from error
    return Template(source, bound)


def problems(source: str, compiler: Callable[[str], Template] = compile) -> list[TemplateError]:
    """What is wrong with a template, as far as can be said without rendering it."""
    try:
        compiler(source)
    except TemplateError as error:
        return [error]
    return []


def render_value(source: str, values: Values, services: Services | None = None) -> str:
    """The text of a step's value, rendered within a burst: it is to be stored (V11).

    Raises as `compile` and `Template.render` do.
    """
    return storable(compile(source).render(values, services, limits=BRIEF))


def _begun(values: Values, services: Services, pace: Pace) -> tuple[dict[str, Any], Offload]:
    """What a rendering sees, and what is remembered from one try of it to the next."""
    given, offload = values.globals(), Offload(values.draw, services, pace)
    given[DRAW] = offload.draw
    return given, offload


async def _settled(text: Awaitable[str], services: Services) -> str:
    try:
        found = await text
    except LiquidError as error:
        if services.retry is not None:  # what failed may have wanted the reply that did not come
            raise services.retry from error
        raise _render_error(error) from error
    if services.retry is not None:
        raise services.retry
    return found


def _render_error(error: LiquidError) -> RenderError:
    place = (1, 1) if error.token is None else position(error.token.source, error.token.start_index)
    return RenderError(_message(error), *place)


def position(source: str, index: int) -> tuple[int, int]:
    """The line and the column of a place in a source, from 1."""
    index = max(0, min(index, len(source)))
    begin = source.rfind("\n", 0, index) + 1
    return source.count("\n", 0, index) + 1, index - begin + 1


def _message(error: BaseException) -> str:
    if RecursionError in (type(error), type(error.__cause__)):
        return "this is nested too deeply"
    return str(getattr(error, "message", None) or error).split("\n")[0]


def unread(error: BaseException, source: str) -> TemplateError:
    """What is reported for an error that ends parsing."""
    token = getattr(error, "token", None)
    index = token.start_index if token is not None and token.start_index >= 0 else len(source)
    line, column = position(source, index)
    message = _message(error) or "the template cannot be parsed"
    hint = getattr(error, "hint", "")
    return TemplateError(message, line, column, hint)
