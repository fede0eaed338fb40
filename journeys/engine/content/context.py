"""A template bound to the dialect, and what one rendering of it carries along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import _GeneratorContextManager
from functools import cached_property, partial
from io import StringIO
from time import thread_time
from types import coroutine
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from liquid import BoundTemplate, Node, RenderContext, Token
from liquid.builtin.tags.for_tag import ForLoop
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError
from liquid.static_analysis import TemplateAnalysis
from liquid.undefined import UNDEFINED
from liquid.utils import ReadOnlyChainMap

from journeys.engine.content import limits
from journeys.engine.content.blocks import BLOCKS, Blocks
from journeys.engine.content.limits import LIMITS, Exceeded, Limits, TimedOut
from journeys.engine.content.lookup import step
from journeys.engine.content.output import Buffer, Captured, Parts
from journeys.engine.content.services import Services

if TYPE_CHECKING:
    from journeys.engine.content.codegen import Function

T = TypeVar("T")

BARE = 3
"""Namespaces of a rendering that is in no loop: variables, values, counters."""


class Rendering(RenderContext):
    """One rendering: the scope of its variables, the services that answer its calls, and what it has used so far."""

    __slots__ = ("_fuel", "_passes", "_sizes", "_until", "held", "limits", "services")

    def __init__(
        self, template: BoundTemplate, values: Mapping[str, object], services: Services, allowed: Limits
    ) -> None:
        self.template = template
        self.env = template.env
        self.services = services
        self.locals = {}
        self.globals = values
        self.counters = {}
        self.scope = ReadOnlyChainMap(self.locals, self.counters, values)
        self.tag_namespace = {"cycles": {}, "ifchanged": "", "stopindex": {}}
        self.loops = []
        self.disabled_tags = []
        self.autoescape = False
        self.parent_context = None
        self._copy_depth = 0
        self.loop_iteration_carry = 1
        self.local_namespace_size_carry = 0
        self.limits = allowed
        self.held = 0
        self._sizes: dict[object, int] = {}
        self._passes = 0
        self._fuel = limits.STRIDE
        self._until = thread_time() + allowed.seconds

    def spend(self, work: int, parts: Parts | None = None) -> None:
        """So many nodes or filters are to be worked off. Raises TimedOut once the processor time is used up.

        `parts`: texts that were put out since, to be measured now and then.
        """
        self._fuel -= work
        if self._fuel <= 0:
            self._fuel = limits.STRIDE
            self.watch()
            if parts is not None:
                parts.measure()

    def watch(self) -> None:
        """Look at the clock. Raises TimedOut once the processor time is used up."""
        if thread_time() > self._until:
            raise TimedOut

    def turn(self, work: int = 1, parts: Parts | None = None) -> None:
        """A loop begins a pass with so much work. Raises Exceeded where all loops together have made too many."""
        self._passes += 1
        if self._passes > self.limits.passes:
            raise Exceeded(f"the loops go round more than {self.limits.passes:,} times")
        self.spend(work, parts)

    @coroutine
    def ask(self, asked: Callable[..., Awaitable[T]], *given: Any) -> Generator[Any, T, T]:
        """What somebody answers: who drives this rendering asks. The clock stands still meanwhile."""
        left = self._until - thread_time()
        try:
            return (yield partial(asked, *given))
        finally:
            self._until = thread_time() + left  # of whichever thread goes on

    def assign(self, key: str, val: Any) -> None:
        """See base class. Raises Exceeded where all variables together hold too much."""
        self._hold(key, val)
        self.locals[key] = val

    def get(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """What a path leads to; nil where it leads nowhere (V2)."""
        del token
        try:
            value = self.scope[path[0]]  # type: ignore[index]  # what is no name is not found
        except (KeyError, TypeError):
            return None if default is UNDEFINED else default
        for key in path[1:]:
            if value is None:
                return None
            value = step(value, key)
        return value

    async def get_async(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """See `get`. A content block may make calls."""
        if path[0] != BLOCKS or len(path) < 2:
            return self.get(path, token=token, default=default)
        value = self.scope[BLOCKS]
        value = (
            await value.__getitem_async__(str(path[1])) if isinstance(value, Blocks) else step(value, path[1])
        )
        for key in path[2:]:
            value = step(value, key)
        return value

    def increment(self, name: str) -> int:
        """The counter of this name, which begins at the value of this name, or at 0; it is one more thereafter."""
        value = self.counters.get(name, self._given(name))
        self.counters[name] = value + 1
        return value

    def decrement(self, name: str) -> int:
        """The counter of this name, which is one less from now on."""
        value = self.counters.get(name, self._given(name)) - 1
        self.counters[name] = value
        return value

    def _given(self, name: str) -> int:
        value = self.globals.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def cycle(self, key: object, length: int) -> int:
        """Whose turn it is. A cycle's name is remembered, and so it is counted like a variable."""
        turns: dict[object, int] = self.tag_namespace["cycles"]
        if key not in turns:
            self._hold(("cycle", key), key)
        turn = turns.get(key, 0)
        turns[key] = turn + 1 if turn + 1 < length else 0
        return turn

    def _hold(self, place: object, value: Any) -> None:
        size = limits.weigh(value, limits.HELD)
        self.held += size - self._sizes.get(place, 0)
        self._sizes[place] = size
        if self.held > limits.HELD:
            raise Exceeded(f"the variables hold more than {limits.HELD:,} bytes")
        if size > limits.BULK:
            self.watch()

    def reader(self) -> Callable[[str], object]:
        """Reads variables by their names, from the scope as it is now."""
        return self._read if self.scope.size() == BARE else self.scope.get

    def _read(self, name: str) -> object:
        if name in self.locals:
            return self.locals[name]
        return self.counters[name] if name in self.counters else self.globals.get(name)

    def enter(self, namespace: Mapping[str, object], forloop: ForLoop) -> None:
        """A loop begins that shows its variables. Its passes are counted by who makes them."""
        self.loops.append(forloop)
        self.scope.push(namespace)

    def leave(self) -> None:
        """The loop that was entered last ends."""
        self.scope.pop()
        self.loops.pop()

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """See base class."""
        self.spend(1)
        return super().filter(name, token)

    def loop(self, namespace: Mapping[str, object], forloop: Any) -> _GeneratorContextManager[RenderContext]:
        """See base class. Each pass is counted."""
        forloop.it = self._counted(forloop.it)
        return super().loop(namespace, forloop)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """See base class. Not needed: the passes themselves are counted."""

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.turn()
            yield item

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        """See base class: what a text within the output may hold."""
        del buf
        return Captured()


UNWORKABLE = (ArithmeticError, RecursionError, ValueError, TypeError, AttributeError, LookupError)
"""What Python raises where a value cannot be worked with."""


class Unworkable(LiquidError):
    """A value that cannot be worked with (E3)."""

    def __init__(self, error: Exception, token: Token) -> None:
        said = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        super().__init__(f"a value cannot be worked with: {said}", token=token)


class Bound(BoundTemplate):
    """A parsed template."""

    context_class = cast("type[RenderContext]", Rendering)

    def text(self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS) -> str:
        """Rendered without calls. Raises LiquidError, with the place in its token, and Aborted."""
        if self.function is None:
            return self.text_by_tree(values, services, allowed)
        return self.function.text(self._begin(values, services, allowed))

    async def text_async(
        self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS
    ) -> str:
        """Rendered with calls. Raises as `text`."""
        if self.waiting is None:
            return await self.text_by_tree_async(values, services, allowed)
        return await self.waiting.text_async(self._begin(values, services, allowed))

    def text_by_tree(self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS) -> str:
        """As `text`, by the syntax tree: the reference."""
        context, buffer = self._begin(values, services, allowed), Buffer(allowed.output)
        self.render_with_context(context, buffer)
        return buffer.getvalue()

    async def text_by_tree_async(
        self, values: Mapping[str, object], services: Services, allowed: Limits = LIMITS
    ) -> str:
        """As `text_async`, by the syntax tree: the reference."""
        context, buffer = self._begin(values, services, allowed), Buffer(allowed.output)
        await self.render_with_context_async(context, buffer)
        return buffer.getvalue()

    @cached_property
    def function(self) -> Function | None:
        """The template as a Python function, made when it is first rendered. None: it is rendered by the tree."""
        from journeys.engine.content.codegen import function_of

        return function_of(self, awaits=False)

    @cached_property
    def waiting(self) -> Function | None:
        """The same as a coroutine function, which awaits what makes calls."""
        from journeys.engine.content.codegen import function_of

        return function_of(self, awaits=True)

    def _begin(self, values: Mapping[str, object], services: Services, allowed: Limits) -> Rendering:
        if not self.blocks:
            return Rendering(self, values, services, allowed)
        given = dict(values)
        context = Rendering(self, given, services, allowed)
        given[BLOCKS] = Blocks(context)
        return context

    def render_with_context(
        self,
        context: RenderContext,
        buffer: TextIO,
        *args: Any,
        partial: bool = False,
        block_scope: bool = False,
        **kwargs: Any,
    ) -> None:
        """See base class. All that Python itself raises becomes a LiquidError with a place."""
        with context.extend(dict(*args, **kwargs)):
            if isinstance(buffer, Parts) and self.function is not None:
                self.function.render(context, buffer, inner=partial and not block_scope)
                return
            for node in self.nodes:
                try:
                    node.render(context, buffer)
                except (LiquidError, LiquidInterrupt, *UNWORKABLE) as error:
                    raise failed(error, node, inner=partial and not block_scope) from error

    async def render_with_context_async(
        self,
        context: RenderContext,
        buffer: TextIO,
        *args: Any,
        partial: bool = False,
        block_scope: bool = False,
        **kwargs: Any,
    ) -> None:
        """See base class, and `render_with_context`."""
        with context.extend(dict(*args, **kwargs)):
            if isinstance(buffer, Parts) and self.waiting is not None:
                await self.waiting.render_async(context, buffer, inner=partial and not block_scope)
                return
            for node in self.nodes:
                try:
                    await node.render_async(context, buffer)
                except (LiquidError, LiquidInterrupt, *UNWORKABLE) as error:
                    raise failed(error, node, inner=partial and not block_scope) from error

    def walk(self) -> Iterator[Node]:
        """All nodes of it, each before those within it."""
        for node in self.nodes:
            yield from within(node)

    @cached_property
    def analysis(self) -> TemplateAnalysis:
        """What it names: variables, filters, tags, each with its places."""
        return self.analyze()

    @cached_property
    def calls(self) -> bool:
        """Whether a node of it makes calls: such a node's class says `calls = True`."""
        return any(getattr(node, "calls", False) for node in self.walk())

    @cached_property
    def blocks(self) -> frozenset[str]:
        """The content blocks that it names."""
        named = self.analysis.globals.get(BLOCKS, ())
        return frozenset(str(each.segments[1]) for each in named if len(each.segments) > 1)


def failed(error: Exception, node: Node, *, inner: bool) -> Exception:
    """What is raised for an error within a node: it names a place. `inner`: a loop around the template may be left."""
    if isinstance(error, LiquidInterrupt):
        return (
            error if inner else LiquidSyntaxError(f"“{error}” stands outside of all loops", token=node.token)
        )
    if not isinstance(error, LiquidError):
        return Unworkable(error, node.token)
    if error.token is None:
        error.token = node.token
    return error


def within(node: Node) -> Iterator[Node]:
    """The node, and all within it."""
    yield node
    for child in node.children(STATIC, include_partials=False):
        yield from within(child)


STATIC = cast("RenderContext", None)
"""The context that nodes are asked for their children in: none of ours looks at it."""
